"""Writing what requests gave rise to, behind them: once each, also when the service ends in the middle of it."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final

import psycopg
import structlog

from shared.operations import Operation

log = structlog.get_logger(__name__)

RETRY_SECONDS: Final = 5.0

_TOGETHER_MAX: Final = 200
"""In one transaction."""


class WrittenBehind:
    """Collects operations and writes them.

    Args:
        name: of what is collected, for the log.
        write: into the log of the service; blocks, so it is called in a thread.
        take: what is to be told by now; asked whether the service ends.
        seconds_left: when to ask again without being woken; None: not at all.
        kept_max: operations kept while PostgreSQL is away; the oldest go.
    """

    def __init__(
        self,
        name: str,
        write: Callable[[Sequence[Operation]], None],
        *,
        take: Callable[[bool], Sequence[Operation]],
        seconds_left: Callable[[], float | None] = lambda: None,
        kept_max: int,
    ) -> None:
        self._name = name
        self._write = write
        self._take = take
        self._seconds_left = seconds_left
        self._kept_max = kept_max
        self._unwritten: list[Operation] = []
        self._is_new = asyncio.Event()

    def wake(self) -> None:
        """There is something to take. Call it in the event loop."""
        self._is_new.set()

    async def run(self) -> None:
        """Write until cancelled, and what is left then. What cannot be written now is tried again."""
        writing: asyncio.Task[None] | None = None
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    # Not `wait_for`, which may swallow a cancellation that comes together with news (before 3.12).
                    async with asyncio.timeout(
                        RETRY_SECONDS if self._unwritten else self._seconds_left()
                    ):
                        await self._is_new.wait()
                self._is_new.clear()
                writing = asyncio.create_task(self.tell())
                await asyncio.shield(writing)
        except asyncio.CancelledError:
            if writing is not None:
                await writing  # what is being written is not written once more
            await self.tell(ends=True)
            raise

    async def tell(self, *, ends: bool = False) -> None:
        """Write what there is now; what cannot be written is kept."""
        self._unwritten += self._take(ends)
        while told := self._unwritten[:_TOGETHER_MAX]:
            try:
                await asyncio.to_thread(self._write, told)
            except psycopg.Error as error:
                log.warning(
                    "operations_unwritten",
                    what=self._name,
                    count=len(self._unwritten),
                    error=type(error).__name__,
                )
                del self._unwritten[: -self._kept_max]
                return
            del self._unwritten[: len(told)]
