"""The task behind “re-apply the policies”: every ticket with a living clock is matched anew (S10)."""

import asyncio
from typing import Any, Final
from uuid import UUID

import structlog

from services.sla.alarm import Alarm
from services.sla.tickets import states
from services.sla.tickets.judging import Judging
from shared.database import TRANSIENT
from shared.eventstore import EventStore, EventTransaction
from shared.http.origin import Origin
from shared.identifiers import new_id
from shared.operations import Operation, note_in_events

log = structlog.get_logger(__name__)

BATCH: Final = 500
"""Tickets matched in one transaction: their locks keep facts of the same tickets waiting meanwhile."""

SLEEP_SECONDS_MAX: Final = 5.0
"""Another process may have accepted the command and died; how long that may go unnoticed."""

_COLUMNS: Final = (
    "reapplication_id, requested_at, requested_by, tickets_count, changed_count, finished_at"
)


class Reapplication:
    """Works off `reapplications`; how far it came is kept with the work, so it goes on after a crash.

    Past verdicts stand: a breached cycle stays breached, a met one met (S11).
    """

    def __init__(self, *, store: EventStore[Any], judging: Judging) -> None:
        self._store = store
        self._judging = judging
        self._alarm = Alarm()

    async def request(self, origin: Origin) -> dict[str, Any]:
        """Accept the command; the work begins at once."""

        def insert(tx: EventTransaction[Any]) -> dict[str, Any]:
            tx.cursor.execute(
                "INSERT INTO reapplications"  # noqa: S608  # a constant
                " (reapplication_id, requested_at, requested_by, correlation_id)"
                f" VALUES (%s, %s, %s, %s) RETURNING {_COLUMNS}",
                (new_id(), tx.now, origin.actor.id, origin.correlation_id),
            )
            row = tx.cursor.fetchone()
            assert row is not None, "the row was inserted"
            note_in_events(
                tx, Operation.by(origin, "policies.reapply", str(row["reapplication_id"]))
            )
            return dict(row)

        accepted = await asyncio.to_thread(self._store.transact, insert)
        self._alarm.ring()
        return accepted

    async def list(self) -> list[dict[str, Any]]:
        """The latest hundred, newest first, each with how far it is."""

        def read(tx: EventTransaction[Any]) -> list[dict[str, Any]]:
            tx.cursor.execute(
                f"SELECT {_COLUMNS} FROM reapplications"  # noqa: S608  # a constant
                " ORDER BY requested_at DESC LIMIT 100"
            )
            return list(tx.cursor.fetchall())

        return await asyncio.to_thread(self._store.transact, read)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                did_something = await asyncio.to_thread(self.step)
            except TRANSIENT as error:
                log.warning("reapplication_waits", error=type(error).__name__)
                did_something = False
            if not did_something:
                await self._alarm.wait(SLEEP_SECONDS_MAX)

    def step(self) -> bool:
        """One batch; returns whether there was anything to do. Blocks."""
        return self._store.transact(self._step)

    def _step(self, tx: EventTransaction[Any]) -> bool:
        tx.cursor.execute(
            "SELECT reapplication_id, correlation_id, done_up_to FROM reapplications"
            " WHERE finished_at IS NULL ORDER BY requested_at LIMIT 1 FOR UPDATE SKIP LOCKED"
        )
        task = tx.cursor.fetchone()
        if task is None:
            return False
        rows = states.load_after(tx, task["done_up_to"], limit=BATCH)
        matched, changed = self._judging.reapply(tx, rows, correlation_id=task["correlation_id"])
        is_finished = len(rows) < BATCH
        last: UUID = rows[-1].ticket_id if rows else task["done_up_to"]
        tx.cursor.execute(
            "UPDATE reapplications SET done_up_to = %s, finished_at = %s,"
            " tickets_count = tickets_count + %s, changed_count = changed_count + %s"
            " WHERE reapplication_id = %s",
            (last, tx.now if is_finished else None, matched, changed, task["reapplication_id"]),
        )
        if is_finished:
            log.info("policies_reapplied", reapplication_id=str(task["reapplication_id"]))
        return True
