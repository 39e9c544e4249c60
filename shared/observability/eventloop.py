"""How late the event loop is: the first sign that something blocks it."""

import asyncio
from typing import Final, NoReturn

from shared.observability import metrics

INTERVAL_SECONDS: Final = 0.5
"""Often enough to see a block of a second, seldom enough to cost nothing."""


async def watch_event_loop(interval_seconds: float = INTERVAL_SECONDS) -> NoReturn:
    """Measure until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + interval_seconds
        await asyncio.sleep(interval_seconds)
        metrics.PROCESS_EVENT_LOOP_LAG_SECONDS.observe(max(0.0, loop.time() - due))
