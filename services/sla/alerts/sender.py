"""The sender: takes alerts out of the outbox and hands them to one sink, until they are delivered or dead."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import structlog

from services.sla.alarm import Alarm
from services.sla.alerts import deliveries
from services.sla.alerts.deliveries import Attempt
from services.sla.alerts.notice import AlertNotice, Notice
from services.sla.alerts.sink import NotDelivered, Sink
from services.sla.settings import Settings
from shared.clock import Clock
from shared.database import TRANSIENT, Database, Transaction
from shared.observability import metrics

log = structlog.get_logger(__name__)
R = TypeVar("R")

SLEEP_SECONDS_MAX: Final = 1.0
"""Another process may have written what is to be sent; how long that may go unnoticed."""

PARALLEL_MAX: Final = 8
"""Requests under way to one sink: a slow receiver costs latency, not throughput."""

REFRESH_RETRY: Final = timedelta(seconds=5)


class Sender:
    """Sends for one sink; one per sink, so a sink that is down delays no other.

    Args:
        store: where the outbox is.
        sink: where to send.
        settings: pauses and limits.
        clock: for due times of attempts.
        spread: gives 0..1 for the jitter of pauses.
    """

    def __init__(
        self,
        *,
        store: Database,
        sink: Sink,
        settings: Settings,
        clock: Clock,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._sink = sink
        self._settings = settings
        self._clock = clock
        self._spread = spread
        self._alarm = Alarm()

    def wake(self) -> None:
        """Something was written to the outbox; from any thread."""
        self._alarm.ring()

    async def run(self) -> None:
        """Send until cancelled. A database that is away is waited for."""
        try:
            while True:
                try:
                    seconds = await self.send_due()
                except TRANSIENT as error:
                    log.warning(
                        "outbox_unreachable", sink=self._sink.name, error=type(error).__name__
                    )
                    seconds = SLEEP_SECONDS_MAX
                if seconds > 0:
                    await self._alarm.wait(seconds)
        finally:
            await self._sink.close()

    async def send_due(self) -> float:
        """Send what is due now; returns after how many seconds to look again (0: at once)."""
        now = self._clock.now()
        count_max = self._sink.batch_max if self._sink.batch_max > 1 else PARALLEL_MAX
        notices = await self._in_transaction(
            lambda tx: deliveries.claim(
                tx,
                self._sink,
                now=now,
                per_minute_max=self._settings.alerts_per_minute_max,
                count_max=count_max,
            )
        )
        if notices:
            await self._send_all(notices)
            return 0.0
        refreshed = await self._refresh(now) if self._sink.refresh_every else 0
        if refreshed:
            return 0.0
        moment, waiting = await self._in_transaction(
            lambda tx: (
                deliveries.next_moment(tx, self._sink),
                deliveries.waiting_count(tx, self._sink),
            )
        )
        metrics.SLA_ALERTS_WAITING.labels(self._sink.name).set(waiting)
        if moment is None:
            return SLEEP_SECONDS_MAX
        # Never less than a little: what waits for the storm's minute is due already.
        return min(max((moment - self._clock.now()).total_seconds(), 0.05), SLEEP_SECONDS_MAX)

    async def _send_all(self, notices: Sequence[Notice]) -> None:
        size = self._sink.batch_max
        groups = [notices[start : start + size] for start in range(0, len(notices), size)]
        attempts = [
            attempt
            for made in await asyncio.gather(*(self._attempt(group) for group in groups))
            for attempt in made
        ]
        now = self._clock.now()
        await self._in_transaction(lambda tx: deliveries.settle(tx, self._sink, attempts, now=now))
        self._count(notices, attempts, now)

    async def _attempt(self, notices: Sequence[Notice]) -> list[Attempt]:
        attempted_at, began = self._clock.now(), time.perf_counter()
        failure: NotDelivered | None = None
        status: int | None = None
        try:
            status = await self._sink.send(notices)
        except NotDelivered as error:
            failure, status = error, error.http_status
            log.warning("alert_not_delivered", sink=self._sink.name, reason=error.reason)
        except Exception as error:
            # One notice that trips over our own mistake must not stop all the others: it is loud
            # in the log, retried like any other, and dead in the end.
            log.exception("alert_not_sendable", sink=self._sink.name)
            failure = NotDelivered(f"unexpected {type(error).__name__}")
        seconds = time.perf_counter() - began
        return [
            Attempt(
                delivery_id=notice.delivery_id,
                attempt=notice.attempt,
                attempted_at=attempted_at,
                seconds=seconds,
                http_status=status,
                error=failure.reason if failure else None,
                retry_at=self._retry_at(failure, notice.attempt) if failure else None,
            )
            for notice in notices
        ]

    def _retry_at(self, failure: NotDelivered, attempt: int) -> datetime | None:
        """When to try again: doubling pauses with jitter, or what the receiver asks for; None: given up."""
        if failure.is_final or attempt >= self._settings.alert_attempts_max:
            return None
        pause = min(
            self._settings.alert_pause_seconds * 2 ** (attempt - 1),
            self._settings.alert_pause_seconds_max,
        )
        # Between the half and the whole: many that failed together do not come back together.
        pause *= 0.5 + self._spread() / 2
        pause = max(pause, failure.retry_after_seconds or 0.0)
        return self._clock.now() + timedelta(seconds=pause)

    async def _refresh(self, now: datetime) -> int:
        """Say open alerts again to a receiver that forgets; returns how many."""
        notices = await self._in_transaction(
            lambda tx: deliveries.claim_refresh(tx, self._sink, now=now)
        )
        if not notices:
            return 0
        try:
            await self._sink.send(notices)
        except NotDelivered as error:
            log.warning("alerts_not_refreshed", sink=self._sink.name, reason=error.reason)
            ids = [notice.delivery_id for notice in notices]
            again = self._clock.now() + REFRESH_RETRY
            await self._in_transaction(lambda tx: deliveries.retry_refresh(tx, ids, at=again))
        return len(notices)

    def _count(self, notices: Sequence[Notice], attempts: Sequence[Attempt], now: datetime) -> None:
        for attempt in attempts:
            outcome = (
                "delivered" if attempt.error is None else "retried" if attempt.retry_at else "dead"
            )
            metrics.SLA_ALERTS.labels(self._sink.name, outcome).inc()
            if outcome == "dead":
                log.error(
                    "alert_dead",
                    sink=self._sink.name,
                    delivery_id=str(attempt.delivery_id),
                    reason=attempt.error,
                )
        sent = {attempt.delivery_id for attempt in attempts if attempt.error is None}
        for notice in notices:
            if isinstance(notice, AlertNotice) and notice.delivery_id in sent:
                delay = (now - notice.alert.detected_at).total_seconds()
                metrics.SLA_ALERT_DELAY_SECONDS.labels(self._sink.name).observe(max(delay, 0.0))

    async def _in_transaction(self, work: Callable[[Any], R]) -> R:
        def run(tx: Transaction) -> R:
            return work(tx)

        return await asyncio.to_thread(self._store.transact, run)
