"""What was promised: policies with their conditions, targets, pauses and warnings, as values."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from services.sla.engine.facts import Category, Priority
from services.sla.engine.ladders import Ladder

Operator = Literal[
    "is",
    "is_not",
    "in",
    "not_in",
    "contains",
    "not_contains",
    "present",
    "absent",
    "gt",
    "gte",
    "lt",
    "lte",
]


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One question about the ticket: its attributes, and `priority` and `category`.

    A missing attribute is `None`: `is_not`, `not_in`, `not_contains` and `absent` hold for it.
    `contains` looks for a member of a list or a part of a text. Values that cannot be compared
    (`gt` of a text and a number) do not hold.
    """

    field: str
    op: Operator = "is"
    value: Any = None

    def holds(self, ticket: Mapping[str, Any]) -> bool:
        """Answer the question for a ticket's attributes; never fails."""
        return _holds(self.op, ticket.get(self.field), self.value)


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """All of `all` and, if there are any in `any`, at least one of these; empty always holds."""

    all: tuple[Condition, ...] = ()
    any: tuple[Condition, ...] = ()

    def hold(self, ticket: Mapping[str, Any]) -> bool:
        """Say whether a ticket with these attributes is meant."""
        for condition in self.all:
            if not condition.holds(ticket):
                return False
        return not self.any or any(condition.holds(ticket) for condition in self.any)

    @property
    def fields(self) -> frozenset[str]:
        """The attributes whose change may change the answer."""
        return frozenset(condition.field for condition in self.all + self.any)


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Within how many seconds of which calendar (`None`: 24x7).

    `priority` `None` means every priority. `when` narrows it further (customer tier, group). The
    first target of the policy that fits metric, priority and `when` counts; none: not promised.
    """

    metric: str
    seconds: int
    priority: Priority | None = None
    calendar_id: str | None = None
    when: tuple[Condition, ...] = ()


class Warn(msgspec.Struct, frozen=True, kw_only=True):
    """Warn at a percentage of the target, or so many calendar seconds before due (S17).

    Exactly one of the two. `metric` `None`: for every metric of the policy.
    """

    percent: int | None = None
    seconds_before: int | None = None
    metric: str | None = None


class MetricRule(msgspec.Struct, frozen=True, kw_only=True):
    """How this policy deviates from the metric's own definition; `None` keeps the default.

    `pauses`: categories that pause (S6). `stops_at`: what ends `resolution` (S3). `on_reopen`:
    continue with the remaining time, or restart as a new cycle (S14). `starts`: whether
    `next_reply` waits for the first reply or starts at the first customer message (S2).
    """

    pauses: tuple[Category, ...] | None = None
    stops_at: Literal["solved", "closed"] = "solved"
    on_reopen: Literal["continue", "restart"] = "continue"
    starts: Literal["after_first_reply", "first_message"] = "after_first_reply"


DEFAULT_WARNINGS = (Warn(percent=50), Warn(percent=75), Warn(percent=90))


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable version of a policy (S10).

    `order`: smaller is asked first, ties by position in the list. `in_force_from`: from when this
    version is matched (`None`: since ever); a newer version of the same id in force replaces it.
    A version with `enabled=False` withdraws the policy.
    """

    id: str
    version: int = 1
    name: str = ""
    enabled: bool = True
    order: int = 0
    in_force_from: datetime | None = None
    conditions: Conditions = Conditions()
    targets: tuple[Target, ...] = ()
    metrics: dict[str, MetricRule] = {}
    warnings: tuple[Warn, ...] = DEFAULT_WARNINGS
    escalation: tuple[Ladder, ...] = ()

    @property
    def target_fields(self) -> frozenset[str]:
        """The attributes whose change may change a target under this policy."""
        asked = (condition.field for target in self.targets for condition in target.when)
        return frozenset(asked) | {"priority"}

    def ladder(self, metric: str) -> Ladder | None:
        """Find the escalation of this metric: its own, else the one for every metric."""
        own = (ladder for ladder in self.escalation if ladder.metric == metric)
        common = (ladder for ladder in self.escalation if ladder.metric is None)
        return next(own, None) or next(common, None)


def _holds(op: Operator, actual: Any, wanted: Any) -> bool:
    match op:
        case "is" | "is_not":
            answer = bool(actual == wanted) is (op == "is")
        case "in" | "not_in":
            answer = _is_member(actual, wanted) is (op == "in")
        case "contains" | "not_contains":
            answer = _is_member(wanted, actual) is (op == "contains")
        case "present" | "absent":
            answer = (actual is not None) is (op == "present")
        case _:
            answer = _compares(op, actual, wanted)
    return answer


def _is_member(member: Any, container: Any) -> bool:
    if isinstance(container, str):
        return isinstance(member, str) and member in container
    return isinstance(container, list | tuple) and member in container


def _compares(op: Literal["gt", "gte", "lt", "lte"], actual: Any, wanted: Any) -> bool:
    numbers = isinstance(actual, int | float) and isinstance(wanted, int | float)
    if not numbers and not (isinstance(actual, str) and isinstance(wanted, str)):
        return False
    match op:
        case "gt":
            return bool(actual > wanted)
        case "gte":
            return bool(actual >= wanted)
        case "lt":
            return bool(actual < wanted)
        case "lte":
            return bool(actual <= wanted)
