"""When each version of a calendar is open, as the running totals that business minutes are read from.

The arithmetic is the clocks' own (`shared.calendar`); SQL only looks up and subtracts.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, LiteralString

import psycopg
from psycopg.rows import DictRow

from services.query.projections.tables import Table
from shared.calendar import Calendar, InvalidCalendar, parse_calendar

BLOCK: Final = timedelta(days=64)
"""What a row covers; the SQL function `open_block` says the same."""

YEARS_AROUND: Final = 25
"""A version is written down for so long before and after the day it was made: half a megabyte, some 50 ms."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TABLE: Final = Table(
    "open_hours",
    ("calendar_id", "version", "begins_at", "opens", "closes", "before"),
    key=("calendar_id", "version", "begins_at"),
)

# All versions of a calendar that has a new one: a version may keep the days before it as the one before had them.
_MISSING: Final[LiteralString] = """
WITH missing AS (
    SELECT id, version FROM definitions AS k WHERE kind = 'calendar' AND NOT EXISTS (
        SELECT FROM open_hours AS h WHERE h.calendar_id = k.id AND h.version = k.version)
)
SELECT id, version, definition, valid_from,
       EXISTS (SELECT FROM missing AS m WHERE m.id = k.id AND m.version = k.version) AS is_missing
FROM definitions AS k WHERE kind = 'calendar' AND id IN (SELECT id FROM missing) ORDER BY id, version
"""


def write_open_hours(cursor: psycopg.Cursor[DictRow]) -> None:
    """Write down the versions of `definitions` that are not yet in `open_hours`."""
    before: dict[str, Calendar] = {}
    for row in cursor.execute(_MISSING).fetchall():
        name = row["id"]
        try:
            calendar = parse_calendar(row["definition"], previous=before.get(name))
        except InvalidCalendar:
            continue  # sla refuses these; what a newer sla lets pass has no business minutes here
        before[name] = calendar
        if row["is_missing"]:
            day = row["valid_from"].date()
            blocks = blocks_of(calendar, day.year - YEARS_AROUND, day.year + YEARS_AROUND)
            _TABLE.upsert(
                cursor,
                [{"calendar_id": name, "version": row["version"]} | block for block in blocks],
            )


def blocks_of(calendar: Calendar, first_year: int, last_year: int) -> Iterator[dict[str, Any]]:
    """The rows of these years: intervals that begin in a block, and before them the last that began earlier."""
    first, end = date(first_year, 1, 1), date(last_year + 1, 1, 1)
    nothing = datetime(first_year, 1, 1, tzinfo=UTC) - timedelta(days=2)
    opens, closes, before = [nothing], [nothing], [0]
    total = 0
    for opened, closed in calendar.open_intervals(first, end):
        opens.append(opened)
        closes.append(closed)
        before.append(total)
        total += round((closed - opened).total_seconds())
    # A local day begins up to a day away from UTC's, and the last intervals may reach over the end.
    begins = _EPOCH + BLOCK * ((datetime(first_year, 1, 3, tzinfo=UTC) - _EPOCH) // BLOCK + 1)
    while begins + BLOCK < datetime(last_year, 12, 30, tzinfo=UTC):
        here = slice(bisect_right(opens, begins) - 1, bisect_left(opens, begins + BLOCK))
        yield {
            "begins_at": begins,
            "opens": opens[here],
            "closes": closes[here],
            "before": before[here],
        }
        begins += BLOCK
