"""An iCalendar feed read as closed days and hours: proposed entry by entry, never taken by itself (C11).

Feeds bring "observances" and birthdays beside holidays; a desk that closed by itself on each of
them has been reported elsewhere (bug 6). So what a feed says of an entry is passed on as its note.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, Final, NamedTuple

import icalendar
import recurring_ical_events  # type: ignore[import-untyped]

from shared.calendar.entries import ClosedDay, ClosedHours
from shared.calendar.zones import zone_of

ENTRIES_MAX: Final = 10_000
"""A rule such as "every day" in ten years is 3,650; more is not a calendar of holidays."""
FEED_BYTES_MAX: Final = 4 * 1024 * 1024
YEARS_MAX: Final = 20

_TOO_FINE: Final = frozenset({"SECONDLY", "MINUTELY", "HOURLY"})
_MIDNIGHT: Final = "00:00:00"
_NAMELESS: Final = "(no name)"


class UnreadableFeed(ValueError):
    """The feed cannot be used; the message says why."""


class Feed(NamedTuple):
    """What a feed says: its own name and zone if it gives them, and what is closed."""

    name: str | None
    timezone: str | None
    days: tuple[ClosedDay, ...]
    hours: tuple[ClosedHours, ...]


def read_feed(data: bytes, *, first: date, last: date, timezone: str | None = None) -> Feed:
    """Read all events that touch the dates `[first, last]`, repeated ones each time.

    All-day events are closed days; events with times are closed hours of their local dates. What
    was cancelled is left out.

    Args:
        data: the feed, RFC 5545.
        first: from this local date on.
        last: up to and with this one.
        timezone: the calendar's IANA zone, for events with times; the feed's own without it.

    Raises:
        UnreadableFeed: not iCalendar, too large, or times without a zone to read them in.
    """
    if len(data) > FEED_BYTES_MAX:
        raise UnreadableFeed(f"more than {FEED_BYTES_MAX} bytes")
    if last < first or last.year - first.year >= YEARS_MAX:
        raise UnreadableFeed(f"from 1 to {YEARS_MAX} years can be asked for")
    feed = _parsed(data)
    own_zone = str(feed["X-WR-TIMEZONE"]) if "X-WR-TIMEZONE" in feed else None
    zone = timezone or own_zone
    days: set[ClosedDay] = set()
    hours: set[ClosedHours] = set()
    for event in _events(feed, first, last):
        for entry in _entries(event, zone):
            if not first <= entry.date <= last:
                continue
            if isinstance(entry, ClosedDay):
                days.add(entry)
            else:
                hours.add(entry)
    name = str(feed["X-WR-CALNAME"]) if "X-WR-CALNAME" in feed else None
    return Feed(name, own_zone, tuple(sorted(days)), tuple(sorted(hours)))


def _parsed(data: bytes) -> icalendar.Calendar:
    try:
        feed = icalendar.Calendar.from_ical(data)
    except (ValueError, KeyError, IndexError) as error:
        raise UnreadableFeed(f"not an iCalendar file: {error}") from error
    if not isinstance(feed, icalendar.Calendar):
        raise UnreadableFeed("not an iCalendar file: it does not begin with VCALENDAR")
    return feed


def _events(feed: icalendar.Calendar, first: date, last: date) -> Iterator[Any]:
    for event in feed.walk("VEVENT"):
        rules = event.get("RRULE", [])
        for rule in rules if isinstance(rules, list) else [rules]:
            too_fine = _TOO_FINE.intersection(rule.get("FREQ", ()))
            if too_fine:
                raise UnreadableFeed(f"{_name(event)}: repeats {min(too_fine).lower()}")
    try:
        # A day of margin: the feed's zones and the calendar's may differ.
        day = timedelta(days=1)
        found = recurring_ical_events.of(feed).between(first - day, last + day)
        events = list(islice(found, ENTRIES_MAX + 1))
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise UnreadableFeed(f"an event cannot be read: {error}") from error
    if len(events) > ENTRIES_MAX:
        raise UnreadableFeed(f"more than {ENTRIES_MAX} entries")
    return (event for event in events if str(event.get("STATUS", "")).upper() != "CANCELLED")


def _entries(event: Any, zone: str | None) -> Iterator[ClosedDay | ClosedHours]:
    name, note = _name(event), _note(event)
    start, end = event.start, event.end
    if not isinstance(start, datetime):
        while start < end:
            yield ClosedDay(start, name, note)
            start += timedelta(days=1)
        return
    opened, closed = _wall(start, zone, name), _wall(end, zone, name)
    while opened < closed:
        midnight = datetime.combine(opened.date() + timedelta(days=1), datetime.min.time())
        until = min(closed, midnight)
        if (opened.time().isoformat(), until) == (_MIDNIGHT, midnight):
            yield ClosedDay(opened.date(), name, note)
        else:
            text = "24:00:00" if until == midnight else until.time().isoformat("seconds")
            since = opened.time().isoformat("seconds")
            yield ClosedHours(opened.date(), since, text, name, note)
        opened = until


def _wall(moment: datetime, zone: str | None, name: str) -> datetime:
    """The moment on the desk's own clock; one that names no zone is already meant so."""
    if moment.tzinfo is None:
        return moment
    if zone is None:
        raise UnreadableFeed(f"{name}: has times, so the time zone of the calendar must be given")
    try:
        return moment.astimezone(zone_of(zone)).replace(tzinfo=None)
    except KeyError:
        raise UnreadableFeed(f"{zone!r} is not a known IANA time zone") from None


def _name(event: Any) -> str:
    return str(event.get("SUMMARY", "")).strip() or _NAMELESS


def _note(event: Any) -> str:
    """What the feed itself says against closing the desk for it."""
    notes = []
    if str(event.get("TRANSP", "")).upper() == "TRANSPARENT":
        notes.append("does not block time in the feed")
    if str(event.get("STATUS", "")).upper() == "TENTATIVE":
        notes.append("tentative")
    text = str(event.get("DESCRIPTION", "")).strip().partition("\n")[0]
    return "; ".join([*notes, *([text[:200]] if text else [])])
