"""An import through the whole product: real servers, four real processes, Caddy in front, and kills on the way."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.bootstrap import SERVICES
from deploy.imports.servicenow import history
from deploy.imports.servicenow_file import read_log
from deploy.local.child import Child, stop_all
from deploy.local.services import Services, service_child
from deploy.local.stack import DATABASE, Stack, start_together
from tests.support.waiting import eventually
from tests.unit.imports.oracle import figures, retell
from tests.unit.imports.samples import a_file, a_row

pytestmark = [pytest.mark.e2e, pytest.mark.integration]

INCIDENTS = 3_000
TABLES = {
    "intake": "intake.intake_events",
    "routing": "routing.routing_events",
    "sla": "sla.sla_events",
    "query": "query.timeline",
}
"""What grows while a service works."""

_IMPORT_SECONDS_MAX = 240


class Quiet:
    def step(self, name: str, what: str) -> None:
        pass

    def done(self, name: str) -> None:
        pass


class Product:
    """Everything, with its services as children that can be killed and started again."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.children = {name: service_child(stack, name) for name in SERVICES}

    def start(self) -> None:
        for child in self.children.values():
            child.start()
        services = Services(self.stack, say=print)
        services._children = self.children
        for name in SERVICES:
            services.wait_until_ready(name)
        start_together([self.stack.caddy], Quiet())

    def stop(self) -> None:
        stop_all(list(self.children.values()))

    def call(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", *arguments],
            env={**os.environ, "TICKETING_HOME": str(self.stack.folder.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        process = self.call(*arguments)
        output, _ = process.communicate(timeout=_IMPORT_SECONDS_MAX)
        return process.returncode, output

    def report(self) -> dict:
        status, output = self.run("report", "--json", "--channel", "import")
        assert status == 0, output
        return json.loads(output)["tickets"]

    def count(self, query: str) -> int:
        with psycopg.connect(self.stack.postgres.conninfo(database=DATABASE)) as connection:
            row = connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])

    @property
    def event_counts(self) -> list[int]:
        return [self.count(f"SELECT count(*) FROM {table}") for table in TABLES.values()]

    @property
    def journal_chunks(self) -> int:
        found = list((self.stack.folder.path / "imports").glob("*.journal"))
        return sum(len(path.read_text().split()) for path in found)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with Stack(tmp_path_factory.mktemp("product")) as stack:
        made = Product(stack)
        try:
            made.start()
            yield made
        finally:
            made.stop()


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


def assert_nothing_lost_nothing_twice(product: Product, file: Path) -> None:
    histories = [history(number, rows) for number, rows in read_log(file).incidents.items()]
    expected, found = figures(map(retell, histories)), product.report()
    assert found["tickets"] == expected.tickets == INCIDENTS
    assert found["reopened"] == expected.reopened == INCIDENTS // 20
    assert found["handed_over"] == round(expected.handed_over_share * INCIDENTS)
    assert found["group_handoffs_max"] == expected.handovers_max
    assert (found["closed"], found["resolved"]) == (expected.closed, expected.resolved)
    hours = found["opened_to_closed_median_seconds"] / 3600
    assert hours == pytest.approx(expected.opened_to_closed_median_hours)
    # A command that was done is claimed, in the transaction of its events.
    assert product.count("SELECT count(*) FROM intake.claims") == sum(
        len(one.intake) for one in histories
    )
    assert product.count("SELECT count(*) FROM routing.claims") == sum(
        len(one.routing) for one in histories
    )
    for service in ("routing", "sla", "query"):
        assert product.count(f"SELECT count(*) FROM {service}.parked_events") == 0


@pytest.mark.fault
async def test_killing_any_process_during_the_import_loses_and_doubles_nothing(product, file):
    importing = product.call("import", "servicenow", str(file))
    await eventually(lambda: product.journal_chunks >= 1, what="the first chunk is noted")
    importing.kill()
    importing.communicate()
    assert product.count("SELECT count(*) FROM intake.intake_events") > 0

    for victim in SERVICES:
        _kill_and_start_again(product.children[victim])
    importing = product.call("import", "servicenow", str(file))
    killed_on_the_way = []
    for victim, table in TABLES.items():
        count = f"SELECT count(*) FROM {table}"
        before = product.count(count)
        await eventually(
            lambda count=count, before=before: (
                importing.poll() is not None or product.count(count) > before
            ),
            what=f"{victim} moves on",
        )
        if importing.poll() is None:
            killed_on_the_way.append(victim)
        _kill_and_start_again(product.children[victim])
    assert {"intake", "routing"} <= set(killed_on_the_way), "too short an import to be disturbed"
    output, _ = importing.communicate(timeout=_IMPORT_SECONDS_MAX)
    assert importing.returncode == 0, output
    assert "30 rows known as senseless, 0 unreadable rows, 0 commands" in output
    assert_nothing_lost_nothing_twice(product, file)


def test_a_second_run_changes_nothing(product, file):
    product.run("import", "servicenow", str(file))
    before = product.event_counts
    status, output = product.run("import", "servicenow", str(file))
    assert status == 0, output
    assert product.event_counts == before
    assert_nothing_lost_nothing_twice(product, file)


def test_a_file_with_an_unreadable_row_is_imported_and_called_failed(product, tmp_path):
    path = a_file(tmp_path, a_row(number="BAD1"), a_row(number="BAD2", priority="9 - What"))
    status, output = product.run("import", "servicenow", str(path))
    assert status == 1, output
    assert "1 unreadable rows" in output
    listed = (product.stack.folder.path / "imports" / "servicenow-refused.csv").read_text()
    assert "3,BAD2,priority,9 - What,is none of 1 to 4" in listed
    assert product.count("SELECT count(*) FROM query.tickets WHERE external_id = 'BAD1'") == 1


def _kill_and_start_again(child: Child) -> None:
    child.kill()
    child.start()
