"""The entrance of time: sleeps until the earliest deadline of all tickets, and fires what is due.

The index of timers is the table itself (S23); nothing is kept in memory but the next moment. Several
processes may run this: rows one of them works on are passed over by the others, and a timer is moved
in the transaction that stores its events, so none fires twice (S25).

Deadlines go before everything else here: they are fired by a thread of their own, never behind the
reads, batches and evaluations that share the loop's threads.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import structlog

from services.sla.alarm import Alarm
from services.sla.settings import Settings
from services.sla.tickets import imports, states
from services.sla.tickets.judging import Judging
from shared.clock import Clock
from shared.database import TRANSIENT, Transaction
from shared.eventstore import EventStore
from shared.http.health import HealthState
from shared.observability import metrics

log = structlog.get_logger(__name__)

CONDITION: Final = "timers"
"""The named condition of `/readyz`: bad until everything overdue at the start was fired (S24, S27)."""

_PAUSE_SECONDS_MIN: Final = 0.02
"""A due timer that another process holds is looked at again after this, not in a tight loop."""

_CATCH_UP_CHECK_SECONDS: Final = 0.2
_OVERDUE_AFTER: Final = timedelta(seconds=1)
_OVERDUE_COUNT_MAX: Final = 10_000
"""Counted no further: an alert rule looks whether there are any, and the counting delays the firing."""
_COUNT_EVERY_SECONDS: Final = 30.0


class Pass(msgspec.Struct, frozen=True):
    """What one pass did: how many tickets' timers fired, and when the next one is due."""

    fired: int
    released: int
    next_due: datetime | None


class Timers:
    """Fires deadlines and warnings.

    Args:
        store: the tickets and the events.
        judging: the one command that decides a breach (S26).
        settings: lateness, batch size, pauses.
        clock: tells now.
        health: told when the first pass is through.
        after_commit: called after each pass that fired something.
        is_caught_up: whether the replies that were waiting when we started have been judged; asked
            only in the beginning, and not for long.
    """

    def __init__(
        self,
        *,
        store: EventStore[Any],
        judging: Judging,
        settings: Settings,
        clock: Clock,
        health: HealthState,
        after_commit: Callable[[], None] = lambda: None,
        is_caught_up: Callable[[], bool] = lambda: True,
    ) -> None:
        self._store = store
        self._judging = judging
        self._settings = settings
        self._clock = clock
        self._health = health
        self._after_commit = after_commit
        self._is_caught_up = is_caught_up
        self._alarm = Alarm()
        self._lateness = timedelta(seconds=settings.timer_lateness_seconds)

    def wake(self) -> None:
        """Timers may have changed: look again for the earliest; from any thread."""
        self._alarm.ring()

    async def run(self) -> None:
        """Fire until cancelled. A database that is away is waited for."""
        self._health.set(CONDITION, ok=False, detail="overdue timers are not fired yet")
        await self._catch_up()
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="timers")
        try:
            await self._fire(thread)
        finally:
            thread.shutdown(wait=False)

    async def _fire(self, thread: Executor) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                done = await loop.run_in_executor(thread, self.fire_due)
            except TRANSIENT as error:
                log.warning("timers_cannot_fire", error=type(error).__name__)
                await self._alarm.wait(self._settings.timer_recheck_seconds_max)
                continue
            if done.fired or done.released:
                self._after_commit()
            if done.fired < self._settings.timer_batch_max and not done.released:
                self._health.set(CONDITION, ok=True)
                await self._alarm.wait(self._pause(done.next_due))

    def fire_due(self) -> Pass:
        """One transaction: fire what is due now, at most one batch. Blocks."""

        def work(tx: Transaction) -> Pass:
            now = self._clock.now()
            released = imports.release_held(tx, self._settings, now=now)
            fired = self._judging.let_time_speak(
                tx,  # type: ignore[arg-type]  # an event store's transaction is an EventTransaction
                now - self._lateness,
                limit=self._settings.timer_batch_max,
            )
            earliest = states.earliest_due(tx)
            self._count_overdue(tx, earliest, now)
            return Pass(fired, released, earliest)

        return self._store.transact(work)

    async def watch(self) -> None:
        """Count the open and the overdue timers now and then, for the metrics."""
        while True:
            try:
                await asyncio.to_thread(self._store.transact, self.count)
            except TRANSIENT as error:
                log.warning("timers_not_counted", error=type(error).__name__)
            await asyncio.sleep(_COUNT_EVERY_SECONDS)

    def count(self, tx: Transaction) -> None:
        """Set the metrics; also those of lateness, for a thread that fires nothing says nothing (S27)."""
        metrics.SLA_TIMERS_OPEN.set(states.count_timers(tx))
        self._count_overdue(tx, states.earliest_due(tx), self._clock.now())

    async def _catch_up(self) -> None:
        """Let replies that waited in Kafka while we were down be judged first: they happened in time."""
        deadline = self._clock.now() + timedelta(seconds=self._settings.timer_catch_up_seconds_max)
        while not self._is_caught_up() and self._clock.now() < deadline:
            await self._alarm.wait(_CATCH_UP_CHECK_SECONDS)

    def _pause(self, next_due: datetime | None) -> float:
        longest = self._settings.timer_recheck_seconds_max
        if next_due is None:
            return longest
        until = (next_due + self._lateness - self._clock.now()).total_seconds()
        return min(max(until, _PAUSE_SECONDS_MIN), longest)

    def _count_overdue(self, tx: Transaction, earliest: datetime | None, now: datetime) -> None:
        horizon = now - self._lateness - _OVERDUE_AFTER
        is_late = earliest is not None and earliest <= horizon
        count = states.count_due(tx, horizon, limit=_OVERDUE_COUNT_MAX) if is_late else 0
        metrics.SLA_TIMERS_OVERDUE.set(count)
        lag = (now - self._lateness - earliest).total_seconds() if earliest is not None else 0.0
        metrics.SLA_TIMER_LAG_SECONDS.set(max(lag, 0.0))
