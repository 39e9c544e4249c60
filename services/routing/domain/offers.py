"""An offer is accepted, declined, or runs out (R10)."""

from services.routing.domain import why
from services.routing.domain.cause import Cause
from services.routing.domain.commands import SkipNeedsReason, check, known_agent
from services.routing.domain.desk import Desk
from services.routing.domain.people import become
from services.routing.domain.ticket import Ticket
from shared.errors import Refused
from shared.events.agents import Presence


class NotOffered(Refused):
    """The ticket is not offered to this agent now: it never was, or the offer is over."""

    title = "Not offered to this agent"


def accept(
    desk: Desk, ticket: Ticket, agent_id: str, cause: Cause, *, expected: int | None = None
) -> None:
    """The agent takes it; who has it already hears the same again.

    Raises:
        NotOffered, TicketIsClosed, NotFound (agent), Conflict.
    """
    check(ticket, expected)
    agent = known_agent(desk, agent_id)
    if ticket.agent_id == agent_id:
        return
    _is_offered(desk, ticket, agent_id)
    desk.hand_over(
        ticket,
        agent,
        mode="offer",
        because=f"{why.name_of(agent)} accepted the offer.",
        cause=cause,
    )


def decline(
    desk: Desk,
    ticket: Ticket,
    agent_id: str,
    reason: str,
    cause: Cause,
    *,
    expected: int | None = None,
) -> None:
    """The agent does not take it and says why; the next one is asked.

    Raises:
        NotOffered, SkipNeedsReason, TicketIsClosed, NotFound (agent), Conflict.
    """
    check(ticket, expected)
    known_agent(desk, agent_id)
    if not reason.strip():
        raise SkipNeedsReason("declining an offer needs a reason", field="reason")
    _is_offered(desk, ticket, agent_id)
    desk.end_offer(ticket, "declined", cause, reason=reason.strip())
    desk.wait(ticket, cause)


def expire(desk: Desk, ticket: Ticket, cause: Cause) -> None:
    """Nobody answered in time; the next one is asked, and who let several run out is away."""
    agent = desk.roster.agents.get(ticket.offered_to or "")
    group = desk.roster.groups.get(ticket.group_id or "")
    desk.end_offer(ticket, "expired", cause, reason="Not answered in time.")
    desk.wait(ticket, cause)
    mode = group.profile.offer if group is not None else None
    if agent is None or mode is None or mode.away_after is None:
        return
    if agent.expired_count >= mode.away_after and agent.presence is Presence.ONLINE:
        agent.expired_count = 0
        agent.chosen_presence = Presence.AWAY
        become(desk, agent, Presence.AWAY, "offers_expired", cause)


def cancel(desk: Desk, ticket: Ticket, because: str, cause: Cause) -> None:
    """The agent is not there to answer; the next one is asked, and this one has not declined."""
    if ticket.offered_to is not None:
        desk.end_offer(ticket, "cancelled", cause, reason=because)
        if ticket.needs_agent:
            desk.wait(ticket, cause)


def _is_offered(desk: Desk, ticket: Ticket, agent_id: str) -> None:
    if ticket.offered_to != agent_id:
        raise NotOffered(f"the ticket is not offered to {agent_id}")
    if ticket.offer_until is not None and ticket.offer_until <= desk.now:
        raise NotOffered("the offer has run out")
