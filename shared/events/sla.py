"""Events of sla about a ticket's promises. Stream = ticket. Names and rules: S1-S27."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

import msgspec

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
    """Priority, policy or calendar changed the promise (S11, S12), or a breach was taken back. `cause` names which."""

    due_at: datetime | None
    previous_due_at: datetime | None
    previous_target_seconds: float
    cause: str
    elapsed_seconds: float | None = None


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
    note: str | None = None


class SlaBreachUpheld(_CycleEvent, frozen=True, kw_only=True, tag="sla.breach_upheld.v1"):
    """A person (the actor) decided that the breach stands, though a fact came late that spoke against it (S20)."""

    breach_id: UUID
    breached_at: datetime
    note: str | None = None


class SlaUnschedulable(_CycleEvent, frozen=True, kw_only=True, tag="sla.unschedulable.v1"):
    """No deadline can be found for this clock, so nobody would ever be warned: an operator must act (C9).

    `reason`: `no_open_time` (the calendar opens too little in the ten years that are searched) or `unknown_calendar`.
    """

    started_at: datetime
    reason: str


class SecondVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One clock as judged again, beside what was said of it first.

    Statuses: `met`, `breached`, `open`, `cancelled`; null: that judgement has no such clock.
    """

    metric: str
    cycle: int
    status: str | None
    first_status: str | None
    policy_id: str | None = None
    policy_version: int | None = None
    due_at: datetime | None = None
    breached_at: datetime | None = None
    met_at: datetime | None = None
    first_breached_at: datetime | None = None


class SlaJudgedAgain(_SlaEvent, frozen=True, kw_only=True, tag="sla.judged_again.v1"):
    """Somebody (the actor) had the ticket judged a second time, under `label`: only where that says something else.

    The first verdicts stand. `verdicts`: the clocks that differ.
    """

    label: str
    verdicts: tuple[SecondVerdict, ...]


class SlaEscalationStep(_CycleEvent, frozen=True, kw_only=True, tag="sla.escalation_step.v1"):
    """A step of the policy's ladder fired at `occurred_at`; by the promise it was due at `planned_at`.

    `step` counts from 1. `raise_priority`: intake raises the ticket to it, never lowers. `move_to_group`:
    routing moves it to that group (`next`: the group's next tier).
    `notified`: who was told (`agent:<id>`, `lead:<group>`, `group:<id>`,
    `role:<name>`). `pages`: whether somebody on call is paged. `is_silent`: a later step was overdue
    too, so this one told nobody.
    """

    step: int
    steps_count: int
    planned_at: datetime
    raise_priority: Priority | None = None
    move_to_group: str | None = None
    notified: tuple[str, ...] = ()
    pages: bool = False
    is_silent: bool = False


class _PageEvent(_CycleEvent, frozen=True, kw_only=True):
    """About the page of one clock. `key` is what it is acknowledged by: `sla:<ticket>:<metric>:<cycle>`."""

    key: str
    step: int


class SlaPaged(_PageEvent, frozen=True, kw_only=True, tag="sla.paged.v1"):
    """Somebody on call was paged. `agent_id` null: nobody is on call in `rota_id`, so the next level follows at once.

    `level` and `round` count from 1. `escalates_at`: until when it must be acknowledged (`null`: nobody was reached).
    """

    level: int
    levels_count: int
    round: int
    agent_id: str | None
    rota_id: str | None = None
    escalates_at: datetime | None = None


class SlaPageAcknowledged(_PageEvent, frozen=True, kw_only=True, tag="sla.page_acknowledged.v1"):
    """Somebody looks after it (the actor); the ladder stops. `how`: `acknowledged`, `answered`, `assigned`."""

    how: str


class SlaPageUnanswered(_PageEvent, frozen=True, kw_only=True, tag="sla.page_unanswered.v1"):
    """Every level was paged and nobody acknowledged; everybody who listens to alerts was told."""

    pages_count: int


class SlaPageEnded(_PageEvent, frozen=True, kw_only=True, tag="sla.page_ended.v1"):
    """Nobody is needed any more. `reason`: `met`, `cancelled`, `retracted` (the breach was taken back)."""

    reason: str


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
    | SlaBreachUpheld
    | SlaUnschedulable
    | SlaJudgedAgain
    | SlaEscalationStep
    | SlaPaged
    | SlaPageAcknowledged
    | SlaPageUnanswered
    | SlaPageEnded
)

ESCALATION_EVENTS = (
    SlaEscalationStep,
    SlaPaged,
    SlaPageAcknowledged,
    SlaPageUnanswered,
    SlaPageEnded,
)
"""Whom a promise called, beside what became of its clock."""
