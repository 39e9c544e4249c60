"""Reading a calendar from its JSON shape; every refusal names its field (C8)."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple, TypeVar

from shared.calendar.business_hours import Calendar, Interval
from shared.calendar.zones import zone_of

_T = TypeVar("_T", date, datetime)

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_CLOCK = re.compile(r"(\d{2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_DAY_SECONDS = 86_400
_FIELDS = frozenset(
    {
        "id",
        "version",
        "name",
        "timezone",
        "hours",
        "holidays",
        "overrides",
        "breaks",
        "always_open",
        "in_force_from",
        "effective_from",
    }
)

_REMARKS = ("name", "note")
"""What an entry may say to people; the arithmetic does not ask for it."""


class FieldError(NamedTuple):
    """One thing wrong: where (`hours.mon[0][1]`) and what."""

    field: str
    message: str


class InvalidCalendar(ValueError):
    """The calendar is refused; `errors` names every wrong field at once."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = tuple(errors)


def parse_calendar(
    data: Any, *, first_day: date | None = None, previous: Calendar | None = None
) -> Calendar:
    """Read `{"timezone", "hours": {"mon": [["09:00", "17:00"]]}, "holidays", "overrides", "breaks"}`.

    Times are `HH:MM[:SS]`, `24:00` as a close; a close before its open is overnight (C2). A holiday
    is a date, or `{"date", "name", "note", "approved"}`; an interval is two times, or
    `{"from", "to", "name", "note", "approved"}`. What was imported and has `"approved": false` is
    refused until someone has said yes to it or taken it out (C11).
    `{"always_open": true}` needs no hours. With `first_day`, a calendar without an open second in
    the 366 days from it is refused. `previous` is used when `effective_from` is given (S12).

    Raises:
        InvalidCalendar: naming every wrong field.
    """
    reader = _Reader()
    if not isinstance(data, Mapping):
        raise InvalidCalendar([FieldError("", "must be an object")])
    for name in data.keys() - _FIELDS:
        reader.refuse(str(name), "is not a field of a calendar")
    always = data.get("always_open", False)
    if not isinstance(always, bool):
        reader.refuse("always_open", "must be true or false")
    if always is True and data.get("hours"):
        reader.refuse("hours", "cannot be given for a calendar that is always open")
    zone = reader.zone(data.get("timezone", "UTC" if always is True else None))
    hours = reader.hours(data.get("hours"), needed=always is not True)
    holidays = reader.dates("holidays", data.get("holidays"))
    overrides = reader.dated("overrides", data.get("overrides"))
    breaks = reader.dated("breaks", data.get("breaks"))
    identity, version = data.get("id", ""), data.get("version", 1)
    if not isinstance(identity, str):
        reader.refuse("id", "must be a text")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        reader.refuse("version", "must be a whole number from 1 on")
    in_force_from = reader.moment("in_force_from", data.get("in_force_from"))
    effective_from = reader.day("effective_from", data.get("effective_from"))
    if reader.errors:
        raise InvalidCalendar(reader.errors)
    calendar = Calendar(
        id=identity,
        version=version,
        timezone=zone,
        hours=hours,
        holidays=holidays,
        overrides=overrides,
        breaks=breaks,
        in_force_from=in_force_from,
        effective_from=effective_from,
        previous=previous if effective_from is not None else None,
    )
    if not any(hours) and not any(overrides.values()):
        raise InvalidCalendar([FieldError("hours", "the calendar is never open")])
    if first_day is not None and not calendar.opens_within(first_day):
        raise InvalidCalendar([FieldError("hours", f"is never open in the year from {first_day}")])
    return calendar


