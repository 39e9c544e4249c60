"""How a reader asks Kafka: for filled batches while events come, for the next event while none do."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

FILL_BYTES: Final = 65_536
"""With so much to hand over a broker does not wait for more: a reader that is behind is never slowed down."""

_QUIET_SECONDS: Final = 0.25
"""Nothing has come for so long: the next event begins something, and waits for no company."""

_QUIET_WAIT_MS: Final = 500
"""Kafka's own default. Each request names every partition, so a reader that asks 25 times a second for what is not
there costs, with its broker's part, 2 % of a core."""


class Asking:
    """Sets what one reader's requests say, by whether records have come of late.

    Args:
        consumer: the reader's aiokafka consumer; None before it is there.
        wait_ms: how long the broker may let a batch fill while events come.
    """

    def __init__(self, consumer: Callable[[], Any], *, wait_ms: int) -> None:
        self._consumer = consumer
        self._wait_ms = wait_ms
        self._timer: asyncio.TimerHandle | None = None

    def records_came(self) -> None:
        """From now on filled batches, until nothing has come for a while. Called in the event loop."""
        self._say(FILL_BYTES, self._wait_ms)
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(_QUIET_SECONDS, self._turn_quiet)

    def stop(self) -> None:
        """Change nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _turn_quiet(self) -> None:
        self._say(1, _QUIET_WAIT_MS)

    def _say(self, bytes_min: int, wait_ms: int) -> None:
        # aiokafka takes both at construction only; its fetcher reads them anew for each request.
        if (consumer := self._consumer()) is not None:
            fetcher = consumer._fetcher  # noqa: SLF001
            fetcher._fetch_min_bytes = bytes_min  # noqa: SLF001
            fetcher._fetch_max_wait_ms = max(wait_ms, self._wait_ms)  # noqa: SLF001
