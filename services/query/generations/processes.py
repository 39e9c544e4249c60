"""Filling by several processes: a generation is folded faster than one Python interpreter can."""

import asyncio
import multiprocessing
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from typing import Final

from services.query.generations.filling import Filling, Standing, reader_of
from services.query.generations.state import LIVE, NEXT
from services.query.projections.groups import Group
from services.query.settings import Settings
from shared import heap
from shared.database import Database, Transaction

_CONTEXT: Final = multiprocessing.get_context("spawn")
"""A fork would share connections and threads."""

_LOOK_SECONDS: Final = 0.25
_LOCK: Final = "hashtext('generations'), 1"


class _Over(Exception):
    """Whoever began the build is gone, or has given up."""


async def fill_side_by_side(
    settings: Settings, store: Database, group: Group, told: Callable[[int, int], None]
) -> None:
    """Read until less than a batch is missing, in `rebuild_processes` processes; each has partitions of its own.

    Args:
        settings: those of the service.
        store: for looking how far they are.
        group: which tables.
        told: hears again and again how many events are passed, and of how many.

    Raises:
        Exception: what the first process failed with. The others end after their batch; what was applied stands, and
            the next build finds it.
    """
    over = _CONTEXT.Event()
    parts = [
        _Part(settings, group, part, settings.rebuild_processes, over)
        for part in range(settings.rebuild_processes)
    ]
    try:
        while [part for part in parts if part.goes_on()]:
            await asyncio.sleep(_LOOK_SECONDS)
            standing = await asyncio.to_thread(store.transact, lambda tx: Standing.read(tx, group))
            told(standing.done, standing.total)
    finally:
        over.set()
        for part in parts:
            await asyncio.to_thread(part.join)


def keep_others_out(tx: Transaction) -> None:
    """Wait for batches of processes whose build was killed; they notice it before their next one."""
    tx.cursor.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")


class _Part:
    """A process that fills some partitions."""

    def __init__(
        self, settings: Settings, group: Group, part: int, parts: int, over: Event
    ) -> None:
        self._is_done = False
        self._result, result = _CONTEXT.Pipe(duplex=False)
        self._process = _CONTEXT.Process(
            target=_fill, args=(settings, group, part, parts, over, result), daemon=True
        )
        self._process.start()
        result.close()  # so that its end is heard here

    def goes_on(self) -> bool:
        """Whether it is not done yet.

        Raises:
            Exception: what it failed with.
        """
        if self._is_done or not self._result.poll():
            return not self._is_done
        try:
            failure = self._result.recv()
        except EOFError:
            self._process.join()
            raise ChildProcessError(
                f"a process of the rebuild ended by itself (exit code {self._process.exitcode})"
            ) from None
        if failure is not None:
            raise failure
        self._is_done = True
        return False

    def join(self) -> None:
        """Wait for its end."""
        self._process.join()


# In the process.


def _fill(
    settings: Settings, group: Group, part: int, parts: int, over: Event, result: Connection
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever began the build
    heap.settle()
    failure = None
    try:
        asyncio.run(_filled(settings, group, part, parts, over))
    except Exception as error:  # noqa: BLE001  # the other process raises it
        failure = error
    with suppress(BrokenPipeError):  # nobody is there who would want to know
        result.send(failure)


async def _filled(settings: Settings, group: Group, part: int, parts: int, over: Event) -> None:
    store = Database(settings, schema=LIVE, ahead=NEXT)
    store.open()
    try:
        async with reader_of(settings) as reader:
            filling = Filling(
                settings,
                store,
                reader,
                group,
                part=part,
                parts=parts,
                guard=lambda tx: _require_a_build(tx, over),
            )
            await filling.fill()
    finally:
        await store.close()


def _require_a_build(tx: Transaction, over: Event) -> None:
    """Under a lock that the next build waits for: whoever is told that it goes on may finish this batch."""
    tx.cursor.execute(f"SELECT pg_advisory_xact_lock_shared({_LOCK})")
    parent = multiprocessing.parent_process()
    if over.is_set() or parent is None or not parent.is_alive():
        raise _Over("the build is over")
