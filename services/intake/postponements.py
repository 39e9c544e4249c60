"""Tickets that wait for a moment: the table that survives a restart, and the bell that says it has changed."""

import asyncio
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from psycopg.sql import SQL, Identifier

from shared.database import Transaction

ENDED_TOGETHER_MAX: Final = 500
"""Postponements that end in one transaction; Monday at nine has many, and the writer must not wait for all."""


class Due(msgspec.Struct, frozen=True):
    """A postponement whose moment has come."""

    ticket_id: UUID
    until: datetime


class Postponements:
    """A table of moments, written in the transaction of the event that it follows from.

    Args:
        table: `postponements`, or another one of the same form.

    Attributes:
        changed: set after a commit that postponed something; the timer waits for it.
    """

    def __init__(self, table: str = "postponements") -> None:
        self.changed = asyncio.Event()
        name = Identifier(table)
        self._delete = SQL("DELETE FROM {} WHERE ticket_id = %s").format(name)
        self._upsert = SQL(
            "INSERT INTO {} (ticket_id, until) VALUES (%s, %s)"
            " ON CONFLICT (ticket_id) DO UPDATE SET until = excluded.until"
        ).format(name)
        self._due = SQL(
            "SELECT ticket_id, until FROM {} WHERE until <= %s"
            " ORDER BY until LIMIT %s FOR UPDATE SKIP LOCKED"
        ).format(name)
        self._next = SQL("SELECT min(until) AS until FROM {}").format(name)

    def note(self, tx: Transaction, ticket_id: UUID, until: datetime | None) -> None:
        """The ticket now waits until then, or (`None`) no longer."""
        if until is None:
            tx.cursor.execute(self._delete, (ticket_id,))
        else:
            tx.cursor.execute(self._upsert, (ticket_id, until))

    def due(self, tx: Transaction) -> list[Due]:
        """Those whose moment has come, earliest first, without those that another process is ending."""
        tx.cursor.execute(self._due, (tx.now, ENDED_TOGETHER_MAX))
        return [Due(row["ticket_id"], row["until"]) for row in tx.cursor.fetchall()]

    def next_moment(self, tx: Transaction) -> datetime | None:
        """When the next one ends that is not over yet."""
        tx.cursor.execute(self._next)
        row = tx.cursor.fetchone()
        return row["until"] if row else None
