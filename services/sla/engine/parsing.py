"""Reading policies and timelines from JSON; every refusal names its field (C8)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from services.sla.engine.conditions import Conditions, as_written_now, faults_of
from services.sla.engine.facts import TAGS, BreachTakenBack, Created, Fact
from services.sla.engine.ladders import ladder_problems
from services.sla.engine.metrics import METRICS
from services.sla.engine.policies import Policy, Warn
from shared.calendar import Calendar, FieldError, InvalidCalendar, parse_calendar

_MAX_SECONDS = 10 * 366 * 86_400  # the search bound of C9
_MAX_PERCENT = 99
_WHERE = re.compile(r"^(?P<message>.*?)(?: - at `\$\.?(?P<field>.*)`)?$", re.DOTALL)


class InvalidRules(ValueError):
    """A policy or timeline is refused; `errors` names the wrong fields."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = tuple(errors)


class _PolicyShape(Policy, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


def parse_policy(data: Any, *, at: str = "", is_accepted: bool = False) -> Policy:
    """Read and check one policy; `at` is its place in a larger document, for the field names.

    Of one that was accepted before, conditions are taken as they are: history stays readable whatever is refused today.

    Raises:
        InvalidRules: naming every wrong field.
    """
    policy = _converted(_as_written_now(data, is_accepted=is_accepted), _PolicyShape, at)
    errors = [
        FieldError(f"{at}.{error.field}" if at else error.field, error.message)
        for error in [*_problems(policy), *([] if is_accepted else _unasked(policy))]
    ]
    if errors:
        raise InvalidRules(errors)
    return Policy(**{name: getattr(policy, name) for name in Policy.__struct_fields__})


def parse_policies(data: Any, *, at: str = "policies") -> list[Policy]:
    """Read an ordered list of policies; see `parse_policy`."""
    if not isinstance(data, list):
        raise InvalidRules([FieldError(at, "must be a list of policies")])
    return [parse_policy(entry, at=f"{at}[{index}]") for index, entry in enumerate(data)]


def parse_calendars(data: Any, *, at: str = "calendars") -> list[Calendar]:
    """Read an object of calendar id to calendar; see `shared.calendar.parse_calendar`."""
    if not isinstance(data, dict):
        raise InvalidRules([FieldError(at, "must be an object of calendar ids to calendars")])
    found: list[Calendar] = []
    errors: list[FieldError] = []
    for name, entry in data.items():
        try:
            found.append(replace(parse_calendar(entry), id=str(name)))
        except InvalidCalendar as error:
            place = f"{at}.{name}"
            errors += [
                FieldError(f"{place}.{wrong.field}" if wrong.field else place, wrong.message)
                for wrong in error.errors
            ]
    if errors:
        raise InvalidRules(errors)
    return found


def check_references(policies: Sequence[Policy], calendars: Sequence[Calendar]) -> None:
    """Refuse targets and conditions on calendars that are not given (C8).

    Raises:
        InvalidRules: naming every such target and policy.
    """
    known = {calendar.id for calendar in calendars}
    errors = [
        FieldError(
            f"policies[{position}].targets[{index}].calendar_id",
            f"{target.calendar_id!r} is not one of the calendars",
        )
        for position, policy in enumerate(policies)
        for index, target in enumerate(policy.targets)
        if target.calendar_id is not None and target.calendar_id not in known
    ]
    errors += [
        FieldError(f"policies[{position}].conditions", f"{name!r} is not one of the calendars")
        for position, policy in enumerate(policies)
        for name in sorted(policy.asked_calendars - known)
    ]
    if errors:
        raise InvalidRules(errors)


def parse_timeline(data: Any, *, at: str = "timeline") -> list[Fact]:
    """Read `[{"at": …, "type": "created", …}]` into facts, ordered by their moment.

    Raises:
        InvalidRules: naming the wrong field, or a timeline that does not begin with its creation.
    """
    if not isinstance(data, list):
        raise InvalidRules([FieldError(at, "must be a list of facts")])
    facts = [_fact(entry, f"{at}[{index}]") for index, entry in enumerate(data)]
    facts.sort(key=lambda fact: (fact.at, not isinstance(fact, Created)))
    if not facts or not isinstance(facts[0], Created):
        raise InvalidRules([FieldError(at, "must begin with a fact of type created")])
    return facts


def _fact(data: Any, at: str) -> Fact:
    if not isinstance(data, dict):
        raise InvalidRules([FieldError(at, "must be an object")])
    named = data.get("type")
    kind = _KINDS.get(named) if isinstance(named, str) else None
    if kind is None:
        known = ", ".join(_KINDS)
        raise InvalidRules([FieldError(f"{at}.type", f"must be one of {known}")])
    known_types, required = _SHAPES[kind]
    unknown = data.keys() - known_types.keys() - {"type"}
    if unknown:
        names = ", ".join(sorted(unknown))
        raise InvalidRules([FieldError(f"{at}.{min(unknown)}", f"{data['type']} has no {names}")])
    # The facts are stored as arrays; the shape read from people is the object.
    fields = {
        name: _converted(data[name], type_, f"{at}.{name}")
        for name, type_ in known_types.items()
        if name in data
    }
    missing = [name for name in required if name not in fields]
    if missing:
        raise InvalidRules([FieldError(f"{at}.{name}", "is needed") for name in missing])
    for name, value in fields.items():
        if isinstance(value, datetime):
            if value.tzinfo is None:
                message = "needs a time zone, 2026-01-31T09:00:00Z"
                raise InvalidRules([FieldError(f"{at}.{name}", message)])
            fields[name] = value.astimezone(UTC)
    fact = kind(**fields)
    if isinstance(fact, BreachTakenBack) and not fact.since <= fact.until <= fact.at:
        raise InvalidRules([FieldError(f"{at}.until", "must lie between since and at")])
    return fact


_KINDS: dict[str, type[Fact]] = {tag: kind for kind, tag in TAGS.items()}
_SHAPES: dict[type[Fact], tuple[dict[str, Any], tuple[str, ...]]] = {
    kind: (
        {field.name: field.type for field in msgspec.structs.fields(kind)},
        tuple(field.name for field in msgspec.structs.fields(kind) if field.required),
    )
    for kind in _KINDS.values()
}
"""Of each kind its fields with their types, and those that are needed; asking msgspec each time is slow."""


def _converted(data: Any, kind: Any, at: str) -> Any:
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        found = _WHERE.match(str(error))
        inner = (found["field"] or "") if found else ""
        message = found["message"] if found else str(error)
        field = f"{at}.{inner}" if at and inner and not inner.startswith("[") else f"{at}{inner}"
        raise InvalidRules([FieldError(field, message)]) from error


def _as_written_now(data: Any, *, is_accepted: bool) -> Any:
    """The document with its conditions in the words of today; what has another shape is left for the checks."""
    if not isinstance(data, dict):
        return data
    told = dict(data)
    if "conditions" in told:
        told["conditions"] = as_written_now(told["conditions"])
    if is_accepted and isinstance(told.get("conditions"), dict):
        told["conditions"] = {
            form: told["conditions"].get(form, ()) for form in Conditions.__struct_fields__
        }
    if isinstance(told.get("targets"), list):
        told["targets"] = [
            {**target, "when": [as_written_now(one) for one in target["when"]]}
            if isinstance(target, dict) and isinstance(target.get("when"), list)
            else target
            for target in told["targets"]
        ]
    return told


def _problems(policy: Policy) -> list[FieldError]:
    found: list[FieldError] = []
    if policy.in_force_from is not None and policy.in_force_from.tzinfo is None:
        found.append(FieldError("in_force_from", "needs a time zone"))
    if not policy.id:
        found.append(FieldError("id", "must not be empty"))
    if policy.version < 1:
        found.append(FieldError("version", "must be 1 or more"))
    for index, target in enumerate(policy.targets):
        field = f"targets[{index}]"
        if target.metric not in METRICS:
            known = ", ".join(METRICS)
            found.append(FieldError(f"{field}.metric", f"must be one of {known}"))
        if not 0 < target.seconds <= _MAX_SECONDS:
            found.append(FieldError(f"{field}.seconds", f"must be from 1 to {_MAX_SECONDS}"))
    found += [
        FieldError(f"metrics.{name}", f"must be one of {', '.join(METRICS)}")
        for name in policy.metrics
        if name not in METRICS
    ]
    for index, warn in enumerate(policy.warnings):
        found += _warning_problems(warn, f"warnings[{index}]")
    found += ladder_problems(policy.escalation)
    return found


def _unasked(policy: Policy) -> Iterator[FieldError]:
    """Conditions that cannot be asked."""
    for form in ("all", "any", "none"):
        yield from faults_of(getattr(policy.conditions, form), f"conditions.{form}")
    for index, target in enumerate(policy.targets):
        yield from faults_of(target.when, f"targets[{index}].when")


def _warning_problems(warn: Warn, field: str) -> list[FieldError]:
    found: list[FieldError] = []
    if (warn.percent is None) == (warn.seconds_before is None):
        found.append(FieldError(field, "needs either percent or seconds_before"))
    if warn.percent is not None and not 0 < warn.percent <= _MAX_PERCENT:
        found.append(FieldError(f"{field}.percent", "must be from 1 to 99"))
    if warn.seconds_before is not None and warn.seconds_before < 1:
        found.append(FieldError(f"{field}.seconds_before", "must be 1 or more"))
    if warn.metric is not None and warn.metric not in METRICS:
        found.append(FieldError(f"{field}.metric", f"must be one of {', '.join(METRICS)}"))
    return found
