"""The policies and calendars of a question, every version of them, read into a rulebook.

A calendar's value may be a list: its versions, oldest first. A policy's id may come again: its next
version. A later version says from when it holds (`in_force_from`), or the timeline does: the first
`calendar_changed` of that calendar brings its second version, the first `policy_changed` the second
versions of policies, and so on.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from services.sla import engine
from services.sla.evaluation.refusals import decoded, refused
from shared.calendar import Calendar, InvalidCalendar, parse_calendar
from shared.errors import Invalid


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """What a question is judged by.

    Attributes:
        rules: for the engine.
        policies: every version, in the order given.
        calendars: every version.
        warnings: remarks on the policies (C8).
        depends_on_timeline: a version's beginning was taken from the facts.
    """

    rules: engine.Rulebook
    policies: tuple[engine.Policy, ...]
    calendars: tuple[Calendar, ...]
    warnings: tuple[str, ...]
    depends_on_timeline: bool


def read_book(policies: bytes, calendars: bytes, facts: Sequence[engine.Fact]) -> Book:
    """Read both documents; `facts` say when versions begin that do not say it themselves.

    Raises:
        Invalid: naming the field at fault.
    """
    reader = _Reader(facts)
    found_calendars = reader.calendars(decoded(calendars, "calendars"))
    documents = reader.policies(decoded(policies, "policies"))
    try:
        found_policies = engine.parse_policies(documents)
        engine.check_references(found_policies, found_calendars)
    except engine.InvalidRules as error:
        raise refused(error.errors) from error
    try:
        rules = engine.Rulebook(found_policies, found_calendars)
    except ValueError as error:
        raise Invalid.of("policies", str(error)) from error
    return Book(
        rules=rules,
        policies=tuple(found_policies),
        calendars=tuple(found_calendars),
        warnings=tuple(
            f"policies[{place}].{remark}"
            for place, policy in enumerate(found_policies)
            for remark in engine.remarks(policy)
        ),
        depends_on_timeline=reader.asked_timeline,
    )


class _Reader:
    """Gives versions their numbers and beginnings."""

    def __init__(self, facts: Sequence[engine.Fact]) -> None:
        self._facts = facts
        self.asked_timeline = False

    def calendars(self, data: Any) -> list[Calendar]:
        if not isinstance(data, dict):
            raise Invalid.of("calendars", "must be an object of calendar ids to calendars")
        return [
            calendar for name, value in data.items() for calendar in self._versions(name, value)
        ]

    def _versions(self, name: str, value: Any) -> list[Calendar]:
        if not isinstance(value, list):
            return [_calendar(name, 1, value, None, f"calendars.{name}")]
        if not value:
            raise Invalid.of(f"calendars.{name}", "needs at least one version")
        found: list[Calendar] = []
        for place, document in enumerate(value):
            at = f"calendars.{name}[{place}]"
            data = document
            if place and isinstance(document, dict) and document.get("in_force_from") is None:
                changes = [
                    fact.at
                    for fact in self._facts
                    if isinstance(fact, engine.CalendarChanged) and fact.calendar_id == name
                ]
                since = self._since(changes, place, at, f"a calendar_changed of {name}")
                data = {**document, "in_force_from": since.isoformat()}
            found.append(_calendar(name, place + 1, data, found[-1] if found else None, at))
        return found

    def policies(self, data: Any) -> Any:
        """The documents, with number and beginning of versions that do not say them."""
        if not isinstance(data, list):
            return data  # the engine names what is wrong
        changes = [fact.at for fact in self._facts if isinstance(fact, engine.PolicyChanged)]
        seen: dict[str, int] = {}
        found = []
        for place, document in enumerate(data):
            name = document.get("id") if isinstance(document, dict) else None
            if not isinstance(name, str):
                found.append(document)
                continue
            earlier = seen.get(name, 0)
            seen[name] = earlier + 1
            if not earlier or document.get("version") is not None:
                found.append(document)
                continue
            versioned = {**document, "version": earlier + 1}
            if document.get("in_force_from") is None:
                at = f"policies[{place}]"
                versioned["in_force_from"] = self._since(changes, earlier, at, "a policy_changed")
            found.append(versioned)
        return found

    def _since(self, changes: list[datetime], count: int, at: str, fact: str) -> datetime:
        self.asked_timeline = True
        if len(changes) < count:
            message = f"is needed for a later version, or {fact} in the timeline"
            raise Invalid.of(f"{at}.in_force_from", message)
        return changes[count - 1]


def _calendar(
    name: str, version: int, document: Any, previous: Calendar | None, at: str
) -> Calendar:
    data = document
    if isinstance(document, dict):
        data = {**document, "id": name, "version": version}
    try:
        return parse_calendar(data, previous=previous)
    except InvalidCalendar as error:
        raise refused(error.errors, at=at) from error
