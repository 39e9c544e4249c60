"""Events of sla about a ticket → its promise columns and one row per clock. Pure."""

from datetime import datetime
from uuid import UUID

import msgspec

from shared.events.sla import (
    ESCALATION_EVENTS,
    SlaBreached,
    SlaBreachRetracted,
    SlaBreachUpheld,
    SlaCancelled,
    SlaDueChanged,
    SlaEvent,
    SlaJudgedAgain,
    SlaMet,
    SlaPaused,
    SlaPolicyApplied,
    SlaResumed,
    SlaStarted,
    SlaUnschedulable,
    SlaWarning,
)

_CycleEvent = (
    SlaStarted
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
)


class Cycle(msgspec.Struct, kw_only=True, gc=False):
    """A row of `sla_cycles`: one metric's n-th clock. Durations are business seconds of its calendar."""

    ticket_id: UUID
    metric: str
    cycle: int
    version: int
    policy_id: str
    policy_version: int
    calendar_id: str | None
    calendar_version: int | None
    priority: str
    target_seconds: float
    state: str = "running"
    started_at: datetime
    due_at: datetime | None = None
    ended_at: datetime | None = None
    elapsed_seconds: float | None = None
    remaining_seconds: float | None = None
    paused_seconds: float = 0.0
    margin_seconds: float | None = None
    warned_at: datetime | None = None
    is_breached: bool = False
    breach_id: UUID | None = None
    breached_at: datetime | None = None
    detected_at: datetime | None = None
    breach_cause: str | None = None
    breach_category: str | None = None
    breach_group_id: str | None = None
    breach_agent_id: str | None = None
    retracted_at: datetime | None = None
    cancel_reason: str | None = None
    unschedulable_reason: str | None = None
    needs_review: bool = False

    @property
    def is_active(self) -> bool:
        """It has not ended yet."""
        return self.state in {"running", "paused"}

    @property
    def is_at_risk(self) -> bool:
        """A warning was given and there is still time."""
        return self.is_active and self.warned_at is not None and not self.is_breached


class PromiseFacts(msgspec.Struct, kw_only=True, gc=False):
    """The columns of `tickets` that topic sla.v1 owns.

    `due_at` is the earliest deadline of a running clock, also one that has passed. `is_breached` stays true after the
    clock has ended, until the breach is retracted (S20). `clocks` is the newest cycle of each metric.
    """

    ticket_id: UUID
    sla_version: int = 0
    policy_id: str | None = None
    policy_version: int | None = None
    due_at: datetime | None = None
    due_metric: str | None = None
    is_at_risk: bool = False
    is_breached: bool = False
    at_risk_metrics: list[str] = []
    breached_metrics: list[str] = []
    clocks: list[Cycle] = []


class Promises:
    """All clocks of one ticket while they are folded."""

    def __init__(self, facts: PromiseFacts, cycles: list[Cycle]) -> None:
        self.facts = facts
        self.cycles = {(cycle.metric, cycle.cycle): cycle for cycle in cycles}
        self._begun: dict[tuple[str, int], Cycle] = {}
        self._changed: dict[tuple[str, int], Cycle] = {}

    @property
    def version(self) -> int:
        """The last event of the stream that is in here."""
        return self.facts.sla_version

    def fold(self, event: SlaEvent) -> None:
        """Apply one event; it never fails."""
        facts = self.facts
        facts.sla_version = event.version
        if isinstance(event, SlaPolicyApplied):
            facts.policy_id, facts.policy_version = event.policy_id, event.policy_version
        elif not isinstance(event, (*ESCALATION_EVENTS, SlaJudgedAgain)):
            # Those say nothing about the clock itself, and a second judgement stands beside it.
            _fold_cycle(self._cycle(event), event)

    def _cycle(self, event: _CycleEvent) -> Cycle:
        key = (event.metric, event.cycle)
        cycle = self.cycles.get(key)
        if cycle is None:
            cycle = self.cycles[key] = self._begun[key] = Cycle(
                ticket_id=event.ticket_id,
                metric=event.metric,
                cycle=event.cycle,
                version=event.version,
                policy_id=event.policy_id,
                policy_version=event.policy_version,
                calendar_id=event.calendar_id,
                calendar_version=event.calendar_version,
                priority=event.priority.value,
                target_seconds=event.target_seconds,
                started_at=getattr(event, "started_at", event.occurred_at),
            )
        if key not in self._begun:
            self._changed[key] = cycle
        return cycle

    def take_changed(self) -> tuple[list[Cycle], list[Cycle]]:
        """The clocks that began since the last call, and the others that moved; in the order of their keys."""
        begun, changed = self._begun, self._changed
        self._begun, self._changed = {}, {}
        return [begun[key] for key in sorted(begun)], [changed[key] for key in sorted(changed)]

    def summarise(self) -> None:
        """Bring the ticket's own columns in line with its clocks; once after a batch is enough."""
        facts, cycles = self.facts, self.cycles.values()
        running = [
            (cycle.due_at, cycle.metric)
            for cycle in cycles
            if cycle.state == "running" and cycle.due_at is not None
        ]
        facts.due_at, facts.due_metric = min(running, default=(None, None))
        facts.at_risk_metrics = sorted({cycle.metric for cycle in cycles if cycle.is_at_risk})
        facts.breached_metrics = sorted({cycle.metric for cycle in cycles if cycle.is_breached})
        facts.is_at_risk = bool(facts.at_risk_metrics)
        facts.is_breached = bool(facts.breached_metrics)
        newest: dict[str, Cycle] = {}
        for cycle in cycles:
            if cycle.metric not in newest or newest[cycle.metric].cycle < cycle.cycle:
                newest[cycle.metric] = cycle
        facts.clocks = [newest[metric] for metric in sorted(newest)]


