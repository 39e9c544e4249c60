"""Timers worked out anew: they are an index over the tickets' clocks and ladders, never the truth (S23)."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

import msgspec

from services.sla.tickets import states
from services.sla.tickets.judging import Judging
from shared.eventstore import EventStore, EventTransaction

_BATCH: Final = 500
"""Tickets of one transaction: their rows are locked, and the service goes on beside us."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How many tickets were looked at so far, and how many timers were not where they belong."""

    looked: int
    wrong: int


def rebuild(store: EventStore[Any], judging: Judging, *, mends: bool) -> Iterator[Progress]:
    """Walk over all tickets, while the service runs or not; what was found, after each batch.

    Args:
        store: of `sla`.
        judging: works the timers out.
        mends: store them where they belong; else only count.
    """
    after, found = UUID(int=0), Progress(looked=0, wrong=0)

    def step(tx: EventTransaction[Any]) -> tuple[int, int]:
        nonlocal after
        rows = states.load_after(tx, after, limit=_BATCH)
        if rows:
            after = rows[-1].ticket_id
        return len(rows), judging.rebuild_timers(tx, rows, mends=mends)

    while True:
        looked, wrong = store.transact(step)
        found = Progress(looked=found.looked + looked, wrong=found.wrong + wrong)
        yield found
        if looked < _BATCH:
            return
