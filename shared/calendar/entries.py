"""Closed days and hours as they come from elsewhere: each with its name, for a person to approve (C11)."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple


class ClosedDay(NamedTuple):
    """A whole local date on which the desk may be closed; `note` says what is odd about it."""

    date: date
    name: str
    note: str = ""


class ClosedHours(NamedTuple):
    """A part of a local date, as `HH:MM:SS` wall time; `closes` before `opens` ends on the next day."""

    date: date
    since: str
    until: str
    name: str
    note: str = ""


def proposal(
    days: Iterable[ClosedDay],
    hours: Iterable[ClosedHours] = (),
    *,
    into: Mapping[str, Any] | None = None,
    is_approved: bool = False,
) -> dict[str, Any]:
    """A calendar document with these entries, in the form that `parse_calendar` reads.

    Args:
        days: become `holidays`.
        hours: become `breaks`.
        into: a document to add to; what it has already, by date, stays as it is.
        is_approved: someone vouches for all of them. Else each says `"approved": false`, and the
            calendar is refused until that has been decided entry by entry.
    """
    document = dict(into or {})
    holidays = list(document.get("holidays") or [])
    known = {each["date"] if isinstance(each, Mapping) else each for each in holidays}
    new = [day for day in sorted(set(days)) if day.date.isoformat() not in known]
    document["holidays"] = [
        *holidays,
        *({"date": day.date.isoformat(), **_remarks(day, is_approved)} for day in new),
    ]
    breaks = {key: list(value) for key, value in (document.get("breaks") or {}).items()}
    for part in sorted(set(hours)):
        of_day = breaks.setdefault(part.date.isoformat(), [])
        if not any(_is_same(part, known) for known in of_day):
            span = {"from": part.since, "to": part.until}
            of_day.append({**span, **_remarks(part, is_approved)})
    if breaks:
        document["breaks"] = breaks
    return document


def _remarks(entry: ClosedDay | ClosedHours, is_approved: bool) -> dict[str, Any]:
    note = {"note": entry.note} if entry.note else {}
    return {"name": entry.name, **note, "approved": is_approved}


def _is_same(part: ClosedHours, known: Any) -> bool:
    span = [known.get("from"), known.get("to")] if isinstance(known, Mapping) else list(known)
    return span == [part.since, part.until]
