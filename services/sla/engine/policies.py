"""What was promised: policies with their conditions, targets, pauses and warnings, as values."""

from datetime import datetime
from typing import Literal

import msgspec

from services.sla.engine.conditions import Conditions, calendars_of, fields_of
from services.sla.engine.facts import Category, Priority
from services.sla.engine.ladders import Ladder
from shared.events.conditions import Condition


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
        return fields_of(one for target in self.targets for one in target.when) | {"priority"}

    @property
    def asked_calendars(self) -> frozenset[str]:
        """The calendars that its conditions ask."""
        of_targets = (one for target in self.targets for one in target.when)
        return calendars_of((*self.conditions.parts, *of_targets))

    def ladder(self, metric: str) -> Ladder | None:
        """Find the escalation of this metric: its own, else the one for every metric."""
        own = (ladder for ladder in self.escalation if ladder.metric == metric)
        common = (ladder for ladder in self.escalation if ladder.metric is None)
        return next(own, None) or next(common, None)
