"""How many tickets are in a view: counted when somebody looks, kept for some seconds, and no further than needed."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from services.query.views.list_filter import TicketFilter
from services.query.views.lists import count_tickets
from services.query.views.pools import Pool
from services.query.views.scope import Scope

COUNTED_MAX: Final = 10_000
"""Nobody plans by more; counting them reads an index for some milliseconds."""

KEPT_SECONDS: Final = 10.0
_KEPT_MAX: Final = 5_000


@dataclass(frozen=True, slots=True)
class Count:
    """`count` is at most `COUNTED_MAX`, and None when counting took too long; `is_more`: there are more."""

    count: int | None
    is_more: bool
    counted_at: datetime

    def told(self) -> dict[str, Any]:
        """For answers."""
        return {"count": self.count, "is_more": self.is_more, "counted_at": self.counted_at}


class ViewCounts:
    """Counts by filter; what `me` means stands in the filter, so nobody is shown another's."""

    def __init__(self) -> None:
        self._kept: OrderedDict[TicketFilter, tuple[float, Count]] = OrderedDict()

    async def count(self, pool: Pool, wanted: TicketFilter) -> Count:
        """For people who work here. Raises Invalid: the filter names what does not exist."""
        now = time.monotonic()
        kept = self._kept.get(wanted)
        if kept is not None and now - kept[0] < KEPT_SECONDS:
            return kept[1]
        counted_at = datetime.now(UTC)
        found = await count_tickets(pool, wanted, Scope(), at_most=COUNTED_MAX + 1)
        count = Count(
            None if found is None else min(found, COUNTED_MAX),
            found is not None and found > COUNTED_MAX,
            counted_at,
        )
        self._kept[wanted] = now, count
        self._kept.move_to_end(wanted)
        if len(self._kept) > _KEPT_MAX:
            self._kept.popitem(last=False)
        return count
