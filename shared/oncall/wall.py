"""From the clock on the wall to the moment, as calendars do it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def utc_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """The moment at which clocks on the wall show `wall` (naive).

    A time that the clocks skip moves forward by the gap; one that comes twice is the first (C5).
    """
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
