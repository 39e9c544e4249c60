"""The calendars that sla has defined, as routing asks them: is it open?"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from shared.calendar import Calendar, InvalidCalendar, parse_calendar
from shared.conditions import OpenAt


class CalendarVersion(msgspec.Struct, kw_only=True):
    """One version of a calendar, as it was published."""

    calendar_id: str
    version: int
    definition: dict[str, Any]


class Calendars:
    """All calendars by id, each the newest version. What cannot be read is never open and named in `unreadable`."""

    def __init__(self, versions: Iterable[CalendarVersion] = ()) -> None:
        self.by_id: dict[str, Calendar] = {}
        self.unreadable: set[str] = set()
        self.versions: list[CalendarVersion] = []
        for version in sorted(versions, key=lambda one: (one.calendar_id, one.version)):
            self.learn(version)

    def learn(self, version: CalendarVersion) -> None:
        """A calendar has a new version."""
        name = version.calendar_id
        self.versions.append(version)
        try:
            self.by_id[name] = parse_calendar(
                version.definition | {"id": name, "version": version.version},
                previous=self.by_id.get(name),
            )
        except InvalidCalendar:
            # Sla has checked it; a newer sla may write what this version of routing cannot read.
            self.unreadable.add(name)
        else:
            self.unreadable.discard(name)

    @property
    def open_at(self) -> Mapping[str, OpenAt]:
        """For the rules: whether a calendar is open at a moment, by id."""
        return {name: calendar.is_open for name, calendar in self.by_id.items()}
