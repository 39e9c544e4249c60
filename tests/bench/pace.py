"""How fast something went, and what it cost."""

import os
import time

import msgspec

from tests.bench.memory import core_seconds


class Pace(msgspec.Struct, frozen=True):
    """Events a second, and the processor time for one of them, in milliseconds."""

    rate: float
    core_ms: float


class Stopwatch:
    """Runs from the moment it is made.

    Args:
        server: a process whose time counts beside our own, because it does part of the work.
        with_children: the time of processes that we started and that have ended counts too.
    """

    def __init__(self, server: int | None = None, *, with_children: bool = False) -> None:
        self._server = server
        self._with_children = with_children
        self._core = self._spent()
        self._begun = time.perf_counter()

    def pace(self, count: int, *, core_elsewhere: float = 0.0) -> Pace:
        """What `count` events since then come to.

        Args:
            count: how many.
            core_elsewhere: processor time in seconds that other processes say they have spent on them.
        """
        seconds = max(time.perf_counter() - self._begun, 1e-9)
        core = self._spent() - self._core + core_elsewhere
        return Pace(count / seconds, 1_000 * core / max(count, 1))

    def _spent(self) -> float:
        ours = os.times()
        children = ours.children_user + ours.children_system if self._with_children else 0.0
        server = core_seconds(self._server) if self._server else 0.0
        return time.process_time() + children + server
