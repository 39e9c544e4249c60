"""What people and the import may ask of a ticket's assignment, and when it is refused."""

from collections.abc import Iterable
from datetime import timedelta

from services.routing.domain import why
from services.routing.domain.agent import Agent
from services.routing.domain.cause import Cause
from services.routing.domain.choice import refusal
from services.routing.domain.desk import Desk
from services.routing.domain.needs import units_of
from services.routing.domain.observing import route
from services.routing.domain.roster import Lane
from services.routing.domain.ticket import Ticket, queue_key
from shared.errors import Conflict, NotFound, Refused
from shared.events.assignments import TicketSkipped
from shared.events.base import Channel, StatusCategory


class TicketIsClosed(Refused):
    """A closed ticket is nobody's work."""

    title = "Ticket is closed"


class AgentIsInactive(Refused):
    """The agent no longer works here."""

    title = "Agent is not active"


class SkipNeedsReason(Refused):
    """Skipping is reported, so it says why."""

    title = "A reason is needed"


class NotInHand(Refused):
    """The agent has nothing to do with the ticket now."""

    title = "Not in this agent's hands"


class GroupIsInactive(Refused):
    """The group no longer takes tickets."""

    title = "Group is not active"


class NothingToPull(Refused):
    """There is no ticket for this agent now. `reasons`: why, as codes with counts."""

    title = "No ticket for you"

    def __init__(self, reasons: dict[str, int]) -> None:
        super().__init__(f"No ticket can be taken now: {', '.join(sorted(reasons))}.")
        self.reasons = reasons


def assign(
    desk: Desk, ticket: Ticket, agent_id: str, cause: Cause, *, expected: int | None = None
) -> None:
    """Give it to this agent whatever the load; a manual assignment always wins (R11).

    It also takes back that it was taken from this agent by hand: the last word of people holds.

    Raises:
        TicketIsClosed, AgentIsInactive, NotFound (agent), Conflict.
    """
    check(ticket, expected)
    agent = known_agent(desk, agent_id)
    if not agent.profile.is_active:
        raise AgentIsInactive(f"agent {agent_id} is not active", field="agent_id")
    if ticket.agent_id == agent_id:
        return
    is_import = cause.via is Channel.IMPORT
    by = "The import" if is_import else cause.actor.name or cause.actor.id
    is_new = ticket.needs_agent and ticket.offered_to != agent_id
    load = round(agent.load + (units_of(ticket, desk.roster) if is_new else 0.0), 3)
    desk.drop(ticket)
    desk.hand_over(
        ticket,
        agent,
        mode="import" if is_import else "manual",
        because=why.given(agent, by, load),
        cause=cause,
    )
    if agent_id != ticket.requester_id:
        ticket.excluded = tuple(one for one in ticket.excluded if one != agent_id)


def unassign(desk: Desk, ticket: Ticket, cause: Cause, *, expected: int | None = None) -> None:
    """Take it from its agent, who is not offered it again; it goes back to the queue when it needs somebody.

    Raises:
        TicketIsClosed, Conflict.
    """
    check(ticket, expected)
    if ticket.agent_id is None:
        return
    is_import = cause.via is Channel.IMPORT
    previous = ticket.agent_id
    by = "The import" if is_import else cause.actor.name or cause.actor.id
    desk.take_away(
        ticket, "import" if is_import else "manual", f"{by} took it from {previous}.", cause
    )
    if ticket.needs_agent:
        if previous not in ticket.excluded:
            ticket.excluded = tuple(sorted({*ticket.excluded, previous}))
        desk.wait(ticket, cause)


def skip(desk: Desk, ticket: Ticket, agent_id: str, reason: str, cause: Cause) -> None:
    """The agent does not take it and says why, which is reported; it goes to others if they can take it (R10).

    It keeps its place in time.

    Raises:
        TicketIsClosed, SkipNeedsReason, NotInHand, NotFound (agent).
    """
    check(ticket, None)
    agent = known_agent(desk, agent_id)
    if not reason.strip():
        raise SkipNeedsReason("skipping a ticket needs a reason", field="reason")
    if (ticket.agent_id or ticket.offered_to) not in {None, agent_id} or not ticket.needs_agent:
        raise NotInHand(f"the ticket neither waits nor is in the hands of {agent_id}")
    if ticket.agent_id is None and agent_id in {*ticket.excluded, *ticket.declined}:
        return
    desk.record(
        ticket,
        TicketSkipped(
            **desk.stamp(ticket, cause),
            ticket_id=ticket.ticket_id,
            agent_id=agent_id,
            group_id=ticket.group_id,
            reason=reason.strip(),
            held=ticket.agent_id is not None,
            waited_seconds=desk.waited(ticket),
        ),
    )
    because = f"{why.name_of(agent)} skipped it: {reason.strip()}"
    desk.end_offer(ticket, "declined", cause, reason=reason.strip())
    if ticket.agent_id is not None:
        desk.take_away(ticket, "manual", because, cause)
    desk.wait(ticket, cause)