class _Reader:
    """Collects what is wrong while reading."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []

    def refuse(self, field: str, message: str) -> None:
        self.errors.append(FieldError(field, message))

    def zone(self, value: Any) -> str:
        if not isinstance(value, str) or not value:
            self.refuse("timezone", "is needed, as an IANA name such as Europe/Berlin")
            return "UTC"
        try:
            zone_of(value)
        except KeyError:
            self.refuse("timezone", f"{value!r} is not a known IANA time zone")
        return value

    def hours(self, value: Any, *, needed: bool) -> tuple[tuple[Interval, ...], ...]:
        if value is None and not needed:
            return (((0, _DAY_SECONDS),),) * 7
        if not isinstance(value, Mapping):
            self.refuse("hours", "is needed, as an object of mon … sun to intervals")
            return ((),) * 7
        for name in value.keys() - set(WEEKDAYS):
            self.refuse(f"hours.{name}", f"is not one of {', '.join(WEEKDAYS)}")
        return tuple(self.intervals(f"hours.{day}", value.get(day, [])) for day in WEEKDAYS)

    def dated(self, field: str, value: Any) -> dict[date, tuple[Interval, ...]]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.refuse(field, "must be an object of dates to intervals")
            return {}
        found: dict[date, tuple[Interval, ...]] = {}
        for key, intervals in value.items():
            day = self.day(f"{field}.{key}", key)
            read = self.intervals(f"{field}.{key}", intervals)
            if day is not None:
                found[day] = read
        return found

    def dates(self, field: str, value: Any) -> frozenset[date]:
        if value is None:
            return frozenset()
        if not isinstance(value, list | tuple):
            self.refuse(field, "must be a list of dates")
            return frozenset()
        days = (self.holiday(f"{field}[{index}]", item) for index, item in enumerate(value))
        return frozenset(day for day in days if day is not None)

    def holiday(self, field: str, value: Any) -> date | None:
        if not isinstance(value, Mapping):
            if value is None:
                self.refuse(field, "must be a date such as 2026-12-25")
            return self.day(field, value)
        self.entry(field, value, needed=("date",))
        return self.day(f"{field}.date", value.get("date"))

    def entry(self, field: str, value: Mapping[str, Any], *, needed: tuple[str, ...]) -> None:
        """Check an entry that says more than dates and times, and that someone approved it (C11)."""
        for name in value.keys() - {*needed, *_REMARKS, "approved"}:
            self.refuse(f"{field}.{name}", f"is not one of {', '.join((*needed, *_REMARKS))}")
        for name in needed:
            if value.get(name) is None:
                self.refuse(f"{field}.{name}", "is needed")
        for name in _REMARKS:
            if not isinstance(value.get(name, ""), str):
                self.refuse(f"{field}.{name}", "must be a text")
        approved = value.get("approved", True)
        if not isinstance(approved, bool):
            self.refuse(f"{field}.approved", "must be true or false")
        elif not approved:
            self.refuse(
                f"{field}.approved",
                "is not approved yet: set it to true, or take the entry out",
            )

    def intervals(self, field: str, value: Any) -> tuple[Interval, ...]:
        if not isinstance(value, list | tuple):
            self.refuse(field, 'must be a list of intervals such as ["09:00", "17:00"]')
            return ()
        found = (self.interval(f"{field}[{index}]", item) for index, item in enumerate(value))
        return tuple(interval for interval in found if interval is not None)

    def interval(self, field: str, value: Any) -> Interval | None:
        if isinstance(value, Mapping):
            self.entry(field, value, needed=("from", "to"))
            if value.get("from") is None or value.get("to") is None:
                return None
            value = (value["from"], value["to"])
        if not isinstance(value, list | tuple) or len(value) != 2:  # noqa: PLR2004 - open and close
            self.refuse(field, "must be two times, open and close")
            return None
        opens = self.clock(f"{field}[0]", value[0])
        closes = self.clock(f"{field}[1]", value[1])
        if opens is None or closes is None:
            return None
        if opens == _DAY_SECONDS:
            self.refuse(f"{field}[0]", "24:00 can only be a close")
            return None
        if opens == closes:
            self.refuse(field, "opens and closes at the same time; a whole day is 00:00 to 24:00")
            return None
        return opens, closes if closes > opens else closes + _DAY_SECONDS

    def clock(self, field: str, value: Any) -> int | None:
        found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            self.refuse(field, "must be a time such as 09:00 or 09:00:30")
            return None
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        total = hours * 3600 + minutes * 60 + seconds
        if minutes > 59 or seconds > 59 or total > _DAY_SECONDS:  # noqa: PLR2004 - sixtieths
            self.refuse(field, f"{value} is not a time of day")
            return None
        return total

    def day(self, field: str, value: Any) -> date | None:
        return self._iso(field, value, _to_date, "a date such as 2026-12-25")

    def moment(self, field: str, value: Any) -> datetime | None:
        return self._iso(field, value, _to_moment, "a moment with a zone, 2026-01-31T09:00:00Z")

    def _iso(self, field: str, value: Any, read: Callable[[str], _T], what: str) -> _T | None:
        if value is None:
            return None
        try:
            return read(value)
        except (ValueError, TypeError):
            self.refuse(field, f"must be {what}")
            return None


def _to_date(value: str) -> date:
    day = date.fromisoformat(value)
    if day.isoformat() != value:
        raise ValueError(value)
    return day


def _to_moment(value: str) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError(value)
    return moment
