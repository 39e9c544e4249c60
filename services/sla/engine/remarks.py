"""What in a policy is probably a mistake and still allowed (C8)."""

from services.sla.engine.conditions import VOCABULARY
from services.sla.engine.facts import PRIORITIES
from services.sla.engine.metrics import FIRST_REPLY, RESOLUTION
from services.sla.engine.policies import Policy, Target
from shared.conditions import Shape


def remarks(policy: Policy) -> tuple[str, ...]:
    """One sentence for each mistake.

    A first reply promised later than its resolution (for which priorities; targets narrowed by `when`
    are left aside, which of them meet is for the tickets to say), a target that is never chosen, a
    warning that is never given.
    """
    return (*_late_replies(policy), *_never_chosen(policy), *_never_warned(policy))


def _never_chosen(policy: Policy) -> list[str]:
    """Targets behind one that fits every ticket they fit: the first that fits counts."""
    return [
        f"targets[{index}]: never chosen, targets[{first}] fits every such ticket"
        for index, target in enumerate(policy.targets)
        for first, earlier in enumerate(policy.targets[:index])
        if earlier.metric == target.metric
        and earlier.priority in (None, target.priority)
        and Shape(target.when, VOCABULARY).implies(Shape(earlier.when, VOCABULARY))
    ]


def _never_warned(policy: Policy) -> list[str]:
    """Warnings so long before due that the clock has not begun yet, for each target they are for."""
    return [
        f"warnings[{index}]: never given for targets[{place}], {warn.seconds_before} s before due"
        f" of a target of {target.seconds} s"
        for index, warn in enumerate(policy.warnings)
        for place, target in enumerate(policy.targets)
        if warn.seconds_before is not None
        and warn.metric in (None, target.metric)
        and warn.seconds_before >= target.seconds
    ]


def _late_replies(policy: Policy) -> tuple[str, ...]:
    late: dict[tuple[int, int], list[str]] = {}
    for priority in PRIORITIES:
        first = _target(policy, FIRST_REPLY, priority)
        last = _target(policy, RESOLUTION, priority)
        if first is not None and last is not None and _is_later(first, last):
            late.setdefault((first.seconds, last.seconds), []).append(priority)
    return tuple(
        f"targets: the first reply ({first} s) is promised later than the resolution ({last} s)"
        f" for priority {', '.join(found) if len(found) < len(PRIORITIES) else 'any'}"
        for (first, last), found in late.items()
    )


def _target(policy: Policy, metric: str, priority: str) -> Target | None:
    for target in policy.targets:
        if target.metric == metric and target.priority in (None, priority) and not target.when:
            return target
    return None


def _is_later(first: Target, last: Target) -> bool:
    """Surely later: seconds of a calendar are never shorter than seconds of the clock on the wall."""
    comparable = first.calendar_id == last.calendar_id or last.calendar_id is None
    return comparable and first.seconds > last.seconds
