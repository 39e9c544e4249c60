"""Resident memory and processor time of the processes under test, looked at from outside."""

import threading
from types import TracebackType
from typing import Final, Self

import psutil

_LOOK_SECONDS: Final = 0.5
"""Often enough to see a batch of a second, seldom enough to cost a thousandth of a core."""

_MB: Final = 1_000_000


class MemoryWatch:
    """Remembers the most resident memory that each named process ever had, in MB (10^6 bytes)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: dict[str, psutil.Process] = {}
        self._most: dict[str, float] = {}
        self._looks: dict[str, int] = {}
        self._must_end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory-watch", daemon=True)

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Look no more."""
        self._must_end.set()
        self._thread.join()

    def watch(self, name: str, pid: int) -> None:
        """Look at this process from now on; one of the same name before it keeps its maximum."""
        with self._lock:
            self._watched[name] = psutil.Process(pid)

    def forget(self, name: str) -> None:
        """The process is about to end."""
        with self._lock:
            self._watched.pop(name, None)

    def most(self) -> dict[str, float]:
        """The maximum of each process in MB."""
        with self._lock:
            return dict(self._most)

    def looks(self) -> dict[str, int]:
        """How often each process was looked at."""
        with self._lock:
            return dict(self._looks)

    def look(self) -> None:
        """Look at all of them once."""
        with self._lock:
            for name, process in self._watched.items():
                try:
                    resident = process.memory_info().rss / _MB
                except psutil.NoSuchProcess:
                    continue  # whoever waits for its work says that it is gone
                self._most[name] = max(self._most.get(name, 0.0), resident)
                self._looks[name] = self._looks.get(name, 0) + 1

    def _run(self) -> None:
        while not self._must_end.wait(_LOOK_SECONDS):
            self.look()


def core_seconds(pid: int) -> float:
    """Processor time of a process and its children so far, the ended ones included."""
    process = psutil.Process(pid)
    own = process.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in process.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue  # its time is among the parent's `children_*` from now on
        total += times.user + times.system
    return float(total)
