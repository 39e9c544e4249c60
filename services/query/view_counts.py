"""How many tickets are in a view: counted when somebody looks, kept for some seconds, and no further than needed.

Whoever looks waits a moment only. What takes longer is counted on in the background, one view at a time, and until then
shown as far as it came.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from services.query.views.counting import count_tickets
from services.query.views.list_filter import TicketFilter
from services.query.views.pools import Pool
from services.query.views.scope import Scope
from shared.database import TRANSIENT
from shared.errors import Invalid

log = structlog.get_logger(__name__)

COUNTED_MAX: Final = 10_000
"""Nobody plans by more; counting them reads an index for some milliseconds."""

PROMPT_SECONDS: Final = 0.5
"""A count that a page shows beside others may not hold it up."""

PATIENT_SECONDS: Final = 60.0
"""Nobody waits for it, but it keeps a processor busy."""

KEPT_SECONDS: Final = 10.0
_KEPT_TIMES: Final = 20
"""What took long is kept longer: so many times what it took, and counting costs a twentieth of a processor at most."""

_KEPT_MAX: Final = 5_000


@dataclass(frozen=True, slots=True)
class Count:
    """`count` is at most `COUNTED_MAX`; `is_more`: there may be more; `is_pending`: it is still being counted."""

    count: int
    is_more: bool
    is_pending: bool
    counted_at: datetime

    def told(self) -> dict[str, Any]:
        """For answers."""
        return {
            "count": self.count,
            "is_more": self.is_more,
            "is_pending": self.is_pending,
            "counted_at": self.counted_at,
        }


@dataclass(frozen=True, slots=True)
class _Kept:
    count: Count
    until: float
    is_slow: bool


class ViewCounts:
    """Counts by filter; what `me` means stands in the filter, so nobody is shown another's."""

    def __init__(self) -> None:
        self._kept: OrderedDict[TicketFilter, _Kept] = OrderedDict()
        self._slow: asyncio.Queue[TicketFilter] = asyncio.Queue()
        self._waiting: set[TicketFilter] = set()

    async def count(self, pool: Pool, wanted: TicketFilter) -> Count:
        """For people who work here. Raises Invalid: the filter names what does not exist."""
        kept = self._kept.get(wanted)
        if kept is not None and (wanted in self._waiting or time.monotonic() < kept.until):
            return kept.count
        if (
            kept is not None and kept.is_slow
        ):  # what was counted before is shown until it is counted anew
            self._later(wanted)
            return kept.count
        count = await self._counted(pool, wanted, seconds_max=PROMPT_SECONDS)
        if count.is_pending:
            self._later(wanted)
        return count

    async def run(self, pool: Callable[[], Awaitable[Pool]]) -> None:
        """Count what takes long, until cancelled."""
        while True:
            await self.count_next(pool)

    async def count_next(self, pool: Callable[[], Awaitable[Pool]]) -> None:
        """Wait for a view that takes long, and count it."""
        wanted = await self._slow.get()
        try:
            await self._counted(await pool(), wanted, seconds_max=PATIENT_SECONDS)
        except (Invalid, *TRANSIENT) as error:  # whoever looks next asks again, and is told
            log.info("view_not_counted", error=type(error).__name__)
        finally:
            self._waiting.discard(wanted)

    def _later(self, wanted: TicketFilter) -> None:
        if wanted not in self._waiting:
            self._waiting.add(wanted)
            self._slow.put_nowait(wanted)

    async def _counted(self, pool: Pool, wanted: TicketFilter, *, seconds_max: float) -> Count:
        began, counted_at = time.monotonic(), datetime.now(UTC)
        is_slow = seconds_max > PROMPT_SECONDS
        found = await count_tickets(
            pool, wanted, Scope(), at_most=COUNTED_MAX + 1, seconds_max=seconds_max
        )
        count = Count(
            min(found.count, COUNTED_MAX),
            is_more=not found.is_whole or found.count > COUNTED_MAX,
            is_pending=not found.is_whole and not is_slow,
            counted_at=counted_at,
        )
        now = time.monotonic()
        until = now + max(KEPT_SECONDS, _KEPT_TIMES * (now - began) if is_slow else 0.0)
        self._kept[wanted] = _Kept(count, until, is_slow)
        self._kept.move_to_end(wanted)
        if len(self._kept) > _KEPT_MAX:
            self._kept.popitem(last=False)
        return count
