"""The import window: while history streams in, deadlines in the past wait for the line that meets them.

Judging an imported ticket's past deadline between two of its lines would find breaches that the next
line takes back. So such timers are held (`held_due`) until the import is over: announced ends and
silence both count, silence alone after a longer time.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from services.sla.settings import Settings
from shared.database import Transaction

NOTE_EVERY: Final = timedelta(seconds=2)
"""How exactly the last fact is remembered: rarely enough that batches do not queue for the one row."""

RELEASE_MAX: Final = 2_000
"""Timers set free in one transaction."""


class Window(msgspec.Struct, frozen=True):
    """Whether an import was announced, and when its last fact came."""

    is_open: bool
    last_fact_at: datetime | None

    def has_ended(self, settings: Settings, *, now: datetime) -> bool:
        """Whether history may be judged up to now."""
        if self.last_fact_at is None:
            return not self.is_open
        limit = settings.import_abandoned_seconds if self.is_open else settings.import_quiet_seconds
        return now - self.last_fact_at >= timedelta(seconds=limit)


def announce(tx: Transaction, *, is_open: bool, now: datetime) -> None:
    """An import begins or has sent its last line; what is under way still counts as its facts."""
    tx.cursor.execute("UPDATE import_window SET is_open = %s, last_fact_at = %s", (is_open, now))


def note_import(tx: Transaction, *, now: datetime) -> None:
    """A fact of an import was judged just now."""
    tx.cursor.execute(
        "UPDATE import_window SET last_fact_at = %s"
        " WHERE last_fact_at IS NULL OR last_fact_at < %s",
        (now, now - NOTE_EVERY),
    )


def release_held(tx: Transaction, settings: Settings, *, now: datetime) -> int:
    """When the import is over, make its held timers due; returns how many were set free."""
    # Ordered, so that the planner takes the (mostly empty) index and never reads the table for it.
    tx.cursor.execute(
        "SELECT is_open, last_fact_at FROM import_window WHERE (SELECT held_due FROM ticket_states"
        "  WHERE held_due IS NOT NULL ORDER BY held_due LIMIT 1) IS NOT NULL"
    )
    row = tx.cursor.fetchone()
    if row is None or not msgspec.convert(row, Window).has_ended(settings, now=now):
        return 0
    tx.cursor.execute(
        "UPDATE ticket_states AS t SET next_due = t.held_due, held_due = NULL"
        " FROM (SELECT ticket_id FROM ticket_states WHERE held_due IS NOT NULL"
        "       ORDER BY held_due LIMIT %s FOR UPDATE SKIP LOCKED) AS free"
        " WHERE t.ticket_id = free.ticket_id",
        (RELEASE_MAX,),
    )
    return tx.cursor.rowcount
