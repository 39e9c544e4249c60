"""The sender: takes alerts out of the outbox and hands them to one sink, until they are delivered or dead."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import structlog

from services.sla.alarm import Alarm
from services.sla.alerts import deliveries
from services.sla.alerts.breaker import Breaker, State
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
        per_minute_max: single alerts a minute; None: the installation's.
    """

    def __init__(
        self,
        *,
        store: Database,
        sink: Sink,
        settings: Settings,
        clock: Clock,
        spread: Callable[[], float] = random.random,
        per_minute_max: int | None = None,
    ) -> None:
        self._store = store
        self._sink = sink
        self._settings = settings
        self._clock = clock
        self._spread = spread
        self._per_minute_max = per_minute_max or settings.alerts_per_minute_max
        self._breaker = Breaker()
        self._alarm = Alarm()
        self._is_stopping = False

    @property
    def breaker_state(self) -> State:
        """Whether the receiver is being spared right now."""
        return self._breaker.state(self._clock.now())

    def stop(self) -> None:
        """End `run` after what is under way: cut off, it would be said a second time later."""
        self._is_stopping = True
        self._alarm.ring()

    def wake(self) -> None:
        """Something was written to the outbox; from any thread."""
        self._alarm.ring()

    async def run(self) -> None:
        """Send until stopped or cancelled. A database that is away is waited for."""
        try:
            while not self._is_stopping:
                try:
                    seconds = await self.send_due()
                except TRANSIENT as error:
                    log.warning(
                        "outbox_unreachable", sink=self._sink.name, error=type(error).__name__
                    )
                    seconds = SLEEP_SECONDS_MAX
                if seconds > 0 and not self._is_stopping:
                    await self._alarm.wait(seconds)
        finally:
            await self._sink.close()

    async def send_due(self) -> float:
        """Send what is due now; returns after how many seconds to look again (0: at once)."""
        now = self._clock.now()
        state = self._breaker.state(now)
        metrics.SLA_ALERT_BREAKER_STATE.labels(self._sink.name).set(state)
        if state is State.OPEN:
            await self._count_waiting()
            opens_at = self._breaker.opens_at(now)
            assert opens_at is not None, "an open breaker knows for how long"
            return min(max((opens_at - now).total_seconds(), 0.05), SLEEP_SECONDS_MAX)
        count_max = self._sink.batch_max if self._sink.batch_max > 1 else PARALLEL_MAX
        if state is State.HALF_OPEN:
            count_max = 1
        notices = await self._in_transaction(
            lambda tx: deliveries.claim(
                tx,
                self._sink,
                now=now,
                per_minute_max=self._per_minute_max,
                count_max=count_max,
            )
        )
        if notices:
            await self._send_all(notices)
            return 0.0
        refreshed = await self._refresh(now) if self._sink.refresh_every else 0
        if refreshed:
            return 0.0
        moment = await self._count_waiting()
        if moment is None:
            return SLEEP_SECONDS_MAX
        # Never less than a little: what waits for the storm's minute is due already.
        return min(max((moment - self._clock.now()).total_seconds(), 0.05), SLEEP_SECONDS_MAX)

    async def _count_waiting(self) -> datetime | None:
        """Show what waits and what is dead; returns when there will be something to do."""
        moment, counts = await self._in_transaction(
            lambda tx: (
                deliveries.next_moment(tx, self._sink),
                deliveries.counts(tx, self._sink.name),
            )
        )
        metrics.SLA_ALERTS_WAITING.labels(self._sink.name).set(counts.waiting)
        metrics.SLA_ALERTS_DEAD.labels(self._sink.name).set(counts.dead)
        return moment

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
        receipt: Mapping[str, str] | None = None
        try:
            sent = await self._sink.send(notices)
            status, receipt = sent.http_status, sent.receipt
        except NotDelivered as error:
            failure, status = error, error.http_status
            log.warning("alert_not_delivered", sink=self._sink.name, reason=error.reason)
        except Exception as error:
            # One notice that trips over our own mistake must not stop all the others: it is loud
            # in the log, retried like any other, and dead in the end.
            log.exception("alert_not_sendable", sink=self._sink.name)
            failure = NotDelivered(f"unexpected {type(error).__name__}")
        self._tell_breaker(failure)
        seconds = time.perf_counter() - began
        return [
            Attempt(
                delivery_id=notice.delivery_id,
                attempt=notice.attempt,
                attempted_at=attempted_at,
                seconds=seconds,
                http_status=status,
                error=failure.reason if failure else None,
                retry_at=self._retry_at(failure, notice.attempt - notice.forgiven)
                if failure
                else None,
                receipt=receipt,
            )
            for notice in notices
        ]

    def _tell_breaker(self, failure: NotDelivered | None) -> None:
        if failure is None or failure.is_final:
            self._breaker.succeeded()
        else:
            self._breaker.failed(self._clock.now(), retry_after_seconds=failure.retry_after_seconds)

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
            self._tell_breaker(None)
        except NotDelivered as error:
            self._tell_breaker(error)
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
