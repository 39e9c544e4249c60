"""Heartbeat leases in Redis (R15). They may be lost at any moment: then what the agents said holds."""

from collections.abc import Collection
from typing import Final

from redis.asyncio import Redis

_SOCKET_SECONDS_MAX: Final = 2.0
"""A heartbeat is worth less than the request that carries it."""


class Leases:
    """One key per agent, renewed by heartbeats, gone after `lease_seconds`.

    Args:
        url: of Redis.
        prefix: of all keys; the installation's topic prefix, so that several share one Redis.
        lease_seconds: how long one heartbeat holds.
    """

    def __init__(self, url: str, *, prefix: str, lease_seconds: int) -> None:
        self._redis = Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=_SOCKET_SECONDS_MAX,
            socket_connect_timeout=_SOCKET_SECONDS_MAX,
        )
        self._prefix = f"{prefix}routing.lease."
        self._witness = f"{prefix}routing.leases-kept"
        self._seconds = lease_seconds

    async def renew(self, agent_id: str) -> None:
        """A heartbeat came."""
        await self._redis.set(self._prefix + agent_id, "1", ex=self._seconds)

    async def missing(self, agents: Collection[str]) -> set[str]:
        """Whose lease is gone.

        Nobody's, while Redis may have forgotten leases that were good: when its memory was lost (the witness key is
        gone), every agent gets the time of a whole lease to be heard of again.
        """
        if await self._redis.set(self._witness, "1", nx=True):
            await self._grant(agents)
            return set()
        if not agents:
            return set()
        wanted = sorted(agents)
        values = await self._redis.mget([self._prefix + agent for agent in wanted])
        return {agent for agent, value in zip(wanted, values, strict=True) if value is None}

    async def close(self) -> None:
        """Give the connections back."""
        await self._redis.aclose()

    async def _grant(self, agents: Collection[str]) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for agent in agents:
                pipeline.set(self._prefix + agent, "granted", ex=self._seconds)
            await pipeline.execute()
