"""A ticket goes to a higher tier, with everything that the next person needs to know."""

from services.routing.domain import why
from services.routing.domain.cause import Cause
from services.routing.domain.commands import GroupIsInactive, check
from services.routing.domain.desk import Desk
from services.routing.domain.ticket import Ticket
from shared.errors import NotFound, Refused
from shared.events.assignments import TicketEscalated


class NoHigherTier(Refused):
    """The ticket's group has no next tier, and none was named that is another group."""

    title = "No higher tier"


class EscalationNeedsReason(Refused):
    """The next tier wants to know why."""

    title = "A reason is needed"


def escalate(
    desk: Desk,
    ticket: Ticket,
    reason: str,
    cause: Cause,
    *,
    group_id: str | None = None,
    note: str = "",
    expected: int | None = None,
) -> None:
    """Hand it to the named group, or to the one to which its group escalates; it keeps its waiting time.

    Whoever has it gives it up, member of the next tier or not, and is not given it again. The skills that it needed are
    liked there and no longer needed.

    Raises:
        EscalationNeedsReason, NoHigherTier, NotFound (group), GroupIsInactive, TicketIsClosed, Conflict.
    """
    check(ticket, expected)
    if not reason.strip():
        raise EscalationNeedsReason("an escalation needs a reason", field="reason")
    current = desk.roster.groups.get(ticket.group_id) if ticket.group_id is not None else None
    target_id = group_id or (current.profile.escalates_to if current is not None else None)
    if target_id is None:
        raise NoHigherTier("its group escalates to no other; name one", field="group_id")
    target = desk.roster.groups.get(target_id)
    if target is None:
        raise NotFound(f"there is no group {target_id}", field="group_id")
    if not target.profile.is_active:
        raise GroupIsInactive(f"group {target_id} is not active", field="group_id")
    if target_id == ticket.group_id:
        raise NoHigherTier(f"it belongs to {target_id} already", field="group_id")
    previous = ticket.agent_id
    desk.end_offer(ticket, "cancelled", cause, reason="It was escalated.")
    desk.record(
        ticket,
        TicketEscalated(
            **desk.stamp(ticket, cause),
            ticket_id=ticket.ticket_id,
            group_id=target_id,
            previous_group_id=ticket.group_id,
            previous_agent_id=previous,
            reason=reason.strip(),
            note=note.strip(),
            priority=ticket.priority,
            due_at=ticket.due_at,
            skills=ticket.skills,
            agents=ticket.holders,
            given_back_by=tuple(sorted({*ticket.excluded, *ticket.declined})),
            handling_seconds=desk.waited(ticket),
            escalation_count=ticket.escalation_count + 1,
        ),
    )
    by = cause.actor.name or cause.actor.id
    because = f"{by} escalated it to {target.profile.name}: {reason.strip()}"
    desk.move_to_group(ticket, target_id, mode="escalation", because=because, cause=cause)
    if ticket.is_held:
        return
    ticket.optional = {**ticket.optional, **ticket.skills}
    ticket.skills = {}
    if previous is not None:
        agent = desk.roster.agents.get(previous)
        name = why.name_of(agent) if agent is not None else previous
        desk.take_away(ticket, "escalated", f"{name} gave it to {target.profile.name}.", cause)
    kept = {one for one in (previous, ticket.requester_id) if one in desk.roster.agents}
    ticket.excluded = tuple(sorted(one for one in kept if one is not None))
    if ticket.needs_agent:
        desk.wait(ticket, cause)
