"""What in a policy can never come due (C8, C9): each fault names its field and shows an example.

Such a policy looks like a promise and is none; nobody would notice. Pure: the moment is an argument.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from services.sla.engine.conditions import VOCABULARY
from services.sla.engine.facts import CATEGORIES
from services.sla.engine.metrics import METRICS, Signal
from services.sla.engine.policies import Policy, Target
from services.sla.engine.terms import Terms, terms_of
from shared.calendar import Calendar, FieldError, NoOpenTime
from shared.conditions import Shape, describe
from shared.events.conditions import Condition


def impossible(
    policy: Policy, calendars: Mapping[str, Calendar], *, at: datetime
) -> list[FieldError]:
    """Every part of the policy that no ticket and no moment could ever make due.

    Args:
        policy: to be defined.
        calendars: by id, those in force; a target on one that is not here is passed over.
        at: from when an example is computed.
    """
    found = []
    if (excluded := _contradiction(policy.conditions.parts)) is not None:
        place, said = excluded
        path = policy.conditions.placed[place][0]
        found.append(FieldError(path, f"no ticket is ever meant by: {said}"))
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
    own = list(target.when)
    if target.priority is not None:
        own.append(Condition("priority", "is", target.priority))
    asked = policy.conditions.parts
    if _contradiction(asked) is None and (excluded := _contradiction([*asked, *own])) is not None:
        place = "priority" if target.priority is not None and not target.when else "when"
        return [FieldError(f"{field}.{place}", f"no ticket ever gets this target: {excluded[1]}")]
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


def _contradiction(when: Sequence[Condition]) -> tuple[int, str] | None:
    """The place of a condition that cannot hold together with those before it, and what they say."""
    for place in range(len(when)):
        found = Shape(when[: place + 1], VOCABULARY).contradiction
        if found is not None:
            return place, describe(found)
    return None
