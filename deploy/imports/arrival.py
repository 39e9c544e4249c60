"""Waits until the projections have everything: stored, published, decided by routing and sla, and projected."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from deploy.imports.door import DoorIsClosed, FrontDoor

LOOK_SECONDS: Final = 1.0
"""Query compares itself with Kafka once a second."""

LOOK_SECONDS_MIN: Final = 10.0
"""The last look takes so long at most: everything is sent, and a query that is away for long has time."""

QUIET_LOOKS: Final = 3
"""So many looks in a row with nothing under way: an event between two services is in no queue for a moment."""

LIVE_EVENTS_MAX: Final = 50
LIVE_LOOKS: Final = 6
"""Where people work meanwhile, something is always under way. No more than so many events at so many looks in a row
are theirs: what is left of an import drains by thousands a second."""

_WRITERS: Final = ("intake", "routing", "sla")
_UNPUBLISHED: Final = re.compile(
    r"^ticketing_relay_lag_events(?:\{[^}]*\})? (\S+)$", re.ASCII | re.MULTILINE
)


class Backlog(msgspec.Struct, frozen=True):
    """What is under way, in events; `position`: events projected so far. `problem`: why nobody knows."""

    unpublished: int
    unread: int
    position: int
    problem: str | None = None

    @property
    def total(self) -> int:
        """Everything under way."""
        return self.unpublished + self.unread


async def look(door: FrontDoor) -> Backlog:
    """How much is under way now."""
    board: dict[str, Any] = await door.ask("GET", "/v1/dashboard")
    unpublished = 0
    for service in _WRITERS:
        page = await door.text(f"/services/{service}/metrics")
        # A second process of a service is no leader and counts nothing; what it lags, the leader does not.
        unpublished += sum(int(float(lag)) for lag in _UNPUBLISHED.findall(page or ""))
    lags: dict[str, int] = board["lag_events"]
    return Backlog(
        unpublished, sum(lags.values()), board["position"], board.get("freshness_problem")
    )


async def wait_until_projected(
    door: FrontDoor,
    *,
    seconds_max: float,
    tell: Callable[[Backlog], None],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> bool:
    """Wait, bounded, until nothing is under way any more.

    Args:
        door: the way in.
        seconds_max: how long at most.
        tell: is told at each look.
        pause: waits so many seconds.

    Returns:
        Whether everything has arrived; False also while query cannot be asked.
    """
    until = time.monotonic() + seconds_max
    quiet, live, position = 0, 0, -1
    while True:
        try:
            async with asyncio.timeout(max(until - time.monotonic(), LOOK_SECONDS_MIN)):
                backlog = await look(door)
        except (TimeoutError, DoorIsClosed):
            return False
        tell(backlog)
        is_quiet = backlog.total == 0 and backlog.problem is None and backlog.position == position
        is_live = backlog.total <= LIVE_EVENTS_MAX and backlog.problem is None
        quiet, position = (quiet + 1 if is_quiet else 0), backlog.position
        live = live + 1 if is_live else 0
        if quiet >= QUIET_LOOKS or live >= LIVE_LOOKS:
            return True
        if time.monotonic() > until:
            return False
        await pause(LOOK_SECONDS)
