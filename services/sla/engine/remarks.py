"""What in a policy is probably a mistake and still allowed (C8)."""

from services.sla.engine.facts import PRIORITIES
from services.sla.engine.metrics import FIRST_REPLY, RESOLUTION
from services.sla.engine.policies import Policy, Target


def remarks(policy: Policy) -> tuple[str, ...]:
    """One sentence per priority whose first reply is promised later than its resolution.

    Targets narrowed by `when` are left aside: which of them meet is for the tickets to say.
    """
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
