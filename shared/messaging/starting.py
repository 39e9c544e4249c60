"""Starting what speaks to Kafka without being cut off in the middle."""

import asyncio
from collections.abc import Awaitable
from typing import Final

FINISH_SECONDS_MAX: Final = 5.0
"""Asking a broker for its topics takes milliseconds; one that does not answer is not waited for when we stop."""


async def uncut(
    starting: Awaitable[None], *, finish_seconds_max: float = FINISH_SECONDS_MAX
) -> None:
    """Wait for it; when cancelled, let it come to its end first, for so long at most.

    aiokafka's clients ask a first connection for the brokers. Cancelled meanwhile, they forget to close it.

    Raises:
        Exception: what it raises.
    """
    task = asyncio.ensure_future(starting)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=finish_seconds_max)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
