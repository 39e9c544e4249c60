"""Business hours as arithmetic: when open, how long between, and when so much time has passed.

`parse_calendar` reads and refuses (naming the field), `Calendar` computes: `add`, `between`,
`is_open`. Rules C1-C11. Pure: no I/O, no clock.
"""

from shared.calendar.business_days import end_of_business_day
from shared.calendar.business_hours import SEARCH_YEARS, Calendar, NoOpenTime
from shared.calendar.parsing import FieldError, InvalidCalendar, parse_calendar

__all__ = [
    "SEARCH_YEARS",
    "Calendar",
    "FieldError",
    "InvalidCalendar",
    "NoOpenTime",
    "end_of_business_day",
    "parse_calendar",
]
