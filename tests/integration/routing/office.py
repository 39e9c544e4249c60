"""A routing service without its server process, on the real PostgreSQL, and what happens around it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx2
from aiokafka.structs import ConsumerRecord

from services.routing.app.deciding import Deciding
from services.routing.app.progress import Progress
from services.routing.main import build
from services.routing.settings import Settings
from shared.events.base import Actor, ActorKind, Channel, Event, Priority, StatusCategory
from shared.events.tickets import (
    Person,
    PriorityChanged,
    StatusChanged,
    TicketClosed,
    TicketOpened,
    TicketResolved,
)
from shared.eventstore import EventStore
from shared.identifiers import new_id
from shared.messaging import Received
from shared.security import Role
from shared.security.issuer import LocalIssuer
from shared.service import Service
from shared.topics import topic_of
from tests.support.database import Database

TABLES = (
    *("tickets", "agents", "groups", "lanes", "customers", "claims", "calendars", "routing_events"),
    *("consumer_positions", "stream_versions", "held_events", "parked_events"),
)


def make_settings(database: Database, issuer: LocalIssuer, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "database_url": database.url("routing"),
        "kafka_bootstrap_servers": "127.0.0.1:1",  # nothing is read or published unless a test says so
        "jwks_file": issuer.jwks_file,
        "database_pool_size": 4,
        "routing_unknown_wait_seconds": 0.05,
        "routing_import_wait_seconds": 0.05,
        "routing_import_quiet_seconds": 0,
    }
    return Settings(**values | changes)


class Tickets:
    """Intake's side: the next event of each ticket."""

    def __init__(self) -> None:
        self.versions: dict[UUID, int] = {}
        self.category: dict[UUID, StatusCategory] = {}

    def opened(
        self,
        *,
        ticket_id: UUID | None = None,
        priority: Priority = Priority.NORMAL,
        via: Channel = Channel.EMAIL,
        external_id: str | None = None,
        tags: tuple[str, ...] = (),
        category: StatusCategory = StatusCategory.NEW,
        **more: Any,
    ) -> TicketOpened:
        ticket_id = ticket_id or new_id()
        self.category[ticket_id] = category
        return TicketOpened(
            **self._stamp(ticket_id, via),
            ticket_id=ticket_id,
            number=len(self.versions),
            subject="The printer burns",
            message_id=new_id(),
            body="Really.",
            requester=Person("cora", email="cora@example.org"),
            priority=priority,
            category=category,
            external_id=external_id,
            tags=tags,
            **more,
        )

    def moved(self, ticket_id: UUID, category: StatusCategory) -> Event:
        previous, self.category[ticket_id] = self.category[ticket_id], category
        stamp = self._stamp(ticket_id, Channel.AGENT)
        if category is StatusCategory.SOLVED:
            return TicketResolved(
                **stamp,
                ticket_id=ticket_id,
                summary="Put out.",
                previous_category=previous,
                resolution_count=1,
            )
        if category is StatusCategory.CLOSED:
            return TicketClosed(**stamp, ticket_id=ticket_id, previous_category=previous)
        return StatusChanged(
            **stamp, ticket_id=ticket_id, category=category, previous_category=previous
        )

    def reprioritised(self, ticket_id: UUID, priority: Priority) -> PriorityChanged:
        return PriorityChanged(
            **self._stamp(ticket_id, Channel.AGENT),
            ticket_id=ticket_id,
            priority=priority,
            previous=Priority.NORMAL,
        )

    def _stamp(self, ticket_id: UUID, via: Channel) -> Any:
        self.versions[ticket_id] = self.versions.get(ticket_id, 0) + 1
        now = datetime.now(UTC)
        return {
            "version": self.versions[ticket_id],
            "occurred_at": now,
            "recorded_at": now,
            "actor": Actor(kind=ActorKind.CUSTOMER, id="cora"),
            "via": via,
            "correlation_id": str(new_id()),
            "causation_id": None,
        }


