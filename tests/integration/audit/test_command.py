"""`ticketing audit verify` over every service's log: its exit status, and the words that name the first bad event."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import psycopg
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from deploy.audit.source import TABLES
from deploy.cli import app
from deploy.local.problems import CannotStart
from shared.audit import Sealer
from shared.audit.signing import AuditKey
from shared.database import Database as Store
from shared.events import Owner, encode
from shared.eventstore import EventStore
from shared.identifiers import new_id
from shared.settings import ServiceSettings
from tests.support.database import Database
from tests.support.events import noted
from tests.support.servers import Servers

pytestmark = pytest.mark.integration

SECRET = "of the command's tests, and of nobody else"


@dataclass
class Log:
    """The log of one service: one stream of three events, sealed."""

    service: str
    database: Database
    stream: UUID

    @contextmanager
    def spoilt(self, statement: str) -> Iterator[None]:
        """Somebody with every right did this to the table (EVENTS); afterwards it is as it was."""
        self._run("CREATE TABLE kept AS TABLE EVENTS; " + statement)
        try:
            yield
        finally:
            self._run("DELETE FROM EVENTS; INSERT INTO EVENTS TABLE kept; DROP TABLE kept")

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.database.superuser, autocommit=True) as connection:
            connection.execute(f"SET search_path = {self.service}")
            connection.execute(statement.replace("EVENTS", TABLES[self.service]))

    def verify(self, *options: str, key: str = SECRET) -> tuple[int, str]:
        public = AuditKey(key, self.service).public
        done = CliRunner().invoke(
            app,
            [
                *("audit", "verify", "--service", self.service),
                *("--database", self.database.superuser),
                *(options or ("--public-key", f"{self.service}={public}")),
            ],
        )
        if isinstance(done.exception, CannotStart):
            return -1, str(done.exception)
        return done.exit_code, done.output


@pytest.fixture(scope="module", params=sorted(TABLES))
def log(request: pytest.FixtureRequest, own_database: Database, servers: Servers) -> Iterator[Log]:
    service: str = request.param
    settings = ServiceSettings(
        database_url=SecretStr(own_database.url(service)), kafka_bootstrap_servers=servers.kafka
    )
    store: Store
    if service == "query":
        store = Store(settings, schema="query")
        store.open()
        store.migrate("shared.audit", "services.query")
    else:
        store = EventStore(settings, owner=Owner(service))
        store.open()
        store.migrate("shared.messaging")
    log = Log(service, own_database, new_id())
    with psycopg.connect(own_database.superuser, autocommit=True) as connection:
        connection.execute(f"SET search_path = {service}")
        connection.execute(f"TRUNCATE {TABLES[service]} RESTART IDENTITY")
        extra = ", ticket_id, recorded_at, actor_id" if service == "query" else ""
        for version in (1, 2, 3):
            now = datetime.now(UTC)
            event = msgspec.structs.replace(noted(log.stream, version), recorded_at=now)
            values = [log.stream, version, event.wire_type, encode(event)]
            values += [log.stream, now, event.actor.id] if extra else []
            connection.execute(
                f"INSERT INTO {TABLES[service]} (originator_id, originator_version, topic, state{extra})"
                f" VALUES ({', '.join(['%s'] * len(values))})",
                values,
            )
    Sealer(store, service=service, table=TABLES[service], seconds=1, secret=SECRET).seal_next()
    yield log
    store._sync.close()


INSERT = (
    "CREATE TEMP TABLE one AS TABLE EVENTS; DELETE FROM one WHERE originator_version < 3;"
    "UPDATE one SET originator_version = 4, notification_id = -4; INSERT INTO EVENTS TABLE one"
)
ANOTHER = "replace(convert_from(state, 'UTF8'), 'a note', 'a vote')"


@pytest.mark.parametrize(
    ("statement", "version", "what"),
    [
        (
            f"UPDATE EVENTS SET state = convert_to({ANOTHER}, 'UTF8') WHERE originator_version = 2",
            2,
            "was changed",
        ),
        ("DELETE FROM EVENTS", 1, "was removed"),
        ("DELETE FROM EVENTS WHERE originator_version = 2", 2, "was removed"),
        ("DELETE FROM EVENTS WHERE originator_version = 3", 3, "was removed"),
        (
            INSERT,
            4,
            "was inserted",
        ),
    ],
    ids=["changed", "all removed", "middle removed", "tail removed", "inserted"],
)
def test_the_first_bad_event_is_named_and_the_exit_status_is_1(
    log: Log, statement: str, version: int, what: str
):
    status, said = log.verify()
    assert (status, f"{log.service}: proven 3 events of 1 streams" in said) == (0, True), said
    with log.spoilt(statement):
        status, said = log.verify()
    assert status == 1
    assert f"{log.service}: NOT AS SEALED" in said
    assert f"first: {log.service} {log.stream} version {version}: {what}" in said


def test_nothing_is_proven_without_the_right_key(log: Log):
    status, said = log.verify(key="somebody else's secret, of 32 letters and more")
    assert status == 1
    assert "seal 1 is not signed by a trusted key" in said
    others = AuditKey(SECRET, log.service).public
    elsewhere = next(name for name in TABLES if name != log.service)
    status, said = log.verify("--public-key", f"{elsewhere}={others}")
    assert (status, "whose signatures count" in said) == (-1, True)
    status, said = log.verify("--unsigned")
    assert status == 0
    assert f"{log.service}: consistent, not proven" in said


@pytest.mark.parametrize("log", ["query"], indirect=True)
@pytest.mark.parametrize(
    ("column", "wrong"),
    [("actor_id", "'mallory'"), ("ticket_id", "gen_random_uuid()"), ("recorded_at", "now()")],
)
def test_a_reading_that_is_filed_under_something_else_is_named(log: Log, column: str, wrong: str):
    with log.spoilt(f"UPDATE EVENTS SET {column} = {wrong}"):
        status, said = log.verify()
    assert status == 1
    assert f"version 1: is filed under another {column}" in said
