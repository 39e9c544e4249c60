"""Events of routing about a ticket → its routing columns and the stints of its agents. Pure."""

from datetime import datetime
from typing import assert_never
from uuid import UUID

import msgspec

from services.query.projections.writes import Stint, Writes
from shared.events.assignments import (
    AssignmentEvent,
    GroupChanged,
    MoveRefused,
    TicketAssigned,
    TicketEscalated,
    TicketOffered,
    TicketOfferEnded,
    TicketQueued,
    TicketSkipped,
    TicketUnassigned,
    TicketWithdrawn,
)


class RoutingFacts(msgspec.Struct, kw_only=True, gc=False):
    """The columns of `tickets` that topic assignments.v1 owns."""

    ticket_id: UUID
    routing_version: int = 0
    group_id: str | None = None
    group_since: datetime | None = None
    group_version: int = 0
    group_change_count: int = 0
    initial_group_at: datetime | None = None
    initial_group_by_rule: bool = False
    group_ids: list[str] = []
    assignee_id: str | None = None
    assignee_name: str | None = None
    assigned_at: datetime | None = None
    assignment_version: int = 0
    first_assigned_at: datetime | None = None
    assignment_count: int = 0
    assignee_ids: list[str] = []
    queued_at: datetime | None = None
    unassigned_since: datetime | None = None
    unassigned_seconds: float = 0.0
    routing_why: str | None = None
    routed_at: datetime | None = None


def fold(facts: RoutingFacts, event: AssignmentEvent, writes: Writes) -> None:
    """Apply one event; it never fails."""
    facts.routing_version = event.version
    at = event.occurred_at
    if facts.routed_at is None:
        facts.unassigned_since = at
    facts.routed_at = at if facts.routed_at is None else max(at, facts.routed_at)
    match event:
        case GroupChanged():
            _change_group(facts, event, writes)
        case TicketQueued():
            facts.queued_at = event.queued_at
            facts.routing_why = event.why or facts.routing_why
        case TicketAssigned():
            _assign(facts, event, writes)
        case TicketUnassigned():
            _end_stint(facts, at, event.reason, writes)
            facts.unassigned_since = facts.unassigned_since or at
            facts.routing_why = event.why or facts.routing_why
        case TicketWithdrawn():
            facts.queued_at = None
        case TicketOffered() | MoveRefused():
            facts.routing_why = event.why
        case TicketEscalated():
            facts.routing_why = f"Escalated: {event.reason}"
        case TicketOfferEnded() | TicketSkipped():
            pass  # the next decision says where it goes; the reason is in the history of changes
        case _:
            assert_never(event)


def _change_group(facts: RoutingFacts, event: GroupChanged, writes: Writes) -> None:
    at = (
        event.occurred_at
        if facts.group_since is None
        else max(event.occurred_at, facts.group_since)
    )
    if facts.group_change_count == 0 and event.previous_group_id is None:
        facts.initial_group_at = event.occurred_at
        facts.initial_group_by_rule = event.mode == "rule"
    facts.group_change_count += 1
    if facts.group_version:
        writes.close_span(event.ticket_id, "group", facts.group_version, at)
    writes.open_span(event.ticket_id, "group", event.version, event.group_id, at)
    facts.group_id, facts.group_since, facts.group_version = event.group_id, at, event.version
    if event.group_id is not None and event.group_id not in facts.group_ids:
        facts.group_ids = [*facts.group_ids, event.group_id]
    facts.routing_why = event.why


def _assign(facts: RoutingFacts, event: TicketAssigned, writes: Writes) -> None:
    at = event.occurred_at
    _end_stint(facts, at, "reassigned", writes)
    if facts.unassigned_since is not None:
        facts.unassigned_seconds += max((at - facts.unassigned_since).total_seconds(), 0.0)
        facts.unassigned_since = None
    facts.assignee_id, facts.assignee_name, facts.assigned_at = event.agent_id, event.agent_name, at
    facts.assignment_version = event.version
    facts.assignment_count += 1
    facts.first_assigned_at = facts.first_assigned_at or at
    if event.agent_id not in facts.assignee_ids:
        facts.assignee_ids = [*facts.assignee_ids, event.agent_id]
    facts.queued_at = None
    facts.routing_why = event.why
    writes.open_stint(
        Stint(
            ticket_id=event.ticket_id,
            version=event.version,
            agent_id=event.agent_id,
            agent_name=event.agent_name,
            group_id=event.group_id,
            assigned_at=at,
            mode=event.mode,
            strategy=event.strategy,
            decision_id=event.decision_id,
            why=event.why,
            load_before=event.load_before,
            load_after=event.load_after,
            capacity=event.capacity,
            candidates_count=event.candidates_count,
            rule=event.rule,
            rules_version=event.rules_version,
            waited_seconds=event.waited_seconds,
            actor_id=event.actor.id,
        )
    )


def _end_stint(facts: RoutingFacts, at: datetime, reason: str, writes: Writes) -> None:
    if facts.assignee_id is not None and facts.assigned_at is not None:
        # An import may step back in time; a stint never ends before it began.
        ended_at = max(at, facts.assigned_at)
        writes.close_stint(facts.ticket_id, facts.assignment_version, ended_at, reason)
    facts.assignee_id = facts.assignee_name = facts.assigned_at = None
    facts.assignment_version = 0
