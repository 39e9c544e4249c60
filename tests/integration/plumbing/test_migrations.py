"""While a new version changes the tables, the one before goes on reading them."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.database import Database, Transaction
from shared.settings import ServiceSettings
from tests.support.database import fresh_database
from tests.support.servers import Servers

pytestmark = pytest.mark.integration

BEFORE = {
    "0001_things.sql": "CREATE TABLE things (n int);",
    "0002_one.sql": "INSERT INTO things VALUES (1);",
}
LATER = {
    "0003_a_column.sql": "ALTER TABLE things ADD COLUMN colour text; DROP TABLE IF EXISTS nothing;",
    # Stands for minutes of work; it goes on when the test lets go of the lock.
    "0004_long.sql": "SELECT pg_advisory_xact_lock(42); UPDATE things SET colour = 'red';",
    "0005_last.sql": "INSERT INTO things VALUES (2, 'blue');",
}


@pytest.fixture
def database(servers: Servers) -> Iterator[Database]:
    with fresh_database(servers.postgres) as made:
        settings = ServiceSettings(
            database_url=SecretStr(made.url("query")), kafka_bootstrap_servers="nowhere:1"
        )
        store = Database(settings, schema="query")
        store.open()
        yield store
        asyncio.run(store.close())


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)


def test_readers_of_the_version_before_do_not_wait_for_a_long_migration(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "of_a_test" / "migrations"
    folder.mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    _write(folder, BEFORE)
    database.migrate("of_a_test")
    _write(folder, LATER)

    def read() -> list[tuple[int, str | None]]:
        def work(tx: Transaction) -> list[tuple[int, str | None]]:
            tx.cursor.execute("SET LOCAL lock_timeout = '5s'")
            return [
                (r["n"], r["colour"]) for r in tx.cursor.execute("SELECT * FROM things ORDER BY n")
            ]

        return database.transact(work)

    def let_it_be_reached(tx: Transaction) -> list[tuple[int, str | None]]:
        """Held here, the long one waits; what came before it is readable meanwhile."""
        tx.cursor.execute("SELECT pg_advisory_xact_lock(42)")
        upgrade.start()
        waiting = "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted"
        while tx.cursor.execute(waiting).fetchone() != {"n": 1}:
            assert upgrade.is_alive()
        return read()

    upgrade = threading.Thread(target=database.migrate, args=("of_a_test",))
    assert database.transact(let_it_be_reached) == [(1, None)]
    upgrade.join()
    assert read() == [(1, "red"), (2, "blue")]
    database.migrate("of_a_test")  # nothing is done twice
    assert len(read()) == 2
