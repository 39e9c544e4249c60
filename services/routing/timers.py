"""Time speaks: the safety sweep of the queue, and the watch over heartbeat leases."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
import structlog
from redis.exceptions import RedisError

from services.routing.app.alarm import Alarm
from services.routing.app.deciding import Deciding
from services.routing.app.progress import Progress
from services.routing.presence import Leases
from services.routing.settings import Settings
from shared.eventstore import EventStore
from shared.http.health import HealthState

log = structlog.get_logger(__name__)

_DEGRADED: Final = "heartbeats are not watched; what agents said about themselves holds"


class Sweeper:
    """Serves the queue again when it was cut short, when a rate limit allows more, and every `sweep_seconds` (R2).

    Args:
        store: where it works.
        deciding: what it does.
        nudges: moved when there is more to place at once.
        alarm: knows when a rate limit will let something go on.
        sweep_seconds: period of the safety net.
        now: the clock.
    """

    def __init__(
        self,
        *,
        store: EventStore[Any],
        deciding: Deciding,
        nudges: Progress,
        alarm: Alarm,
        sweep_seconds: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._deciding = deciding
        self._nudges = nudges
        self._alarm = alarm
        self._sweep_seconds = sweep_seconds
        self._now = now

    async def run(self) -> None:
        """Sweep for ever."""
        while True:
            seen = self._nudges.count
            more = False
            self._alarm.clear()
            try:
                more = await asyncio.to_thread(self._store.transact, self._deciding.sweep)
            except psycopg.Error as error:
                # The next round tries again; readiness already says that PostgreSQL is away.
                log.warning("sweep_failed", error=type(error).__name__, exc_info=True)
            if not more:
                seconds = self._alarm.sleep_seconds(self._now(), at_most=self._sweep_seconds)
                await self._nudges.past(seen, seconds)


class LeaseWatch:
    """Turns agents offline whose heartbeats stopped (R15).

    Args:
        store: where it works.
        deciding: what it does.
        leases: None when there is no Redis; then nothing is watched, and readiness says so.
        settings: periods.
        health: told how Redis is; never makes the service unready.
        monotonic: the clock, in seconds.
    """

    def __init__(
        self,
        *,
        store: EventStore[Any],
        deciding: Deciding,
        leases: Leases | None,
        settings: Settings,
        health: HealthState,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._deciding = deciding
        self._leases = leases
        self._debounce_seconds = settings.routing_lease_debounce_seconds
        self._watch_seconds = settings.routing_lease_watch_seconds
        self._health = health
        self._monotonic = monotonic
        self._gone_since: dict[str, float] = {}

    async def run(self) -> None:
        """Watch for ever."""
        if self._leases is None:
            self._health.set("redis", False, f"no Redis configured: {_DEGRADED}", gates=False)
            return
        while True:
            try:
                await self.look(self._leases)
            except psycopg.Error as error:
                log.warning("lease_watch_failed", error=type(error).__name__)
            await asyncio.sleep(self._watch_seconds)

    async def look(self, leases: Leases) -> list[str]:
        """Look at all leases once; returns who was turned offline."""
        pool = await self._store.pool()
        async with pool.connection() as connection:
            rows = await connection.execute(
                "SELECT agent_id FROM agents WHERE is_leased AND presence <> 'offline'"
            )
            watched = [row["agent_id"] for row in await rows.fetchall()]
        try:
            missing = await leases.missing(watched)
        except (RedisError, OSError) as error:
            self._gone_since.clear()
            detail = f"{type(error).__name__}: {_DEGRADED}"
            self._health.set("redis", False, detail, gates=False)
            return []
        self._health.set("redis", True, gates=False)
        now = self._monotonic()
        self._gone_since = {agent: self._gone_since.get(agent, now) for agent in missing}
        lost = sorted(
            agent
            for agent, since in self._gone_since.items()
            if now - since >= self._debounce_seconds
        )
        if lost:
            await asyncio.to_thread(
                self._store.transact, lambda tx: self._deciding.lose_heartbeats(tx, lost)
            )
        return lost
