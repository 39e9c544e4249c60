"""Waiting for a condition instead of for time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

R = TypeVar("R")


async def eventually(
    condition: Callable[[], R | Awaitable[R]], *, seconds_max: float = 30.0, what: str = ""
) -> R:
    """The first truthy value of `condition`.

    Raises:
        AssertionError: it stayed falsy for `seconds_max`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds_max
    tick = asyncio.Event()
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        assert loop.time() < deadline, f"not within {seconds_max} s: {what or condition}"
        loop.call_later(0.02, tick.set)
        await tick.wait()
        tick.clear()
