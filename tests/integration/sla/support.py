"""Builders of what happens to tickets, and a desk that feeds it to the service's own verbs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from services.sla.alerts.sink import Sink
from services.sla.promises import define
from services.sla.promises.books import Books
from services.sla.settings import Settings
from services.sla.tickets.judging import Judging
from shared.events import base, sla, tickets
from shared.events.base import Actor, ActorKind, Channel, Event, Owner, Priority, StatusCategory
from shared.events.tickets import Person
from shared.eventstore import EventStore
from shared.http.origin import Origin
from shared.identifiers import new_id
from shared.messaging import Received
from shared.security import Principal, Role
from shared.topics import topic_of
from tests.support.database import Database, empty

MIGRATIONS = ("services.sla",)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

ANNA = Actor(kind=ActorKind.AGENT, id="anna")
CARL = Actor(kind=ActorKind.CUSTOMER, id="carl")

TABLES = (
    "delivery_attempts",
    "deliveries",
    "alerts",
    "sink_versions",
    "ticket_states",
    "oncall_contacts",
    "rota_feeds",
    "rota_overrides",
    "rota_versions",
    "rotas",
    "policy_versions",
    "calendar_versions",
    "recalculations",
    "second_verdicts",
    "judgements",
    "reapplications",
    "claims",
    "consumer_positions",
    "stream_versions",
    "held_events",
    "parked_events",
    "sla_events",
)


class HandClock:
    """A clock that the test moves."""

    def __init__(self, now: datetime = NOON) -> None:
        self.moment = now

    def now(self) -> datetime:
        return self.moment

    def forward(self, **by: float) -> None:
        self.moment += timedelta(**by)


def make_settings(database: Database, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "database_url": database.url("sla"),
        "kafka_bootstrap_servers": "127.0.0.1:1",
        "timer_lateness_seconds": 0.0,
        "alert_private_addresses_allowed": True,
        "alert_pause_seconds": 0.01,
    }
    return Settings(**values | changes)


def open_store(settings: Settings) -> EventStore[Any]:
    store: EventStore[Any] = EventStore(settings, owner=Owner.SLA)
    store.open()
    return store


def clean(connection: psycopg.Connection[Any]) -> None:
    empty(connection, TABLES)
    connection.execute("UPDATE rulebook SET revision = revision + 1")
    connection.execute("UPDATE import_window SET is_open = false, last_fact_at = NULL")


def a_policy(**changes: Any) -> dict[str, Any]:
    """First reply within an hour, resolution within eight, around the clock; no warnings."""
    return {
        "name": "standard",
        "targets": [
            {"metric": "first_reply", "seconds": 3_600},
            {"metric": "resolution", "seconds": 28_800},
        ],
        "warnings": [],
    } | changes


class Story:
    """What happens to one ticket, event after event, as intake would publish it."""

    def __init__(self, *, via: Channel = Channel.EMAIL, number: int = 42) -> None:
        self.ticket_id = new_id()
        self.via = via
        self.number = number
        self.version = 0

    def opened(
        self, at: datetime, *, priority: Priority = Priority.NORMAL, **changes: Any
    ) -> tickets.TicketOpened:
        return tickets.TicketOpened(
            **self._stamp(at, CARL),
            **{
                "number": self.number,
                "subject": "printer on fire",
                "message_id": new_id(),
                "body": "help",
                "requester": Person(id="carl"),
                "priority": priority,
                "category": StatusCategory.NEW,
            }
            | changes,
        )

    def agent_replied(self, at: datetime) -> tickets.AgentReplied:
        return tickets.AgentReplied(**self._stamp(at, ANNA), message_id=new_id(), body="hello")

    def customer_replied(self, at: datetime) -> tickets.CustomerReplied:
        return tickets.CustomerReplied(**self._stamp(at, CARL), message_id=new_id(), body="well?")

    def priority(self, at: datetime, priority: Priority) -> tickets.PriorityChanged:
        return tickets.PriorityChanged(
            **self._stamp(at, ANNA), priority=priority, previous=Priority.NORMAL
        )

    def status(self, at: datetime, category: StatusCategory) -> tickets.StatusChanged:
        return tickets.StatusChanged(
            **self._stamp(at, ANNA), category=category, previous_category=StatusCategory.OPEN
        )

    def resolved(self, at: datetime) -> tickets.TicketResolved:
        return tickets.TicketResolved(
            **self._stamp(at, ANNA),
            summary="done",
            previous_category=StatusCategory.OPEN,
            resolution_count=1,
        )

    def _stamp(self, at: datetime, actor: Actor) -> dict[str, Any]:
        self.version += 1
        return {
            **base.Stamp(
                version=self.version,
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                via=self.via,
                correlation_id="c-1",
                causation_id=None,
            ),
            "ticket_id": self.ticket_id,
        }


def received(*events: Event) -> list[Received]:
    return [
        Received(topic_of(event.wire_type), 0, offset, event, b"")
        for offset, event in enumerate(events)
    ]


class Desk:
    """One process's judging, without Kafka: the verbs on a real store."""

    def __init__(
        self, store: EventStore[Any], settings: Settings, sinks: Sequence[Sink] = ()
    ) -> None:
        self.store = store
        self.settings = settings
        self.judging = Judging(books=Books(), sinks=sinks)

    def policy(self, policy_id: str = "standard", **changes: Any) -> None:
        document = a_policy(**changes)
        self.store.transact(
            lambda tx: define.define_policy(tx, policy_id, document, origin=ADMIN_ORIGIN)
        )

    def calendar(self, calendar_id: str, **document: Any) -> None:
        self.store.transact(
            lambda tx: define.define_calendar(tx, calendar_id, document, origin=ADMIN_ORIGIN)
        )

    def hear(self, *events: Event) -> None:
        self.store.transact(lambda tx: self.judging.take(tx, received(*events)))

    def time_is(self, horizon: datetime, *, limit: int = 1_000) -> int:
        return self.store.transact(lambda tx: self.judging.let_time_speak(tx, horizon, limit=limit))

    def review(
        self, ticket_id: UUID, metric: str, cycle: int, *, stands: bool, note: str | None = None
    ) -> None:
        self.store.transact(
            lambda tx: self.judging.review(
                tx, ticket_id, metric, cycle, stands=stands, note=note, origin=ADMIN_ORIGIN
            )
        )

    def told(self, ticket_id: UUID) -> list[Event]:
        return self.store.history(ticket_id)

    def breaches(self, ticket_id: UUID) -> list[sla.SlaBreached]:
        return [event for event in self.told(ticket_id) if isinstance(event, sla.SlaBreached)]


ADMIN = Principal(id="root", role=Role.ADMIN)
ADMIN_ORIGIN = Origin(actor=ADMIN.actor, via=Channel.API, correlation_id="c-0", principal=ADMIN)
