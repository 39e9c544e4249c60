"""Business hours as arithmetic: one calendar, one question."""

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from services.sla.evaluation.kept import Kept
from services.sla.evaluation.refusals import aware, decoded, refused
from shared.calendar import Calendar, InvalidCalendar, NoOpenTime, parse_calendar
from shared.errors import Invalid

SECONDS_MAX: Final = 10 * 366 * 86_400
"""Ten years: the bound of the search (C9)."""
_MINUTE: Final = 60


class CalendarQuestion(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`op` `add`: when so many open `seconds` after `start` have passed; `between`: how many there are to `end`.

    `minutes` may be given in place of `seconds`. `calendar`: see `shared.calendar.parse_calendar`.
    """

    calendar: Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "object"})]
    op: str
    start: datetime
    id: Any = None
    end: datetime | None = None
    seconds: float | None = None
    minutes: float | None = None


_kept: Kept[Calendar] = Kept()


def answer_calendar(question: CalendarQuestion) -> dict[str, Any]:
    """`result`: the moment (UTC) for `add`, the seconds for `between`.

    Raises:
        Invalid: naming the field at fault, or a calendar with too little open time.
    """
    key = bytes(question.calendar)
    calendar = _kept.find(key) or _read(key)
    try:
        result = _result(calendar, question)
    except NoOpenTime as error:
        raise Invalid.of("calendar", str(error)) from error
    finally:
        _kept.keep(key, calendar, calendar)
    return {"result": result}


def _result(calendar: Calendar, question: CalendarQuestion) -> datetime | float:
    start = aware(question.start, "start")
    match question.op:
        case "add":
            if question.end is not None:
                raise Invalid.of("end", "is for between; add needs seconds")
            return calendar.add(start, _amount(question))
        case "between":
            if question.end is None:
                raise Invalid.of("end", "is needed for between")
            if question.seconds is not None or question.minutes is not None:
                given = "minutes" if question.seconds is None else "seconds"
                raise Invalid.of(given, "is for add; between needs end")
            return calendar.between(start, aware(question.end, "end"))
        case _:
            raise Invalid.of("op", "must be add or between")


def _amount(question: CalendarQuestion) -> float:
    if question.seconds is not None and question.minutes is not None:
        raise Invalid.of("minutes", "cannot be given beside seconds")
    if question.minutes is not None:
        if not 0 <= question.minutes <= SECONDS_MAX / _MINUTE:
            raise Invalid.of("minutes", f"must be from 0 to {SECONDS_MAX // _MINUTE}")
        return question.minutes * _MINUTE
    if question.seconds is None:
        raise Invalid.of("seconds", "is needed for add")
    if not 0 <= question.seconds <= SECONDS_MAX:
        raise Invalid.of("seconds", f"must be from 0 to {SECONDS_MAX}")
    return question.seconds


def _read(raw: bytes) -> Calendar:
    try:
        return parse_calendar(decoded(raw, "calendar"))
    except InvalidCalendar as error:
        raise refused(error.errors, at="calendar") from error
