"""The engine's outcomes as wire events, one to one; each at the moment it took effect in the world."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from services.sla import engine
from services.sla.tickets.states import Row
from shared.events import sla
from shared.events.base import Actor, ActorKind, Channel, Event, Priority
from shared.identifiers import derived_id

ACTOR: Final = Actor(kind=ActorKind.SYSTEM, id="sla")


class Cause(msgspec.Struct, frozen=True):
    """What made us judge: an event of another service, or (`causation_id` null) the clock or a person."""

    correlation_id: str
    causation_id: str | None
    now: datetime
    actor: Actor = ACTOR


def breach_id(ticket_id: UUID, metric: str, cycle: int, attempt: int) -> UUID:
    """The same for the same breach, however often it is found (S18)."""
    return derived_id("sla_breach", ticket_id, metric, cycle, attempt)


def event_of(outcome: engine.Outcome, row: Row, cause: Cause) -> Event:  # noqa: C901, PLR0911  # one case a kind
    """The event that says so; takes the stream's next version."""
    row.stream_version += 1
    stamp: dict[str, Any] = {
        "version": row.stream_version,
        "occurred_at": outcome.at,
        "recorded_at": cause.now,
        "actor": cause.actor,
        "via": Channel.IMPORT if row.is_imported else Channel.SYSTEM,
        "correlation_id": cause.correlation_id,
        "causation_id": cause.causation_id,
        "ticket_id": row.ticket_id,
    }
    if isinstance(outcome, engine.PolicyApplied):
        return sla.SlaPolicyApplied(
            **stamp,
            policy_id=outcome.policy_id,
            policy_version=outcome.policy_version,
            previous_policy_id=outcome.previous_policy_id,
            previous_policy_version=outcome.previous_policy_version,
            cause="opened" if outcome.cause == "created" else outcome.cause,
        )
    stamp |= {
        "metric": outcome.metric,
        "cycle": outcome.cycle,
        "policy_id": outcome.policy_id,
        "policy_version": outcome.policy_version,
        "calendar_id": outcome.calendar_id,
        "calendar_version": outcome.calendar_version,
        "priority": Priority(outcome.priority),
        "target_seconds": outcome.target_seconds,
    }
    match outcome:
        case engine.Started():
            return sla.SlaStarted(**stamp, started_at=outcome.started_at, due_at=outcome.due_at)
        case engine.Paused():
            return sla.SlaPaused(
                **stamp,
                elapsed_seconds=outcome.elapsed_seconds,
                remaining_seconds=outcome.remaining_seconds,
            )
        case engine.Resumed():
            return sla.SlaResumed(
                **stamp,
                due_at=outcome.due_at,
                elapsed_seconds=outcome.elapsed_seconds,
                remaining_seconds=outcome.remaining_seconds,
                paused_seconds=outcome.paused_seconds,
            )
        case engine.DueChanged():
            return sla.SlaDueChanged(
                **stamp,
                due_at=outcome.due_at,
                previous_due_at=outcome.previous_due_at,
                previous_target_seconds=outcome.previous_target_seconds,
                cause=outcome.cause,
                elapsed_seconds=outcome.elapsed_seconds,
            )
        case engine.Met():
            return sla.SlaMet(
                **stamp | {"occurred_at": outcome.met_at},
                started_at=outcome.started_at,
                due_at=outcome.due_at,
                elapsed_seconds=outcome.elapsed_seconds,
                paused_seconds=outcome.paused_seconds,
                margin_seconds=outcome.margin_seconds,
                was_breached=outcome.breached_at is not None,
            )
        case engine.Cancelled():
            return sla.SlaCancelled(
                **stamp,
                reason=outcome.reason,
                elapsed_seconds=outcome.elapsed_seconds,
                was_breached=_was_breached(row, outcome),
            )
        case engine.Warned():
            return sla.SlaWarning(
                **stamp,
                threshold=threshold(outcome),
                # A warning is only given while the clock runs, and then there is a deadline (S8).
                due_at=outcome.due_at or outcome.at,
                elapsed_seconds=outcome.elapsed_seconds,
                remaining_seconds=outcome.remaining_seconds,
                detected_at=cause.now,
            )
        case engine.Breached():
            return sla.SlaBreached(
                **stamp,
                breach_id=breach_id(row.ticket_id, outcome.metric, outcome.cycle, outcome.attempt),
                started_at=outcome.started_at,
                due_at=outcome.due_at or outcome.breached_at,
                breached_at=outcome.breached_at,
                detected_at=cause.now,
                elapsed_seconds=outcome.elapsed_seconds,
                paused_seconds=outcome.paused_seconds,
                cause=outcome.cause,
                category=row.state.category if row.state else "",
                group_id=row.group_id,
                agent_id=row.agent_id,
            )
        case engine.Unschedulable():
            return sla.SlaUnschedulable(
                **stamp, started_at=outcome.started_at, reason=outcome.reason
            )
        case engine.BreachUpheld():
            return sla.SlaBreachUpheld(
                **stamp,
                breach_id=breach_id(row.ticket_id, outcome.metric, outcome.cycle, outcome.attempt),
                breached_at=outcome.breached_at,
            )
        case engine.BreachRetracted() | engine.NeedsReview():
            return sla.SlaBreachRetracted(
                **stamp,
                breach_id=breach_id(row.ticket_id, outcome.metric, outcome.cycle, outcome.attempt),
                breached_at=outcome.breached_at,
                reason=outcome.cause,
                needs_review=isinstance(outcome, engine.NeedsReview),
            )


def threshold(outcome: engine.Warned) -> str:
    """`75%` of the target, or `-900s` before due."""
    return f"{outcome.percent}%" if outcome.percent is not None else f"-{outcome.seconds_before}s"


def _was_breached(row: Row, outcome: engine.Cancelled) -> bool:
    clock = row.state.clock(outcome.metric) if row.state else None
    return clock is not None and clock.cycle == outcome.cycle and clock.breached_us is not None