def change_group(
    desk: Desk, ticket: Ticket, group_id: str, cause: Cause, *, expected: int | None = None
) -> None:
    """Hand it to another group. A member of it keeps the ticket; anybody else gives it up (R12).

    Raises:
        TicketIsClosed, GroupIsInactive, NotFound (group), Conflict.
    """
    check(ticket, expected)
    group = desk.roster.groups.get(group_id)
    if group is None:
        raise NotFound(f"there is no group {group_id}", field="group_id")
    if not group.profile.is_active:
        raise GroupIsInactive(f"group {group_id} is not active", field="group_id")
    if ticket.group_id == group_id:
        return
    is_import = cause.via is Channel.IMPORT
    by = "The import" if is_import else cause.actor.name or cause.actor.id
    desk.move_to_group(
        ticket,
        group_id,
        mode="import" if is_import else "manual",
        because=f"{by} moved it to {group.profile.name}.",
        cause=cause,
    )
    if ticket.is_held:
        return
    ticket.excluded = tuple(one for one in ticket.excluded if one == ticket.requester_id)
    ticket.skills, ticket.optional, ticket.strategy = {}, {}, None
    agent = desk.roster.agents.get(ticket.agent_id) if ticket.agent_id else None
    if ticket.agent_id is not None and (agent is None or group_id not in agent.profile.groups):
        desk.take_away(
            ticket,
            "group_changed",
            f"{ticket.agent_id} is no member of {group.profile.name}.",
            cause,
        )
    if ticket.needs_agent and ticket.agent_id is None:
        desk.wait(ticket, cause)


def lanes_for(desk: Desk, agent: Agent) -> list[Lane]:
    """The lanes whose head this agent may take now.

    Raises:
        NothingToPull: none, and why.
    """
    lanes = desk.roster.lanes_of(agent.profile.groups)
    if not lanes:
        raise NothingToPull({"queue_empty": 1} if agent.profile.groups else {"no_groups": 1})
    reasons: dict[str, int] = {}
    fitting = []
    for lane in lanes:
        reason = refusal(agent, lane.demand)
        if reason is None:
            fitting.append(lane)
        else:
            reasons[reason] = reasons.get(reason, 0) + lane.waiting
    if not fitting:
        raise NothingToPull(reasons)
    return fitting


def pull(desk: Desk, agent: Agent, heads: list[Ticket], cause: Cause) -> Ticket:
    """Give the agent the first of these heads of lanes in the order of the queue (R3)."""
    ticket = min(heads, key=queue_key)
    group = desk.roster.groups.get(ticket.group_id) if ticket.group_id is not None else None
    lease = group.profile.pull_lease_seconds if group is not None else None
    desk.hand_over(
        ticket,
        agent,
        mode="pull",
        because=why.pulled(agent, desk.waited(ticket), lease),
        cause=cause,
        leased_until=None if lease is None else desk.now + timedelta(seconds=lease),
    )
    return ticket


def release(desk: Desk, ticket: Ticket, cause: Cause) -> None:
    """The import is over: the ticket joins its agent's load or its group's queue."""
    if not ticket.is_held:
        return
    ticket.is_held = False
    desk.changed_tickets[ticket.ticket_id] = ticket
    if not ticket.needs_agent:
        return
    agent = desk.roster.agents.get(ticket.agent_id) if ticket.agent_id else None
    if agent is not None:
        desk.take(ticket, agent)
        return
    if ticket.group_id is None:
        route(desk, ticket, cause)
    desk.wait(ticket, cause)


def requeue(desk: Desk, ticket: Ticket, reason: str, because: str, cause: Cause) -> None:
    """The agent left: back to the queue with the original waiting time (R9)."""
    if ticket.agent_id is not None:
        desk.take_away(ticket, reason, because, cause)
        if ticket.needs_agent:
            desk.wait(ticket, cause)


def leave_unanswered(desk: Desk, agent: Agent, tickets: Iterable[Ticket], cause: Cause) -> None:
    """The agent goes for longer and does not wait for a grace time to end (R9)."""
    because = f"{why.name_of(agent)} is {agent.presence.value} and gives back what is unanswered."
    for ticket in tickets:
        requeue(desk, ticket, "agent_away", because, cause)


def leave_for_good(desk: Desk, tickets: Iterable[Ticket], cause: Cause) -> None:
    """Agents who no longer work here have nothing in hand (R9)."""
    for ticket in tickets:
        requeue(desk, ticket, "agent_left", f"{ticket.agent_id} is no longer active.", cause)


def known_agent(desk: Desk, agent_id: str) -> Agent:
    """The agent of this id.

    Raises:
        NotFound: there is none.
    """
    agent = desk.roster.agents.get(agent_id)
    if agent is None:
        raise NotFound(f"there is no agent {agent_id}", field="agent_id")
    return agent


def check(ticket: Ticket, expected: int | None) -> None:
    """The ticket is as the caller saw it, and somebody's work.

    Raises:
        Conflict, TicketIsClosed.
    """
    if expected is not None and expected != ticket.version:
        raise Conflict(f"the assignment is at version {ticket.version}, not {expected}")
    if ticket.category is StatusCategory.CLOSED and not ticket.is_held:
        raise TicketIsClosed(f"ticket {ticket.number or ticket.ticket_id} is closed")
