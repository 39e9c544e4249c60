"""The task behind a changed calendar: walks over open tickets and moves their clocks (S12)."""

import asyncio
from typing import Any, Final

import structlog

from services.sla.alarm import Alarm
from services.sla.tickets import states
from services.sla.tickets.judging import Judging
from shared.database import TRANSIENT
from shared.eventstore import EventStore, EventTransaction

log = structlog.get_logger(__name__)

BATCH: Final = 500
"""Tickets moved in one transaction: their locks keep facts of the same tickets waiting meanwhile."""

SLEEP_SECONDS_MAX: Final = 5.0
"""Another process may have accepted the calendar and died; how long that may go unnoticed."""


class Recalculation:
    """Works off `recalculations`; how far it came is kept with the work, so it goes on after a crash."""

    def __init__(self, *, store: EventStore[Any], judging: Judging) -> None:
        self._store = store
        self._judging = judging
        self._alarm = Alarm()

    def wake(self) -> None:
        """A calendar has a new version; from any thread."""
        self._alarm.ring()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                did_something = await asyncio.to_thread(self.step)
            except TRANSIENT as error:
                log.warning("recalculation_waits", error=type(error).__name__)
                did_something = False
            if not did_something:
                await self._alarm.wait(SLEEP_SECONDS_MAX)

    def step(self) -> bool:
        """One batch; returns whether there was anything to do. Blocks."""
        return self._store.transact(self._step)

    def _step(self, tx: EventTransaction[Any]) -> bool:
        tx.cursor.execute(
            "SELECT calendar_id, version, done_up_to FROM recalculations"
            " WHERE finished_at IS NULL ORDER BY requested_at LIMIT 1 FOR UPDATE SKIP LOCKED"
        )
        task = tx.cursor.fetchone()
        if task is None:
            return False
        rows = states.load_open_after(tx, task["done_up_to"], limit=BATCH)
        name = f"calendar:{task['calendar_id']}:{task['version']}"
        self._judging.recalculate(tx, task["calendar_id"], rows, correlation_id=name)
        is_finished = len(rows) < BATCH
        tx.cursor.execute(
            "UPDATE recalculations SET done_up_to = %s, finished_at = %s"
            " WHERE calendar_id = %s AND version = %s",
            (
                rows[-1].ticket_id if rows else task["done_up_to"],
                tx.now if is_finished else None,
                task["calendar_id"],
                task["version"],
            ),
        )
        if is_finished:
            log.info("calendar_recalculated", calendar_id=task["calendar_id"])
        return True
