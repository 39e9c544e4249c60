"""Business days: dates with any open time. Pure."""

from datetime import datetime, timedelta

from shared.calendar.business_hours import Calendar, NoOpenTime
from shared.calendar.zones import zone_of

DATES_MAX = 400
"""Dates looked at: more than a year without enough open ones is a mistake in the calendar."""


def end_of_business_day(calendar: Calendar, start: datetime, days: int) -> datetime:
    """The end of business (UTC) on the `days`-th business day after the date of `start` in the calendar's zone.

    The date of `start` itself never counts, however early it was. A day's business ends where its last interval ends
    before midnight; on a calendar that never closes that is midnight.

    Raises:
        NoOpenTime: there are not so many business days within `DATES_MAX` dates.
    """
    zone = zone_of(calendar.timezone)
    date = start.astimezone(zone).date()
    left = days
    for _ in range(DATES_MAX):
        date += timedelta(days=1)
        midnight = datetime(date.year, date.month, date.day, tzinfo=zone)
        following = date + timedelta(days=1)
        end = datetime(following.year, following.month, following.day, tzinfo=zone)
        seconds = calendar.between(midnight, end)
        if seconds:
            left -= 1
            if left == 0:
                return calendar.add(midnight, seconds)
    raise NoOpenTime(
        f"calendar {calendar.id or '(unnamed)'} has no {days} business days in {DATES_MAX} dates"
    )