def _fold_cycle(cycle: Cycle, event: _CycleEvent) -> None:  # noqa: C901, PLR0912, PLR0915  # one case a kind
    cycle.version = event.version
    cycle.policy_id, cycle.policy_version = event.policy_id, event.policy_version
    cycle.calendar_id, cycle.calendar_version = event.calendar_id, event.calendar_version
    cycle.priority, cycle.target_seconds = event.priority.value, event.target_seconds
    match event:
        case SlaStarted():
            is_paused = event.due_at is None and cycle.unschedulable_reason is None
            _go_on(cycle)
            cycle.state = "paused" if is_paused else "running"
            cycle.started_at, cycle.due_at = event.started_at, event.due_at
            cycle.remaining_seconds = event.target_seconds
        case SlaPaused():
            cycle.state, cycle.due_at = "paused", None
            cycle.elapsed_seconds = event.elapsed_seconds
            cycle.remaining_seconds = event.remaining_seconds
        case SlaResumed():
            _go_on(cycle)
            cycle.state, cycle.due_at = "running", event.due_at
            cycle.elapsed_seconds = event.elapsed_seconds
            cycle.remaining_seconds = event.remaining_seconds
            cycle.paused_seconds = event.paused_seconds
        case SlaDueChanged():
            cycle.due_at = event.due_at
            if event.due_at is not None:
                cycle.unschedulable_reason = None
            if cycle.state == "paused":
                told, known = event.elapsed_seconds, cycle.elapsed_seconds
                cycle.elapsed_seconds = (known or 0.0) if told is None else told
                cycle.remaining_seconds = event.target_seconds - cycle.elapsed_seconds
        case SlaMet():
            cycle.state, cycle.ended_at = "met", event.occurred_at
            cycle.due_at = event.due_at
            cycle.elapsed_seconds, cycle.paused_seconds = (
                event.elapsed_seconds,
                event.paused_seconds,
            )
            cycle.margin_seconds, cycle.remaining_seconds = event.margin_seconds, None
        case SlaCancelled():
            cycle.state, cycle.ended_at = "cancelled", event.occurred_at
            cycle.cancel_reason = event.reason
            cycle.elapsed_seconds, cycle.remaining_seconds = event.elapsed_seconds, None
        case SlaWarning():
            cycle.warned_at = event.occurred_at
        case SlaBreached():
            cycle.is_breached, cycle.retracted_at = True, None
            cycle.breach_id, cycle.breached_at = event.breach_id, event.breached_at
            cycle.detected_at = event.detected_at
            cycle.due_at = event.due_at if cycle.state == "running" else cycle.due_at
            cycle.breach_cause, cycle.breach_category = event.cause, event.category
            cycle.breach_group_id, cycle.breach_agent_id = event.group_id, event.agent_id
        case SlaUnschedulable():
            cycle.unschedulable_reason, cycle.due_at = event.reason, None
        case SlaBreachRetracted(needs_review=True) | SlaBreachUpheld():
            # It came too late to take the breach back by itself (S20); until a person decides, and if so, it stands.
            cycle.needs_review = isinstance(event, SlaBreachRetracted)
        case SlaBreachRetracted():
            cycle.is_breached, cycle.breached_at = False, None
            cycle.retracted_at, cycle.needs_review = event.occurred_at, False


def _go_on(cycle: Cycle) -> None:
    """A clock that had ended runs again (reopened, or a target came back): what was said of its end is over."""
    cycle.ended_at = cycle.margin_seconds = cycle.cancel_reason = None
