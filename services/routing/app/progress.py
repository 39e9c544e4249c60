"""Tells coroutines that something moved on in another thread, without polling."""

import asyncio
from threading import Lock


class Progress:
    """Counts moves; a coroutine waits for the next one. Nothing is missed between looking and waiting."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    @property
    def count(self) -> int:
        """Moves so far: read it before looking, and give it to `past`."""
        return self._count

    def move(self, _what: object = None) -> None:
        """Something moved on; safe from any thread."""
        with self._lock:
            self._count += 1
            waiting, self._waiting = self._waiting, []
        for loop, event in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    async def past(self, seen: int, seconds: float) -> bool:
        """Wait until there were more moves than `seen`, at most so many seconds; returns whether there were."""
        event = asyncio.Event()
        with self._lock:
            if self._count > seen:
                return True
            entry = asyncio.get_running_loop(), event
            self._waiting.append(entry)
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            with self._lock:
                if entry in self._waiting:
                    self._waiting.remove(entry)
            return False
        return True