class Office:
    """One process of routing: its answers over HTTP, its tables, its log."""

    def __init__(self, service: Service, http: httpx2.AsyncClient, issuer: LocalIssuer) -> None:
        self.service = service
        self.http = http
        self.issuer = issuer
        assert isinstance(service.store, EventStore)
        self.store = service.store
        self.tickets = Tickets()
        self._consumer = service.consumers[0]
        self.deciding: Deciding = self._consumer._handler.__self__  # type: ignore[attr-defined]
        assert self._consumer._after_commit is not None
        self.heard: Progress = self._consumer._after_commit.__self__  # type: ignore[attr-defined]

    # What comes from the other services, as the consumer hands it over.

    async def hear(self, *events: Event) -> None:
        await asyncio.to_thread(self.hear_now, events)

    def hear_now(self, events: Sequence[Event]) -> None:
        batch = [Received(topic_of(one.wire_type), 0, 0, one, b"") for one in events]
        self.store.transact(lambda tx: self._consumer._handler(tx, batch))
        self.heard.move(batch)

    def apply(self, records: Sequence[ConsumerRecord]) -> None:
        """The same as records of one partition, through the gate: what is known already changes nothing."""
        if records:
            self._consumer._apply_records(records)

    def forget(self) -> None:
        """All that the process keeps in memory; the next step reads the tables, as one that starts."""
        self.deciding._desks._kept = None
        self._consumer._batches.places.next.clear()

    def sweep(self) -> None:
        while self.store.transact(self.deciding.sweep):
            pass

    async def opened(self, **said: Any) -> UUID:
        event = self.tickets.opened(**said)
        await self.hear(event)
        return event.ticket_id

    async def moved(self, ticket_id: UUID, category: StatusCategory) -> None:
        await self.hear(self.tickets.moved(ticket_id, category))

    async def swept(self) -> None:
        await asyncio.to_thread(self.sweep)

    # What people ask.

    def token(self, subject: str, role: Role) -> str:
        return self.issuer.issue(subject, role, name=subject.title())

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        as_: str = "boss",
        role: Role = Role.ADMIN,
        **headers: str,
    ) -> httpx2.Response:
        extra = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.http.request(
            method,
            path,
            content=b"" if body is None else content,
            headers={
                "authorization": f"Bearer {self.token(as_, role)}",
                "content-type": "application/json",
                **extra,
            },
        )

    async def done(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The answer to something that must succeed."""
        answer = await self.ask(method, path, body, **more)
        assert answer.status_code in {200, 201}, (answer.status_code, answer.text)
        return answer.json()

    async def group(self, group_id: str = "support", strategy: str = "round_robin") -> None:
        await self.done(
            "PUT", f"/v1/groups/{group_id}", {"name": group_id.title(), "strategy": strategy}
        )

    async def agent(self, agent_id: str, **profile: Any) -> Any:
        body = {"name": agent_id.title(), "groups": ["support"], "presence": "online"} | profile
        return await self.done("PUT", f"/v1/agents/{agent_id}", body)

    async def rules(self, *rules: dict[str, Any], default: str | None = "support") -> None:
        await self.done(
            "PUT", "/v1/routing/rules", {"rules": list(rules), "default_group": default}
        )

    async def ready(self, *agents: str, strategy: str = "round_robin", **profile: Any) -> None:
        """One group that gets every ticket, and these agents online in it."""
        await self.group(strategy=strategy)
        await self.rules()
        for agent in agents:
            await self.agent(agent, **profile)

    async def imported(self, *lines: dict[str, Any] | bytes) -> list[dict[str, Any]]:
        body = b"\n".join(
            line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines
        )
        answer = await self.ask(
            "POST", "/v1/routing/import/batch", body, content_type="application/x-ndjson"
        )
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]

    # What can be seen.

    async def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        pool = await self.store.pool()
        async with pool.connection() as connection:
            cursor = await connection.execute(query, parameters)
            return await cursor.fetchall() if cursor.description else []

    def events_stored(self) -> int:
        row = self.store.transact(
            lambda tx: tx.cursor.execute("SELECT count(*) AS n FROM routing_events").fetchone()
        )
        return int(row["n"]) if row else 0

    async def holder(self, ticket_id: UUID) -> str | None:
        (row,) = await self.rows("SELECT agent_id FROM tickets WHERE ticket_id = %s", ticket_id)
        return row["agent_id"]

    async def events(self, stream_id: UUID) -> list[Event]:
        return await asyncio.to_thread(self.store.history, stream_id)

    async def names(self, stream_id: UUID) -> list[str]:
        return [type(event).__name__ for event in await self.events(stream_id)]

    async def check(self) -> None:
        """Loads and lanes are what the tickets say."""
        wrong = await self.rows(
            "SELECT a.agent_id, a.load, sum(t.units) FROM agents a LEFT JOIN tickets t"
            " ON a.agent_id IN (t.agent_id, t.offered_to) AND t.category IN ('new', 'open', 'answered')"
            " AND NOT t.is_held GROUP BY a.agent_id HAVING a.load <> coalesce(sum(t.units), 0)"
        )
        assert not wrong
        wrong = await self.rows(
            "SELECT l.lane, l.waiting, count(t.ticket_id) FROM lanes l"
            " LEFT JOIN tickets t ON t.lane = l.lane GROUP BY l.lane HAVING l.waiting <> count(t.ticket_id)"
        )
        assert not wrong
        assert not await self.rows(
            "SELECT ticket_id FROM tickets WHERE lane IS NOT NULL AND agent_id IS NOT NULL"
        )


@asynccontextmanager
async def open_office(settings: Settings, issuer: LocalIssuer) -> AsyncIterator[Office]:
    service = build(settings)

    def bring_up() -> None:
        service.store.open()
        service.store.migrate("shared.messaging", "services.routing")

    await asyncio.to_thread(bring_up)
    transport = httpx2.ASGITransport(app=service.api)
    async with httpx2.AsyncClient(transport=transport, base_url="http://routing") as http:
        yield Office(service, http, issuer)
    await service.stop()
