"""An import through the whole product: what the console says afterwards is what the file says.

That it survives the death of any process is shown in `tests/fault/test_kill_during_import.py`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from deploy.imports.servicenow import history
from deploy.imports.servicenow_file import read_log
from deploy.lake import Lake
from services.query.catalogue import REPORTS, query_of
from shared.security.principal import Role
from tests.support.product import Product
from tests.unit.imports.oracle import figures, retell
from tests.unit.imports.samples import a_file, a_row

pytestmark = [pytest.mark.e2e, pytest.mark.integration]

INCIDENTS = 300
_IMPORT_SECONDS_MAX = 240


def run(product: Product, *arguments: str) -> tuple[int, str]:
    """One command of the console, as its user calls it."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        env={**os.environ, "TICKETING_HOME": str(product.stack.folder.path)},
        capture_output=True,
        text=True,
        timeout=_IMPORT_SECONDS_MAX,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def count(product: Product, role: str, query: str) -> int:
    return int(product.rows(role, query)[0][0])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Incidents of several kinds: handed over, reopened, without `resolved_at`, with a senseless row."""
    rows = []
    for number in range(INCIDENTS):
        opened_at = f"1/3/2016 {8 + number % 9:02}:{number % 60:02}"
        said = {
            "number": f"INC{number:07}",
            "opened_at": opened_at,
            "resolved_at": "?" if number % 7 == 0 else "3/3/2016 10:00",
            "closed_at": "8/3/2016 10:00",
        }
        rows += [a_row("New", opened_at, **said), a_row("Active", "2/3/2016 09:00", **said)]
        if number % 3 == 0:
            said["assignment_group"] = f"Group {number % 5 + 10}"
            said["assigned_to"] = f"Resolver {number % 11}"
        if number % 100 == 0:
            rows.append(a_row("-100", "2/3/2016 10:00", **said))
        if number % 20 == 0:
            rows.append(a_row("Resolved", "2/3/2016 11:00", **said))
            rows.append(a_row("Active", "2/3/2016 12:00", **said))
        rows.append(a_row("Resolved", "3/3/2016 10:00", **said))
        rows.append(a_row("Closed", "8/3/2016 10:00", **said, made_sla="false"))
    return a_file(tmp_path_factory.mktemp("file"), *rows)


def test_the_report_tells_what_the_file_says(product: Product, file: Path):
    histories = [history(number, rows) for number, rows in read_log(file).incidents.items()]
    claims = {
        owner: count(product, owner, "SELECT count(*) FROM claims")
        for owner in ("intake", "routing")
    }
    status, output = run(product, "import", "servicenow", str(file))
    assert status == 0, output
    assert "3 rows known as senseless, 0 unreadable rows, 0 commands" in output

    status, output = run(product, "report", "--json", "--channel", "import")
    assert status == 0, output
    found, expected = json.loads(output)["tickets"], figures(map(retell, histories))
    assert found["tickets"] == expected.tickets == INCIDENTS
    assert found["reopened"] == expected.reopened == INCIDENTS // 20
    assert found["handed_over"] == round(expected.handed_over_share * INCIDENTS)
    assert found["group_handoffs_max"] == expected.handovers_max
    assert (found["closed"], found["resolved"]) == (expected.closed, expected.resolved)
    hours = found["opened_to_closed_median_seconds"] / 3600
    assert hours == pytest.approx(expected.opened_to_closed_median_hours)
    _three_ways_agree(product, file.parent / "lake", found)
    # A command that was done is claimed, in the transaction of its events.
    for owner, lines in (("intake", "intake"), ("routing", "routing")):
        done = count(product, owner, "SELECT count(*) FROM claims") - claims[owner]
        assert done == sum(len(getattr(one, lines)) for one in histories)


def _three_ways_agree(product: Product, lake: Path, told: dict[str, Any]) -> None:
    """The API's figures, the catalogue's SQL as `bi_reader`, and the same SQL on Parquet with DuckDB."""

    def is_whole() -> bool:
        status, output = run(product, "export", "--to", str(lake))
        assert status == 0, output
        return Lake(str(lake)).newest().entities["fct_ticket"].rows >= told["tickets"]

    # The agents' heartbeats and the timers go on writing: rows wait for transactions that are still under way.
    assert any(is_whole() for _ in range(20))
    noted = "SELECT count(*) FROM reads WHERE convert_from(state, 'UTF8')::json ->> 'what' = 'lake.export'"
    assert count(product, "query", noted) >= 1, "who took everything is in the audit"
    for name, by in (("reopens", "channel"), ("resolution", "channel"), ("attainment", "metric")):
        sql = query_of(REPORTS[name], by, placeholder="%({})s", channel=True).replace(
            "%(channel)s", "'import'"
        )
        status, output = run(product, "report", "--lake", str(lake), "--sql", sql, "--json")
        assert status == 0, output
        on_lake = json.loads(output)
        with psycopg.connect(
            product.stack.database_url("bi_reader"), row_factory=dict_row
        ) as connection:
            by_sql = connection.execute(sql).fetchall()
        by_api = product.door(Role.AGENT, "bi").call(
            "GET", f"/v1/reports/{name}?by={by}&channel=import"
        )["rows"]
        assert len(by_api) > 0
        # The two databases interpolate percentiles in another order: the last binary digit may differ.
        for other in (by_sql, on_lake):
            for ours, theirs in zip(by_api, other, strict=True):
                assert ours == {
                    key: pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
                    for key, value in theirs.items()
                }
        if name == "reopens":
            assert by_api[0]["reopened"] == told["reopened"]
            assert by_api[0]["tickets"] == told["tickets"]
        if name == "resolution":
            assert by_api[0]["resolution_p50"] == told["opened_to_resolved_median_seconds"]


def test_a_file_with_an_unreadable_row_is_imported_and_called_failed(
    product: Product, tmp_path: Path
):
    path = a_file(tmp_path, a_row(number="BAD1"), a_row(number="BAD2", priority="9 - What"))
    status, output = run(product, "import", "servicenow", str(path))
    assert status == 1, output
    assert "1 unreadable rows" in output
    listed = (product.stack.folder.path / "imports" / "servicenow-refused.csv").read_text()
    assert "3,BAD2,priority,9 - What,is none of 1 to 4" in listed
    assert count(product, "query", "SELECT count(*) FROM tickets WHERE external_id = 'BAD1'") == 1
