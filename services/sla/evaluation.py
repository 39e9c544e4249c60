"""The arithmetic for anyone: calendars and whole timelines judged as asked, by the code of the live service."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from services.sla import engine
from services.sla.calendar import Calendar, InvalidCalendar, NoOpenTime, parse_calendar
from services.sla.engine import InvalidRules
from shared.errors import FieldError, Invalid

SECONDS_MAX: Final = 10 * 366 * 86_400
"""Ten years: the bound of the search (C9)."""


class CalendarQuestion(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`op` `add`: when so many open `seconds` after `start` have passed; `between`: how many there are to `end`."""

    calendar: dict[str, Any]
    op: str
    start: datetime
    id: Any = None
    end: datetime | None = None
    seconds: float | None = None


class TimelineQuestion(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A ticket's facts, and the policies and calendars to judge them by, as of `evaluate_at`."""

    policies: list[Any]
    timeline: list[Any]
    evaluate_at: datetime
    id: Any = None
    calendars: dict[str, dict[str, Any]] = {}


def answer_calendar(question: CalendarQuestion) -> datetime | float:
    """The moment (UTC) for `add`, the seconds for `between`.

    Raises:
        Invalid: naming the field at fault, or a calendar with too little open time.
    """
    calendar = _calendar(question.calendar, "calendar")
    start = _aware(question.start, "start")
    try:
        match question.op:
            case "add":
                return calendar.add(start, _seconds(question.seconds))
            case "between":
                if question.end is None:
                    raise Invalid.of("end", "is needed for between")
                return calendar.between(start, _aware(question.end, "end"))
            case _:
                raise Invalid.of("op", "must be add or between")
    except NoOpenTime as error:
        raise Invalid.of("calendar", str(error)) from error


def answer_timeline(question: TimelineQuestion) -> list[engine.Verdict]:
    """One verdict per metric and cycle, by start.

    Raises:
        Invalid: naming the field at fault.
    """
    calendars = [
        _calendar({**document, "id": name}, f"calendars.{name}")
        for name, document in question.calendars.items()
    ]
    try:
        policies = engine.parse_policies(question.policies)
        facts = engine.parse_timeline(question.timeline)
        known = {calendar.id for calendar in calendars}
        for place, policy in enumerate(policies):
            for each, target in enumerate(policy.targets):
                if target.calendar_id is not None and target.calendar_id not in known:
                    field = f"policies[{place}].targets[{each}].calendar_id"
                    raise Invalid.of(field, f"there is no calendar {target.calendar_id}")
        rules = engine.Rulebook(policies, calendars)
        now = _aware(question.evaluate_at, "evaluate_at")
        return list(engine.evaluate(rules, facts, now).verdicts)
    except InvalidRules as error:
        raise _invalid(error.errors) from error
    except engine.TicketNotCreated as error:
        raise Invalid.of("evaluate_at", "lies before the ticket was created") from error
    except ValueError as error:  # two policies of the same id and version
        raise Invalid.of("policies", str(error)) from error


def _calendar(document: Mapping[str, Any], field: str) -> Calendar:
    try:
        return parse_calendar(document)
    except InvalidCalendar as error:
        raise _invalid(
            [FieldError(f"{field}.{each.field}".rstrip("."), each.message) for each in error.errors]
        ) from error


def _invalid(errors: Any) -> Invalid:
    found = [FieldError(each.field, each.message) for each in errors]
    return Invalid("; ".join(f"{each.field}: {each.message}" for each in found), errors=found)


def _aware(moment: datetime, field: str) -> datetime:
    if moment.tzinfo is None:
        raise Invalid.of(field, "needs a time zone, 2026-01-31T09:00:00Z")
    return moment.astimezone(UTC)


def _seconds(value: float | None) -> float:
    if value is None:
        raise Invalid.of("seconds", "is needed for add")
    if not 0 <= value <= SECONDS_MAX:
        raise Invalid.of("seconds", f"must be from 0 to {SECONDS_MAX}")
    return value
