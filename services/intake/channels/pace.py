"""How much one sender may do in a while: counted in Redis for all processes, by each for itself while Redis is away."""

import time
from collections import OrderedDict
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

SENDERS_MAX: Final = 10_000
"""Remembered by one process; beyond, the one heard of longest ago is forgotten."""

_SOCKET_SECONDS_MAX: Final = 1.0
_REDIS_REST_SECONDS: Final = 5.0
"""After a failure Redis is not asked for so long: waiting for it would cost each request its time-out."""


class SenderPace:
    """Counts in windows.

    Args:
        url: of Redis; None: each process counts for itself.
        prefix: begins the keys.
        count_max: how often within a window.
        seconds: the window.
    """

    def __init__(self, url: str | None, *, prefix: str, count_max: int, seconds: float) -> None:
        self._redis = (
            None
            if url is None
            else Redis.from_url(
                url,
                socket_timeout=_SOCKET_SECONDS_MAX,
                socket_connect_timeout=_SOCKET_SECONDS_MAX,
            )
        )
        self._prefix, self._count_max, self._seconds = prefix, count_max, seconds
        self._here: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._redis_rests_until = 0.0

    async def wait_seconds(self, sender: str) -> float:
        """Count once more. Returns 0 while it is not too often, else after how many seconds to come again."""
        here = self._count_here(sender)
        there = await self._count_there(sender)
        count, left = here if there is None else there
        return 0.0 if count <= self._count_max else max(left, 1.0)

    async def close(self) -> None:
        """Give the connections back."""
        if self._redis is not None:
            await self._redis.aclose()

    async def _count_there(self, sender: str) -> tuple[int, float] | None:
        now = time.monotonic()
        if self._redis is None or now < self._redis_rests_until:
            return None
        key = self._prefix + sender
        try:
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.set(key, 0, px=int(self._seconds * 1000), nx=True)
                pipeline.incr(key)
                pipeline.pttl(key)
                _, count, left_ms = await pipeline.execute()
        except (RedisError, OSError) as error:
            self._redis_rests_until = now + _REDIS_REST_SECONDS
            log.warning("pace_counts_alone", error=type(error).__name__)
            return None
        return count, left_ms / 1000

    def _count_here(self, sender: str) -> tuple[int, float]:
        now = time.monotonic()
        began, count = self._here.pop(sender, (now, 0))
        if now - began >= self._seconds:
            began, count = now, 0
        self._here[sender] = (began, count + 1)
        if len(self._here) > SENDERS_MAX:
            self._here.popitem(last=False)
        return count + 1, began + self._seconds - now
