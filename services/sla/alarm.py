"""An alarm clock for a loop: it sleeps until a moment, or until somebody in any thread wakes it."""

import asyncio


class Alarm:
    """Wakes one waiting loop. A call that comes while nobody waits is kept for the next wait."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def ring(self) -> None:
        """Wake the loop; from any thread. Before the loop first waits there is nobody to wake."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._rung.set)

    async def wait(self, seconds: float) -> None:
        """Sleep so long, or until `ring`."""
        self._loop = asyncio.get_running_loop()
        try:
            await asyncio.wait_for(self._rung.wait(), seconds)
        except TimeoutError:
            return
        finally:
            self._rung.clear()
