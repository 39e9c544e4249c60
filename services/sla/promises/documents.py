"""Reading policy and calendar documents as people send them; refusing what could never be kept (C8)."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from importlib import metadata
from typing import Any, Final

from services.sla.engine import VOCABULARY, InvalidRules, Policy, parse_policy
from shared.calendar import Calendar, InvalidCalendar, parse_calendar
from shared.conditions import condition_faults
from shared.errors import FieldError, Invalid
from shared.events.base import Channel
from shared.identifiers import is_slug

_WORDS: Final = {"channel": tuple(channel.value for channel in Channel)}
"""Of fields whose words the engine does not know."""

_OURS: Final = ("id", "version")
"""Given by the address and by the history; a document that repeats them is read without them."""


def checked_id(value: str, *, field: str) -> str:
    """A policy's or calendar's id.

    Raises:
        Invalid: it is not a slug.
    """
    if not is_slug(value):
        raise Invalid.of(
            field,
            "must be 1-64 of a-z, 0-9, dot, dash and underscore, beginning with a letter or digit",
        )
    return value


def read_policy(
    policy_id: str,
    version: int,
    document: Mapping[str, Any],
    *,
    in_force_from: datetime | None = None,
) -> Policy:
    """A policy version from its document; of a new one `check_conditions` looks at the conditions.

    Raises:
        Invalid: naming every wrong field.
    """
    data = {**document, "id": policy_id, "version": version}
    if in_force_from is not None:
        data.setdefault("in_force_from", in_force_from)
    try:
        return parse_policy(data, is_accepted=True)
    except InvalidRules as error:
        raise _invalid("policy", error) from error


def check_conditions(policy: Policy, calendars: Collection[str]) -> None:
    """Refuse a question about something no ticket has: it would never hold, and nobody would notice.

    Asked only of new documents; what is in the history stays as it was accepted.

    Args:
        policy: to be defined.
        calendars: ids of those that there are.

    Raises:
        Invalid: naming every such condition.
    """
    asked = {
        f"conditions.{form}": getattr(policy.conditions, form) for form in ("all", "any", "none")
    } | {f"targets[{place}].when": target.when for place, target in enumerate(policy.targets)}
    faults = [
        fault
        for path, when in asked.items()
        for fault in condition_faults(when, path, VOCABULARY, words=_WORDS, calendars=calendars)
    ]
    if faults:
        raise Invalid("The policy asks for what tickets do not have.", errors=faults)


def read_calendar(
    calendar_id: str,
    version: int,
    document: Mapping[str, Any],
    *,
    in_force_from: datetime | None = None,
    first_day: date | None = None,
    previous: Calendar | None = None,
) -> Calendar:
    """A calendar version from its document; with `first_day` it must open within a year of it.

    Raises:
        Invalid: naming every wrong field.
    """
    data = {**document, "id": calendar_id, "version": version}
    if in_force_from is not None:
        data.setdefault("in_force_from", in_force_from.isoformat())
    try:
        return parse_calendar(data, first_day=first_day, previous=previous)
    except InvalidCalendar as error:
        raise _invalid("calendar", error) from error


def as_sent(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without what is ours to say."""
    return {key: value for key, value in document.items() if key not in _OURS}


def tzdata_version() -> str:
    """Which zone data calendars are compiled with (C10)."""
    return metadata.version("tzdata")


def _invalid(what: str, error: InvalidCalendar | InvalidRules) -> Invalid:
    return Invalid(
        f"The {what} cannot be accepted: {error}",
        errors=[FieldError(each.field, each.message) for each in error.errors],
    )
