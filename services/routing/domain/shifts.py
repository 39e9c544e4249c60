"""When a shift begins or ends next, by the calendars that SLA uses too. Pure."""

from bisect import bisect_left
from datetime import datetime, timedelta
from typing import Final

from shared.calendar import Calendar, NoOpenTime

HORIZON_SECONDS: Final = 14 * 86_400
"""A longer stretch of work is looked at again after it."""


def next_change(calendar: Calendar, now: datetime) -> datetime | None:
    """The next opening or closing, exact to the second; None when there is none."""
    if calendar.is_always_open:
        return None
    if not calendar.is_open(now):
        try:
            return calendar.add(now, 0)
        except NoOpenTime:
            return None
    base = now.replace(microsecond=0)
    seconds = bisect_left(
        range(HORIZON_SECONDS),
        True,
        key=lambda count: calendar.between(base, base + timedelta(seconds=count + 1)) < count + 1,
    )
    return base + timedelta(seconds=seconds)
