"""Where a conversation of another system stands: the ticket that its next message belongs to."""

from datetime import datetime
from uuid import UUID

import msgspec

from services.intake.domain import Ticket
from shared.database import Transaction
from shared.identifiers import derived_id


class Thread(msgspec.Struct, frozen=True):
    """A conversation. `heard_at`: when the customer last wrote or called (aware UTC)."""

    ticket_id: UUID
    heard_at: datetime


def find(tx: Transaction, source: str, thread: str) -> Thread | None:
    """The conversation, nobody else deciding about it until this transaction ends.

    Two processes that hear of it at once would open two tickets; a row that is not there yet cannot be locked.
    """
    id_ = _id(source, thread)
    tx.cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 35))", (str(id_),))
    tx.cursor.execute("SELECT ticket_id, heard_at FROM channel_threads WHERE id = %s", (id_,))
    row = tx.cursor.fetchone()
    return None if row is None else Thread(row["ticket_id"], row["heard_at"])


def put(tx: Transaction, source: str, thread: str, ticket: Ticket, *, heard_at: datetime) -> None:
    """From now on it belongs to this ticket."""
    tx.cursor.execute(
        "INSERT INTO channel_threads (id, source, thread, ticket_id, number, heard_at, recorded_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET"
        " ticket_id = excluded.ticket_id, number = excluded.number,"
        " heard_at = greatest(excluded.heard_at, channel_threads.heard_at)",
        (_id(source, thread), source, thread, ticket.id, ticket.number, heard_at, tx.now),
    )


def _id(source: str, thread: str) -> UUID:
    return derived_id("thread", source, thread)
