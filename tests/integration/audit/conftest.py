"""A real event store with sealed days, and somebody with every right on its database."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from pydantic import SecretStr

from deploy.audit.findings import Verdict
from deploy.audit.source import opened
from deploy.audit.verification import Verification
from shared.audit import Sealer
from shared.audit.signing import AuditKey, PublicKeys
from shared.events import Event, Owner
from shared.eventstore import EventStore
from shared.identifiers import new_id
from shared.settings import ServiceSettings
from tests.support.database import Database, fresh_database
from tests.support.events import noted
from tests.support.events import opened as ticket_opened
from tests.support.servers import Servers

SECRET = "of the audit's tests, and of nobody else"
KEYS = PublicKeys(AuditKey(SECRET, "intake").public)


@dataclass
class Archive:
    """Three days of four tickets, three events each a day, and the sealer that watched."""

    database: Database
    store: EventStore[Any]
    now: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(days=2))
    tickets: list[UUID] = field(default_factory=lambda: sorted(new_id() for _ in range(4)))

    def __post_init__(self) -> None:
        self.sealer = self.new_sealer()

    def new_sealer(self, secret: str | None = SECRET) -> Sealer:
        return Sealer(
            self.store,
            service="intake",
            table="intake_events",
            seconds=1.0,
            secret=secret,
            clock=lambda: self.now,
        )

    def append(self, *events: Event) -> None:
        """As events of the archive's own time."""
        of_now = [msgspec.structs.replace(event, recorded_at=self.now) for event in events]
        self.store.transact(lambda tx: tx.append(*of_now))

    def live_a_day(self, day: int) -> None:
        """Each ticket gets three events, sealed in two goes."""
        for ticket in self.tickets:
            first = 3 * day + 1
            opening = ticket_opened(ticket) if day == 0 else noted(ticket, first)
            self.append(opening, noted(ticket, first + 1))
        self.sealer.seal_next()
        self.append(*[noted(ticket, 3 * day + 3) for ticket in self.tickets])
        self.sealer.seal_next()

    def tamper(self, statement: str, *values: Any) -> None:
        """As somebody who may do anything in the database."""
        with psycopg.connect(self.database.superuser, autocommit=True) as connection:
            connection.execute("SET search_path = intake")
            connection.execute(statement, values)

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        return self.store.transact(lambda tx: tx.cursor.execute(statement, values).fetchall())

    def verify(
        self,
        *,
        keys: PublicKeys = KEYS,
        witnessed: dict[str, str] | None = None,
        seals: dict[int, str] | None = None,
        since: datetime | None = None,
    ) -> Verdict:
        with opened("intake", self.database.url("intake")) as source:
            return Verification(
                source, keys, witnessed=witnessed, witnessed_seals=seals, sealing_since=since
            ).run()

    def newest_seal(self) -> dict[int, str]:
        """Likewise, of the newest seal."""
        (row,) = self.rows("SELECT number, hash FROM audit_seals ORDER BY number DESC LIMIT 1")
        return {row["number"]: bytes(row["hash"]).hex()}

    def roots(self) -> dict[str, str]:
        """What a witness would have written down."""
        return {
            row["day"].isoformat(): bytes(row["hash"]).hex()
            for row in self.rows("SELECT day, hash FROM audit_days")
        }


@pytest.fixture(scope="module")
def own_database(servers: Servers) -> Iterator[Database]:
    with fresh_database(servers.postgres) as database:
        yield database


@pytest.fixture(scope="module")
async def own_store(own_database: Database, servers: Servers) -> AsyncIterator[EventStore[Any]]:
    settings = ServiceSettings(
        database_url=SecretStr(own_database.url("intake")),
        kafka_bootstrap_servers=servers.kafka,
    )
    store: EventStore[Any] = EventStore(settings, owner=Owner.INTAKE)
    store.open()
    store.migrate("shared.messaging")
    yield store
    await store.close()


@pytest.fixture
def archive(own_database: Database, own_store: EventStore[Any]) -> Archive:
    archive = Archive(own_database, own_store)
    archive.tamper(
        "TRUNCATE intake_events, audit_seals, audit_heads, audit_days, audit_day_heads RESTART IDENTITY"
    )
    archive.tamper("UPDATE relay_position SET notification_id = 0")
    for day in range(3):
        archive.live_a_day(day)
        archive.now += timedelta(days=1)
    archive.now -= timedelta(days=1)
    return archive
