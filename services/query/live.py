"""The live board: computed once for all viewers, when something changed, at most once a second."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import msgspec
import psycopg
import structlog
from fastapi.sse import format_sse_event
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.query.settings import Settings
from shared.errors import Refused
from shared.http.health import HealthState
from shared.observability import metrics

log = structlog.get_logger(__name__)

_REDIS_PAUSE_SECONDS: Final = 2.0
_COST_SHARE: Final = 10
RETRY_MS: Final = 2_000
"""What a browser is told to wait before it connects again."""

BY_PUSH: Final = "push"
BY_TIMER: Final = "timer"


@dataclass(frozen=True, eq=False)
class Said:
    """One event of a live stream: its kind, its JSON, and what a client that comes back says it has seen."""

    event: str
    data: str
    id: str | None = None

    @cached_property
    def wire(self) -> bytes:
        """As it travels; made once, however many hear it."""
        return format_sse_event(data_str=self.data, event=self.event, id=self.id, retry=RETRY_MS)


class TooManyViewers(Refused):
    """This process serves as many live boards as it is meant to."""

    status = 503
    title = "Too many viewers"


class LiveBoard:
    """One producer, any number of viewers; it rests while nobody watches.

    A change is announced to this process directly and to others through Redis, which carries nothing but the wake-up:
    without it the others compute by timer, and every snapshot says so (`live.mode`).

    Args:
        settings: how often at most and at least, how many viewers.
        compute: gives the board as a JSON-ready dict; `position` in it numbers the snapshots.
        health: told when Redis is away; that never makes the service unready.
    """

    def __init__(
        self,
        settings: Settings,
        compute: Callable[[], Awaitable[dict[str, Any]]],
        health: HealthState,
    ) -> None:
        self._settings = settings
        self._compute = compute
        self._health = health
        self._channel = f"{settings.topic_prefix}query.changed"
        self._changed = asyncio.Event()
        self._to_tell_others = asyncio.Event()
        self._viewers = 0
        self._somebody_watches = asyncio.Event()
        self._latest: Said | None = None
        self._published = asyncio.Event()
        self._is_closed = False
        self.mode = BY_TIMER
        self.computed_count = 0

    @property
    def viewers(self) -> int:
        """How many boards are open at this process."""
        return self._viewers

    def announce(self) -> None:
        """The projections have changed. Call it in the event loop."""
        self._changed.set()
        self._to_tell_others.set()

    def admit(self) -> None:
        """Ask before `watch`, while there is still an answer to refuse with.

        Raises:
            TooManyViewers: this process has as many viewers as it may.
        """
        if self._viewers >= self._settings.board_viewers_max:
            raise TooManyViewers("too many live boards are open here; ask for /v1/dashboard")

    async def watch(self, last_id: str | None = None) -> AsyncIterator[Said]:
        """Snapshots from now on; the first at once, unless the viewer has it already (`last_id`).

        Every snapshot is whole, so a viewer that was away needs only the newest. Ends when the board is closed.
        """
        self._viewers += 1
        metrics.QUERY_LIVE_VIEWERS.inc()
        self._somebody_watches.set()
        try:
            seen = self._latest if self._latest is not None and self._latest.id == last_id else None
            while (event := await self._next(seen)) is not None:
                seen = event
                yield event
        finally:
            self._viewers -= 1
            metrics.QUERY_LIVE_VIEWERS.dec()
            if self._viewers == 0:
                self._somebody_watches.clear()
                self._latest = None

    async def close(self) -> None:
        """End every viewer's stream; browsers come back by themselves, to whoever serves then."""
        self._is_closed = True
        self._wake()

    async def _next(self, seen: Said | None) -> Said | None:
        while not self._is_closed and (self._latest is None or self._latest is seen):
            await self._published.wait()
        return None if self._is_closed else self._latest

    def _wake(self) -> None:
        # An event of its own for each snapshot: hundreds wake at once, and none of them has to wait for a lock.
        self._published.set()
        self._published = asyncio.Event()

    async def run(self) -> None:
        """Produce snapshots until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._produce())
            if self._settings.redis_url is not None:
                group.create_task(self._follow_redis(self._settings.redis_url.get_secret_value()))
            else:
                self._say_redis(ok=False, detail="TICKETING_REDIS_URL is not set")

    async def _produce(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._somebody_watches.wait()
            self._changed.clear()
            began = loop.time()
            await self._publish()
            # However much happens, one snapshot a second (fewer when the backlog is huge: computing them never takes
            # more than a tenth of a core); and one now and then when nothing does.
            pause = max(self._settings.board_seconds_min, _COST_SHARE * (loop.time() - began))
            await asyncio.sleep(pause)
            rest = self._settings.board_seconds_max - pause
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), max(rest, 0.0))

    async def _publish(self) -> None:
        try:
            snapshot = await self._compute()
        except (psycopg.Error, OSError) as error:
            log.warning("board_not_computed", error=type(error).__name__)
            detail = "The board cannot be computed now; these figures are no longer live."
            said = Said("trouble", msgspec.json.encode({"detail": detail}).decode())
        else:
            self.computed_count += 1
            whole = snapshot | {"live": {"mode": self.mode, "viewers": self._viewers}}
            said = Said("board", msgspec.json.encode(whole).decode(), str(snapshot["position"]))
        self._latest = said
        self._wake()

    # Redis: wake-ups between processes, nothing else.

    async def _follow_redis(self, url: str) -> None:
        while True:
            redis = Redis.from_url(url, socket_connect_timeout=2)
            try:
                async with redis, asyncio.TaskGroup() as group:
                    group.create_task(self._listen(redis))
                    group.create_task(self._tell(redis))
            except* (RedisError, OSError) as errors:
                error = errors.exceptions[0]
                self._say_redis(ok=False, detail=f"{type(error).__name__}: live boards go by timer")
            await asyncio.sleep(_REDIS_PAUSE_SECONDS)

    async def _listen(self, redis: Redis) -> None:
        async with redis.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(self._channel)
            self._say_redis(ok=True, detail="")
            async for _ in subscription.listen():
                self._changed.set()

    async def _tell(self, redis: Redis) -> None:
        while True:
            await self._to_tell_others.wait()
            self._to_tell_others.clear()
            await redis.publish(self._channel, b"")
            await asyncio.sleep(self._settings.board_seconds_min)

    def _say_redis(self, *, ok: bool, detail: str) -> None:
        self.mode = BY_PUSH if ok else BY_TIMER
        self._health.set("redis", ok, detail, gates=False)
