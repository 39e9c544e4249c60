"""kill -9 of any one process while an import runs loses and doubles nothing; a second run changes nothing."""

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from deploy.imports.servicenow import history
from deploy.imports.servicenow_file import read_log
from tests.support.incident_log import write_incident_log
from tests.support.product import Product, is_caught_up
from tests.support.waiting import eventually
from tests.unit.imports.oracle import retell

pytestmark = pytest.mark.fault

INCIDENTS = 1_000
"""Some thousand commands: enough that between two deaths there is work for each of those who die."""

VICTIMS = ("intake", "kafka", "routing", "importer", "sla", "postgres", "query", "redis", "caddy")
OWNERS = ("intake", "routing", "sla")


class Import:
    """`ticketing import servicenow` as a process of its own."""

    def __init__(self, product: Product, file: Path) -> None:
        self._argv = [
            *(sys.executable, "-m", "deploy.cli", "import", "servicenow", str(file)),
            *("--url", product.address, "--wait", "240"),
        ]
        self._environment = {
            "PATH": "/usr/bin:/bin",
            "TICKETING_HOME": str(product.stack.folder.path),
            "TICKETING_TOKEN": product.token("service", "servicenow-import"),
        }
        self._log = file.with_suffix(".out")
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv, env=self._environment, stdout=log, stderr=subprocess.STDOUT
            )

    def is_running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def finish(self) -> None:
        code = self._process.wait(timeout=300)
        assert code == 0, self._log.read_text()[-3000:]


def stored_count(product: Product) -> int:
    try:
        return product.rows("intake", "SELECT count(*) FROM intake_events")[0][0]
    except psycopg.OperationalError:  # PostgreSQL is one of those we kill
        return 0


def event_counts(product: Product) -> dict[str, int]:
    """But for the records that an import was run: it was, a second time."""
    return {
        owner: product.rows(
            owner,
            f"SELECT count(*) FROM {owner}_events WHERE topic <> '{owner}_operation.recorded.v1'",
        )[0][0]
        for owner in OWNERS
    }


async def test_killing_any_process_during_an_import_loses_and_doubles_nothing(
    product: Product, tmp_path: Path
):
    file = write_incident_log(tmp_path / "incidents.csv", INCIDENTS)
    expected = {
        number: retell(history(number, rows)) for number, rows in read_log(file).incidents.items()
    }
    command_count = sum(
        len(history(number, rows).intake) for number, rows in read_log(file).incidents.items()
    )
    killed = []
    stored_before = stored_count(product)
    running = Import(product, file)
    for place, victim in enumerate(VICTIMS, start=1):
        # Spread over the import by progress, not by time: every victim dies in the middle of work.
        share = stored_before + command_count * 0.9 * place / (len(VICTIMS) + 1)
        await eventually(
            lambda share=share: stored_count(product) >= share or not running.is_running(),
            seconds_max=120,
            what=f"progress until {victim} is killed",
        )
        assert running.is_running(), "the import was over before everybody had been killed"
        if victim == "importer":
            running.kill()
            running.start()
        else:
            product.kill(victim)
            product.start_again(victim)
        killed.append(victim)
    running.finish()
    await eventually(lambda: is_caught_up(product), seconds_max=120, what="caught up")

    check_streams(product)
    check_tickets(product, expected)
    before = event_counts(product)
    again = Import(product, file)
    again.finish()
    assert event_counts(product) == before, "a second run changed something"
    assert killed == list(VICTIMS)


def check_streams(product: Product) -> None:
    """Every stream is whole, and query has exactly what the owners stored."""
    for owner in OWNERS:
        broken = product.rows(
            owner,
            f"SELECT originator_id, count(*), max(originator_version) FROM {owner}_events"
            " GROUP BY originator_id HAVING count(*) <> max(originator_version)",
        )
        assert not broken, f"{owner} has gaps"
        stored = product.rows(
            owner, f"SELECT originator_id, originator_version, state FROM {owner}_events"
        )
        seen = product.rows(
            "query",
            "SELECT stream_id, version, raw FROM timeline WHERE topic = ANY(%s)",
            [
                topic
                for topic, owned_by in {
                    "tickets.v1": "intake",
                    "configuration.v1": "intake",
                    "assignments.v1": "routing",
                    "agents.v1": "routing",
                    "sla.v1": "sla",
                    "policies.v1": "sla",
                }.items()
                if owned_by == owner
            ],
        )
        assert len(seen) == len(stored), f"{owner}: stored and projected differ in number"
        assert {(a, b) for a, b, _ in seen} == {(a, b) for a, b, _ in stored}
    for reader in ("routing", "sla", "query"):
        assert product.rows(reader, "SELECT * FROM parked_events") == []
        assert product.rows(reader, "SELECT * FROM held_events") == []


def check_tickets(product: Product, expected: dict) -> None:
    """Each incident became one ticket, and ended as its history says."""
    rows = product.rows(
        "query",
        "SELECT external_id, category, priority, reopen_count, closed_at, group_id FROM tickets"
        " WHERE external_id IS NOT NULL",
    )
    assert len(rows) == len({row[0] for row in rows}) == INCIDENTS
    wrong = []
    for external_id, category, priority, reopen_count, closed_at, group_id in rows:
        told = expected[external_id]
        seen = (category, priority, reopen_count, closed_at, group_id)
        should = (told.category, told.priority, told.reopened, told.closed_at, told.group)
        if seen != should:
            wrong.append((external_id, seen, should))
    assert not wrong, f"{len(wrong)} of {INCIDENTS} differ, for example {wrong[:3]}"
