"""What the engine concludes: one typed outcome for each thing worth telling others (rule S22).

All times are aware UTC. All `…_seconds` are seconds of the clock's calendar (real seconds when the
calendar is `None`, that is 24x7), whole numbers where they are whole. The moment of noticing is not
here: the engine has no clock; whoever calls `advance` knows when it did (`detected_at`).
"""

from datetime import datetime
from typing import Literal

import msgspec

Seconds = int | float
EndReason = Literal[
    "no_policy",  # no policy matches any more, S13
    "no_target",  # the policy has no target for this metric and priority
    "merged",
    "closed",  # closed without having been solved, S3
    "solved",  # the ticket was solved and this metric has nothing left to promise
    "deleted",
    "spam",
    "anonymised",
]
Cause = str
"""The tag of the fact that caused it, or `time_passed`, `target_changed`, `late_fact`."""


class PolicyApplied(msgspec.Struct, frozen=True, kw_only=True, tag="policy_applied"):
    """Another policy or version is pinned to the ticket from `at` on; `None`: none matches (S10)."""

    at: datetime
    policy_id: str | None
    policy_version: int | None
    previous_policy_id: str | None
    previous_policy_version: int | None
    cause: Cause


class _ClockOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What every outcome of one clock carries.

    `at`: when it took effect in the world. `due_at`: the deadline after this outcome (`None` while
    paused). `paused_seconds`: calendar seconds excluded so far, so that elapsed + paused is the
    calendar time since `started_at`. `remaining_seconds`: target - elapsed, negative when late.
    """

    at: datetime
    metric: str
    cycle: int
    cause: Cause
    priority: str
    policy_id: str
    policy_version: int
    calendar_id: str | None
    calendar_version: int | None
    target_seconds: Seconds
    started_at: datetime
    due_at: datetime | None
    elapsed_seconds: Seconds
    paused_seconds: Seconds
    remaining_seconds: Seconds


class Started(_ClockOutcome, frozen=True, kw_only=True, tag="started"):
    """A clock runs; `started_at` is the original start, possibly before `at` (S13)."""


class Paused(_ClockOutcome, frozen=True, kw_only=True, tag="paused"):
    """The clock stands still from `at` on (S7)."""


class Resumed(_ClockOutcome, frozen=True, kw_only=True, tag="resumed"):
    """The clock goes on from `at`, after a pause or a reopening (S7, S14)."""


class DueChanged(_ClockOutcome, frozen=True, kw_only=True, tag="due_changed"):
    """Target, policy or calendar changed, or a late fact moved the deadline (S11, S12)."""

    previous_due_at: datetime | None
    previous_target_seconds: Seconds
    previous_calendar_id: str | None
    previous_calendar_version: int | None


class Met(_ClockOutcome, frozen=True, kw_only=True, tag="met"):
    """What was promised happened at `met_at`; late if `breached_at` is set (S4)."""

    met_at: datetime
    margin_seconds: Seconds
    breached_at: datetime | None


class Cancelled(_ClockOutcome, frozen=True, kw_only=True, tag="cancelled"):
    """The promise does not hold any more (S3, S13, S15, S16)."""

    reason: EndReason


class Warned(_ClockOutcome, frozen=True, kw_only=True, tag="warning"):
    """A warning threshold was passed at `at`; exactly one of the two thresholds is set (S17)."""

    percent: int | None
    seconds_before: int | None


class Breached(_ClockOutcome, frozen=True, kw_only=True, tag="breached"):
    """The deadline passed with nothing met (S4, S18, S19).

    `breached_at` is the deadline itself, or the moment at which a shorter target was set (S11).
    `attempt` is 0, and grows only after a retraction in the same cycle: the outcome's identity is
    (ticket, metric, cycle, attempt).
    """

    breached_at: datetime
    attempt: int


class BreachRetracted(_ClockOutcome, frozen=True, kw_only=True, tag="breach_retracted"):
    """A fact that arrived late shows that the breach of this attempt did not happen (S20)."""

    breached_at: datetime
    attempt: int
    fact_at: datetime


class NeedsReview(_ClockOutcome, frozen=True, kw_only=True, tag="needs_review"):
    """A fact more than 24 h late would have retracted this breach; a person decides (S20)."""

    breached_at: datetime
    attempt: int
    fact_at: datetime


class BreachUpheld(_ClockOutcome, frozen=True, kw_only=True, tag="breach_upheld"):
    """A person decided that the breach of this attempt stands, whatever came late (S20)."""

    breached_at: datetime
    attempt: int
    fact_at: datetime


class Unschedulable(_ClockOutcome, frozen=True, kw_only=True, tag="unschedulable"):
    """No deadline can be found: too little open time within ten years, or no such calendar (C9)."""

    reason: Literal["no_open_time", "unknown_calendar"]


ClockOutcome = (
    Started
    | Paused
    | Resumed
    | DueChanged
    | Met
    | Cancelled
    | Warned
    | Breached
    | BreachRetracted
    | NeedsReview
    | BreachUpheld
    | Unschedulable
)
Outcome = PolicyApplied | ClockOutcome
