"""Events of sla about a ticket's promises. Stream = ticket. Names and rules: S1-S27."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from shared.events.base import Event, Owner, Priority


class _SlaEvent(Event, frozen=True, kw_only=True):
    OWNER: ClassVar[Owner] = Owner.SLA

    ticket_id: UUID

    @property
    def stream_id(self) -> UUID:
        return self.ticket_id


class _CycleEvent(_SlaEvent, frozen=True, kw_only=True):
    """About one metric's n-th cycle. All durations in seconds of the target's calendar (business seconds).

    `target_seconds`, policy, calendar and priority are those in force when it happened (rule S10-S12).
    """

    metric: str
    cycle: int
    policy_id: str
    policy_version: int
    calendar_id: str | None = None
    calendar_version: int | None = None
    priority: Priority
    target_seconds: float


class SlaPolicyApplied(_SlaEvent, frozen=True, kw_only=True, tag="sla.policy_applied.v1"):
    """This policy version now holds for the ticket (`null`: none matches any more).

    `cause`: `opened`, `changed`, and so on.
    """

    policy_id: str | None
    policy_version: int | None
    previous_policy_id: str | None = None
    previous_policy_version: int | None = None
    cause: str = "opened"


class SlaStarted(_CycleEvent, frozen=True, kw_only=True, tag="sla.started.v1"):
    """A clock began. `due_at` is null while it is paused from the beginning."""

    started_at: datetime
    due_at: datetime | None


class SlaPaused(_CycleEvent, frozen=True, kw_only=True, tag="sla.paused.v1"):
    """The clock stands still; what remains is kept."""

    elapsed_seconds: float
    remaining_seconds: float


class SlaResumed(_CycleEvent, frozen=True, kw_only=True, tag="sla.resumed.v1"):
    """The clock runs again."""

    due_at: datetime | None
    elapsed_seconds: float
    remaining_seconds: float
    paused_seconds: float


class SlaDueChanged(_CycleEvent, frozen=True, kw_only=True, tag="sla.due_changed.v1"):
    """Priority, policy or calendar changed the promise (S11, S12). `cause` names which."""

    due_at: datetime | None
    previous_due_at: datetime | None
    previous_target_seconds: float
    cause: str


class SlaMet(_CycleEvent, frozen=True, kw_only=True, tag="sla.met.v1"):
    """The promise was fulfilled at `occurred_at`. `margin_seconds` < 0: after a breach."""

    started_at: datetime
    due_at: datetime | None
    elapsed_seconds: float
    paused_seconds: float
    margin_seconds: float
    was_breached: bool


class SlaCancelled(_CycleEvent, frozen=True, kw_only=True, tag="sla.cancelled.v1"):
    """The clock ended without a result. `reason`: `merged`, `closed`, `no_policy`, `spam`."""

    reason: str
    elapsed_seconds: float
    was_breached: bool = False


class SlaWarning(_CycleEvent, frozen=True, kw_only=True, tag="sla.warning.v1"):
    """A share of the target is used up. `threshold`: percent of the target, or `-900s` before due (S17)."""

    threshold: str
    due_at: datetime
    elapsed_seconds: float
    remaining_seconds: float
    detected_at: datetime


class SlaBreached(_CycleEvent, frozen=True, kw_only=True, tag="sla.breached.v1"):
    """The promise was broken at `breached_at`, which is the deadline; `detected_at` is when we saw it (S18, S19).

    `breach_id` is derived from ticket, metric and cycle, so a rebuild gives the same.
    """

    breach_id: UUID
    started_at: datetime
    due_at: datetime
    breached_at: datetime
    detected_at: datetime
    elapsed_seconds: float
    paused_seconds: float
    cause: str
    category: str
    group_id: str | None = None
    agent_id: str | None = None


class SlaBreachRetracted(_CycleEvent, frozen=True, kw_only=True, tag="sla.breach_retracted.v1"):
    """A fact that arrived late shows that there was no breach (S20). `needs_review`: it came over 24 h late."""

    breach_id: UUID
    breached_at: datetime
    reason: str
    needs_review: bool = False


SlaEvent = (
    SlaPolicyApplied
    | SlaStarted
    | SlaPaused
    | SlaResumed
    | SlaDueChanged
    | SlaMet
    | SlaCancelled
    | SlaWarning
    | SlaBreached
    | SlaBreachRetracted
)
