"""How fast something went, and what it cost this process."""

import time

import msgspec


class Pace(msgspec.Struct, frozen=True):
    """Events a second, and the processor time of this process for one of them, in milliseconds."""

    rate: float
    core_ms: float


class Stopwatch:
    """Runs from the moment it is made."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self._core = time.process_time()

    def pace(self, count: int) -> Pace:
        """What `count` events since then come to."""
        seconds = max(time.perf_counter() - self._begun, 1e-9)
        core = time.process_time() - self._core
        return Pace(count / seconds, 1_000 * core / max(count, 1))
