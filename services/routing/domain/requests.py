"""Another service asks for a move: a macro or trigger of intake for a group, a ladder of sla for the next tier.

Routing moves the ticket as if a person had asked, unless that would undo what a person did: a trigger and a ladder are
rules (R11). What cannot be is told on the ticket, which stays where it is.
"""

from typing import Final

from services.routing.domain import why
from services.routing.domain.cause import Cause
from services.routing.domain.commands import change_group
from services.routing.domain.desk import Desk
from services.routing.domain.escalation import escalate
from services.routing.domain.ticket import Ticket
from shared.errors import Refused
from shared.events.assignments import MoveRefused
from shared.events.base import ActorKind
from shared.events.sla import SlaEscalationStep
from shared.events.steps import GroupRequested

NEXT: Final = "next"
"""In place of a group's id: the group to which the ticket's group escalates."""


class GivenByHand(Refused):
    """Somebody gave it to its agent, and no rule takes it away while it is not solved (R11)."""

    title = "Given by hand"


def follow_request(desk: Desk, event: GroupRequested) -> None:
    """Move it in the name of whoever asked."""
    ticket = desk.ticket(event.ticket_id)
    cause = Cause(event.actor, event.via, event.correlation_id, event.event_id)
    try:
        if event.actor.kind is ActorKind.SYSTEM and event.group_id != ticket.group_id:
            _leave_by_hand(desk, ticket, to_group=event.group_id)
        change_group(desk, ticket, event.group_id, cause)
    except Refused as refusal:
        _refuse(desk, ticket, event.group_id, "request", refusal, cause)


def follow_ladder(desk: Desk, event: SlaEscalationStep) -> None:
    """Hand it over as if a person escalated it."""
    ticket = desk.ticket(event.ticket_id)
    if event.move_to_group is None or event.move_to_group == ticket.group_id:
        return
    cause = Cause.by_router(event.correlation_id, event.event_id)
    metric = event.metric.replace("_", " ")
    reason = f"step {event.step} of the ladder of {metric}"
    group_id = None if event.move_to_group == NEXT else event.move_to_group
    if not ticket.is_known and group_id in desk.roster.groups:
        # Topics come in any order: its opening is still on the way and will find the group set.
        because = f"The promise asks for it before the ticket was heard of: {reason}."
        desk.move_to_group(ticket, group_id, mode="escalation", because=because, cause=cause)
        return
    try:
        _leave_by_hand(desk, ticket)
        escalate(desk, ticket, reason, cause, group_id=group_id)
    except Refused as refusal:
        _refuse(desk, ticket, group_id, "ladder", refusal, cause)


def _leave_by_hand(desk: Desk, ticket: Ticket, *, to_group: str | None = None) -> None:
    """Check that no rule takes it from an agent to whom somebody gave it; a member of the other group keeps it.

    Raises:
        GivenByHand: it would.
    """
    agent = desk.roster.agents.get(ticket.agent_id) if ticket.agent_id else None
    if not ticket.is_by_hand or agent is None or not agent.profile.is_active:
        return
    if to_group not in agent.profile.groups:
        name = why.name_of(agent)
        raise GivenByHand(f"{name} was given it by hand, which no rule undoes", field="agent_id")


def _refuse(
    desk: Desk, ticket: Ticket, group_id: str | None, by: str, refusal: Refused, cause: Cause
) -> None:
    desk.record(
        ticket,
        MoveRefused(
            **desk.stamp(ticket, cause),
            ticket_id=ticket.ticket_id,
            group_id=ticket.group_id,
            asked_group_id=group_id,
            asked_by=by,
            code=refusal.code,
            why=f"{refusal}; it stays in {ticket.group_id or 'no group'}.",
        ),
    )
