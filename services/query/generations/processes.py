"""Filling by several processes: a generation is folded faster than one Python interpreter can."""

import asyncio
from collections.abc import Callable
from typing import Final

from services.query.generations.filling import CLIENT, Filling, Standing
from services.query.generations.state import LIVE, NEXT
from services.query.projections.groups import Group
from services.query.settings import Settings
from shared.database import Database, Transaction
from shared.messaging.reading import reader_of
from shared.processes import Part, Parts

_LOOK_SECONDS: Final = 0.25
_LOCK: Final = "hashtext('generations'), 1"


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
    parts = await asyncio.to_thread(Parts, _fill, settings.rebuild_processes, settings, group)
    try:
        while not parts.are_done:
            await asyncio.to_thread(lambda: list(parts.words(_LOOK_SECONDS)))
            standing = await asyncio.to_thread(store.transact, lambda tx: Standing.read(tx, group))
            told(standing.done, standing.total)
    finally:
        await asyncio.to_thread(parts.end)


def keep_others_out(tx: Transaction) -> None:
    """Wait for batches of processes whose build was killed; they notice it before their next one."""
    tx.cursor.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")


# In the process.


def _fill(part: Part, settings: Settings, group: Group) -> None:
    asyncio.run(_filled(part, settings, group))


async def _filled(part: Part, settings: Settings, group: Group) -> None:
    store = Database(settings, schema=LIVE, ahead=NEXT)
    store.open()
    try:
        async with reader_of(settings, CLIENT) as reader:
            filling = Filling(
                settings,
                store,
                reader,
                group,
                part=part.number,
                parts=part.count,
                guard=lambda tx: _require_a_build(tx, part),
            )
            await filling.fill()
    finally:
        await store.close()


def _require_a_build(tx: Transaction, part: Part) -> None:
    """Under a lock that the next build waits for: whoever is told that it goes on may finish this batch."""
    tx.cursor.execute(f"SELECT pg_advisory_xact_lock_shared({_LOCK})")
    part.require_work()
