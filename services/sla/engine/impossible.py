"""What in a policy can never come due (C8, C9): each fault names its field and shows an example.

Such a policy looks like a promise and is none; nobody would notice. Pure: the moment is an argument.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from services.sla.engine.facts import CATEGORIES, PRIORITIES
from services.sla.engine.metrics import METRICS, Signal
from services.sla.engine.policies import Condition, Policy, Target
from services.sla.engine.terms import Terms, terms_of
from shared.calendar import Calendar, FieldError, NoOpenTime

_KNOWN: Final[Mapping[str, tuple[Any, ...]]] = {"priority": PRIORITIES, "category": CATEGORIES}
"""Fields whose every value is known."""

_LIMITS: Final = ("gt", "gte", "lt", "lte")


def impossible(
    policy: Policy, calendars: Mapping[str, Calendar], *, at: datetime
) -> list[FieldError]:
    """Every part of the policy that no ticket and no moment could ever make due.

    Args:
        policy: to be defined.
        calendars: by id, those in force; a target on one that is not here is passed over.
        at: from when an example is computed.
    """
    found = [
        FieldError(f"conditions.all[{place}]", f"no ticket is ever meant: {example}")
        for place, example in _contradiction(policy.conditions.all)
    ]
    terms = terms_of(METRICS.values(), policy)
    promised = {target.metric for target in policy.targets}
    for metric in sorted(promised & policy.metrics.keys()):
        if policy.metrics[metric].pauses is not None and _always_paused(terms[metric]):
            example = (
                f"{metric} stands still in every category a ticket is worked on in; for example a"
                f" ticket created as new at {at.isoformat(timespec='seconds')} never gets a deadline"
            )
            found.append(FieldError(f"metrics.{metric}.pauses", example))
    for index, target in enumerate(policy.targets):
        found += _of_target(policy, target, f"targets[{index}]", calendars, at)
    return found


def _of_target(
    policy: Policy,
    target: Target,
    field: str,
    calendars: Mapping[str, Calendar],
    at: datetime,
) -> list[FieldError]:
    own: list[Condition] = list(target.when)
    if target.priority is not None:
        own.append(Condition(field="priority", value=target.priority))
    is_meant = _contradiction(policy.conditions.all)
    if not is_meant:
        for _, example in _contradiction([*policy.conditions.all, *own]):
            place = "priority" if target.priority is not None and not target.when else "when"
            return [FieldError(f"{field}.{place}", f"no ticket ever gets this target: {example}")]
    calendar = calendars.get(target.calendar_id) if target.calendar_id is not None else None
    return unreachable(target, calendar, field=field, at=at)


def unreachable(
    target: Target, calendar: Calendar | None, *, field: str, at: datetime
) -> list[FieldError]:
    """The target's seconds, if its calendar has not so many open ones in the years that are searched (C9)."""
    if calendar is None:
        return []
    try:
        calendar.add(at, target.seconds)
    except NoOpenTime as error:
        example = (
            f"can never come due: a {target.metric} that starts at"
            f" {at.isoformat(timespec='seconds')} on calendar {target.calendar_id}: {error}"
        )
        return [FieldError(f"{field}.seconds", example)]
    return []


def _always_paused(terms: Terms) -> bool:
    """Whether the clock would stand still in every category in which it is alive."""
    ends = terms.stops | terms.cancels
    over = {
        "solved": Signal.SOLVED in ends,
        "closed": Signal.SOLVED in ends or Signal.CLOSED in ends,
    }
    return all(category in terms.pauses or over.get(category, False) for category in CATEGORIES)


def _contradiction(conditions: Iterable[Condition]) -> list[tuple[int, str]]:
    """The place of a condition that cannot hold together with those before it, and why; at most one."""
    by_field: dict[str, list[Condition]] = {}
    for place, condition in enumerate(conditions):
        together = by_field.setdefault(condition.field, [])
        together.append(condition)
        if not _can_hold(together):
            said = " and ".join(_said(one) for one in together)
            return [
                (place, f"nothing is {said} at once" if len(together) > 1 else f"nothing is {said}")
            ]
    return []


def _can_hold(together: list[Condition]) -> bool:
    """Whether some value of the field satisfies all of them; in doubt, yes."""
    field = together[0].field
    values: tuple[Any, ...] | None = _KNOWN.get(field)
    for condition in together if values is None else ():
        if condition.op == "is":
            values = (condition.value,)
        elif condition.op == "in" and isinstance(condition.value, list | tuple):
            values = tuple(condition.value)
        else:
            continue
        break
    if values is not None:
        return any(
            all(condition.holds({field: value}) for condition in together) for value in values
        )
    ops = {condition.op for condition in together}
    if "absent" in ops and ops & {"present", "contains", *_LIMITS}:
        return False
    return _range_is_open([one for one in together if one.op in _LIMITS])


def _range_is_open(limits: list[Condition]) -> bool:
    lows = [one for one in limits if one.op in ("gt", "gte")]
    highs = [one for one in limits if one.op in ("lt", "lte")]
    for low in lows:
        for high in highs:
            try:
                is_strict = low.op == "gt" or high.op == "lt"
                if low.value > high.value or (is_strict and low.value == high.value):
                    return False
            except TypeError:  # a number and a text: no value compares with both
                return False
    return True


def _said(condition: Condition) -> str:
    if condition.op in ("present", "absent"):
        return f"{condition.field} {condition.op}"
    return f"{condition.field} {condition.op} {condition.value!r}"
