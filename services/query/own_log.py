"""What this service knows first: who read, exported, or changed who is mailed. No projection: sealed like events."""

from datetime import UTC, datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec
import psycopg
from fastapi import Request
from psycopg.rows import DictRow

from shared.database import Transaction
from shared.events import Actor, ActorKind, Channel
from shared.http.origin import Origin
from shared.identifiers import new_id
from shared.observability.correlation import current_correlation_id, new_correlation_id
from shared.operations import Operation
from shared.security import Principal

TABLE: Final = "reads"
"""Named after what it held first."""


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """What all records say, as they are stored and sealed."""

    actor: Actor
    via: str
    correlation_id: str
    recorded_at: datetime


class Read(Record, frozen=True, kw_only=True, tag="ticket.read.v1"):
    """One reading of a sensitive ticket. `reasons`: `internal`, `tag:vip`, `type:hr`, `field:iban`."""

    ticket_id: UUID
    number: int
    ticket_version: int
    reasons: tuple[str, ...]
    path: str


class ExportTaken(Record, frozen=True, kw_only=True, tag="export.taken.v1"):
    """Somebody was given one page of an export. `start`: `the beginning`, or `a cursor` of the page before."""

    entity: str
    format: str
    start: str
    limit: int
    fields: tuple[str, ...] = ()


class OperationNoted(Record, frozen=True, kw_only=True, tag="query_operation.recorded.v1"):
    """What an operator did to this service; the fields are those of `shared.events.operations`."""

    what: str
    about: str
    ticket_id: UUID | None = None
    changes: dict[str, tuple[Any, Any]] = {}
    count: int = 1


class SubscriptionChanged(Record, frozen=True, kw_only=True, tag="report_subscription.changed.v1"):
    """Reports go to others by mail, or in another way, or no longer. `changes`: field → old and new value."""

    subscription_id: str
    changes: dict[str, tuple[Any, Any]]


TYPES: Final = tuple(
    str(kind.__struct_config__.tag)
    for kind in (Read, ExportTaken, OperationNoted, SubscriptionChanged)
)


def stamp(request: Request, principal: Principal) -> dict[str, Any]:
    """Who asks, from where, in which correlation, and that it is now."""
    origin = Origin.of(request, principal)
    return {
        "actor": origin.actor,
        "via": origin.via.value,
        "correlation_id": origin.correlation_id,
        "recorded_at": datetime.now(UTC),
    }


def stamp_of(recipient: str, ip: str | None) -> dict[str, Any]:
    """The same for whoever has the link in a mail to this address."""
    return {
        "actor": Actor(ActorKind.CUSTOMER, f"mailto:{recipient}", ip=ip),
        "via": Channel.EMAIL.value,
        "correlation_id": current_correlation_id() or new_correlation_id(),
        "recorded_at": datetime.now(UTC),
    }


# Insert order is commit order, as in an event table: the sealer follows it.
_LOCK: Final[LiteralString] = f"LOCK TABLE {TABLE} IN EXCLUSIVE MODE"
_INSERT: Final[LiteralString] = (
    f"INSERT INTO {TABLE} (originator_id, originator_version, topic, state, ticket_id, recorded_at, actor_id)"  # noqa: S608  # a constant
    " VALUES (%s, 1, %s, %b, %s, %s, %s)"
)


async def append(connection: psycopg.AsyncConnection[DictRow], *records: Record) -> None:
    """Add records, in the caller's transaction.

    Raises:
        psycopg.Error: the database is away, or will not take them.
    """
    await connection.execute(_LOCK)
    async with connection.cursor() as cursor:
        await cursor.executemany(_INSERT, [_row(record) for record in records])


def note_operation(tx: Transaction, done: Operation) -> None:
    """Add what an operator did, in the given transaction."""
    record = OperationNoted(recorded_at=tx.now, **msgspec.structs.asdict(done))
    tx.cursor.execute(_LOCK)
    tx.cursor.execute(_INSERT, _row(record))


def _row(record: Record) -> tuple[Any, ...]:
    return (
        *(new_id(), record.__struct_config__.tag, msgspec.json.encode(record)),
        *(getattr(record, "ticket_id", None), record.recorded_at, record.actor.id),
    )
