"""Processes that do part of one piece of work: begun anew (a fork would share connections), heard by a pipe."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, Final

from shared import heap

_CONTEXT: Final = multiprocessing.get_context("spawn")


class Over(Exception):
    """Whoever began the work is gone, or has given up."""


class Part:
    """What a process of the work knows of it.

    Attributes:
        number: which part it does, from zero.
        count: of how many.
    """

    def __init__(self, number: int, count: int, pipe: Connection) -> None:
        self.number = number
        self.count = count
        self._pipe = pipe

    def require_work(self) -> None:
        """Go on only while somebody waits for it.

        Raises:
            Over: they are gone, or have told us to end.
        """
        if self._pipe.poll():
            raise Over("the work is over")

    def say(self, word: bytes) -> None:
        """Tell whoever began the work.

        Raises:
            Over: they are gone.
        """
        try:
            self._pipe.send(word)
        except BrokenPipeError:
            raise Over("nobody listens") from None


Work = Callable[..., None]
"""Called in the process with its `Part` and the arguments given; a function of a module, as it is found by name."""


class Parts:
    """Processes side by side, each with a part of the work. Blocks: to be used from a thread.

    Args:
        work: what each does.
        count: how many.
        arguments: after the part; they are pickled.
    """

    def __init__(self, work: Work, count: int, *arguments: Any) -> None:
        self._running: dict[Connection, multiprocessing.process.BaseProcess] = {}
        self._processes: list[multiprocessing.process.BaseProcess] = []
        for number in range(count):
            ours, theirs = _CONTEXT.Pipe()
            process = _CONTEXT.Process(
                target=_run, args=(work, number, count, theirs, arguments), daemon=True
            )
            process.start()
            theirs.close()  # so that its end is heard here
            self._processes.append(process)
            self._running[ours] = process

    def words(self, seconds: float) -> Iterator[bytes]:
        """What they said since, after waiting at most so long for the first word.

        Raises:
            Exception: what one of them failed with.
            ChildProcessError: one ended by itself.
        """
        for pipe in wait(list(self._running), seconds):
            assert isinstance(pipe, Connection)
            process = self._running[pipe]
            try:
                word = pipe.recv()
            except (EOFError, ConnectionResetError):
                process.join()
                raise ChildProcessError(
                    f"a process ended by itself (exit code {process.exitcode})"
                ) from None
            if isinstance(word, Exception):
                raise word
            if word is None:
                del self._running[pipe]
                pipe.close()
            else:
                yield word

    @property
    def are_done(self) -> bool:
        """Whether all have said that they are."""
        return not self._running

    def end(self) -> Sequence[bytes]:
        """They stop at their next step; returns what they said until then, when all have ended."""
        last: list[bytes] = []
        for pipe in self._running:
            with suppress(BrokenPipeError):
                pipe.send(None)
        for pipe in self._running:
            with pipe, suppress(EOFError, ConnectionResetError):
                while (word := pipe.recv()) is not None:
                    if isinstance(word, bytes):
                        last.append(word)
        for process in self._processes:
            process.join()
            process.close()
        return last


def _run(work: Work, number: int, count: int, pipe: Connection, arguments: Sequence[Any]) -> None:
    """In the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever began the work
    heap.settle()
    failure = None
    try:
        work(Part(number, count, pipe), *arguments)
    except Over:
        pass
    except Exception as error:  # noqa: BLE001  # the other process raises it
        failure = error
    with suppress(BrokenPipeError):  # nobody is there who would want to know
        pipe.send(failure)
