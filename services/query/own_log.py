"""What this service knows first: who read, exported, or changed who is mailed. No projection: sealed like events."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg
from fastapi import Request
from psycopg.rows import DictRow

from shared.events import Actor
from shared.http.origin import Origin
from shared.identifiers import new_id
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


class SubscriptionChanged(Record, frozen=True, kw_only=True, tag="report_subscription.changed.v1"):
    """Reports go to others by mail, or in another way, or no longer. `changes`: field → old and new value."""

    subscription_id: str
    changes: dict[str, tuple[Any, Any]]


TYPES: Final = tuple(
    str(kind.__struct_config__.tag) for kind in (Read, ExportTaken, SubscriptionChanged)
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


async def append(connection: psycopg.AsyncConnection[DictRow], *records: Record) -> None:
    """Add records, in the caller's transaction.

    Raises:
        psycopg.Error: the database is away, or will not take them.
    """
    # Insert order is commit order, as in an event table: the sealer follows it.
    await connection.execute(f"LOCK TABLE {TABLE} IN EXCLUSIVE MODE")
    async with connection.cursor() as cursor:
        await cursor.executemany(
            f"INSERT INTO {TABLE} (originator_id, originator_version, topic, state, ticket_id, recorded_at, actor_id)"  # noqa: S608  # a constant
            " VALUES (%s, 1, %s, %b, %s, %s, %s)",
            [
                (
                    *(new_id(), record.__struct_config__.tag, msgspec.json.encode(record)),
                    *(getattr(record, "ticket_id", None), record.recorded_at, record.actor.id),
                )
                for record in records
            ],
        )
