"""What time alone does: offers and leases run out, waits widen, grace ends, shifts begin and end (R7, R9, R10).

Every moment is kept with the ticket or the agent, so a restart forgets none.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from services.routing.domain import offers, why
from services.routing.domain.agent import Agent
from services.routing.domain.cause import Cause
from services.routing.domain.commands import requeue
from services.routing.domain.desk import Desk
from services.routing.domain.needs import overdue_at, overdue_since, step_at, widening_of
from services.routing.domain.people import review_absence
from services.routing.domain.roster import Roster
from services.routing.domain.ticket import Ticket
from shared.events.agents import Presence


def next_moment(ticket: Ticket, roster: Roster) -> datetime | None:
    """When time will next do something to this ticket."""
    moments = [ticket.offer_until]
    if ticket.agent_id is not None:
        moments.append(ticket.lease_until)
    if ticket.lane is not None:
        moments.append(ticket.forgive_at)
        if ticket.overdue_since is None:
            moments.append(overdue_at(ticket, roster))
        steps = widening_of(ticket, roster)
        if ticket.step < len(steps) and ticket.waits_since is not None:
            after = timedelta(seconds=steps[ticket.step].after_seconds)
            moments.append(ticket.waits_since + after)
    return min((moment for moment in moments if moment is not None), default=None)


def set_timers(desk: Desk) -> datetime | None:
    """Write the next moment into every ticket that changed; returns the earliest of them and of the agents'."""
    moments: list[datetime] = []
    for ticket in desk.changed_tickets.values():
        ticket.timer_at = next_moment(ticket, desk.roster)
        if ticket.timer_at is not None:
            moments.append(ticket.timer_at)
    moments += [agent.grace_at for agent in desk.changed_agents.values() if agent.grace_at]
    return min(moments, default=None)


def next_of_agents(desk: Desk) -> datetime | None:
    """When the grace of some agent ends, or somebody's shift begins or ends."""
    moments = [one.grace_at for one in desk.roster.agents.values() if one.grace_at is not None]
    shift_change = desk.roster.next_shift_change(desk.now)
    return min((*moments, *((shift_change,) if shift_change else ())), default=None)


class Kept(Protocol):
    """Where tickets are kept between desks: tables in the service, memory in a rehearsal."""

    def due(self) -> list[Ticket]:
        """Tickets to which time does something now, the earliest first."""

    def left_behind(self, agent_id: str, groups: Sequence[str]) -> list[Ticket]:
        """Unanswered tickets of these groups in the agent's hands that nobody gave there by hand (R9)."""

    def offered_to(self, agents: Sequence[str]) -> list[Ticket]:
        """Tickets that are offered to these agents."""

    def waiting_in(self, lanes: Sequence[int]) -> list[Ticket]:
        """Tickets that wait in these lanes."""


def pass_time(desk: Desk, kept: Kept, cause: Cause, *, at_most: int) -> bool:
    """Offers and leases run out, waits widen, shifts begin and end, grace ends (R7, R9, R10).

    Args:
        desk: where it happens; the caller places what waits afterwards.
        kept: never gives more than `at_most` at once.
        cause: of everything that time does.
        at_most: so many at once means that there is more.

    Returns:
        Whether there is more to do at once.
    """
    review_shifts(desk)
    due = desk.add(kept.due())
    for ticket in due:
        ticket_due(desk, ticket, cause)
    more = len(due) >= at_most
    retired = [one.lane for one in desk.roster.lanes.values() if one.is_retired and one.waiting]
    moving = desk.add(kept.waiting_in(retired)) if retired else []
    for ticket in moving:
        if ticket.lane is not None:
            desk.relane(ticket)
    more = more or bool(moving)  # they are found in their new lanes once these are stored
    for agent in agents_due(desk):
        left = desk.add(kept.left_behind(agent.agent_id, groups_over(desk, agent)))
        is_all = len(left) < at_most
        grace_over(desk, agent, left, cause, is_all=is_all)
        more = more or not is_all
    for ticket in desk.add(kept.offered_to(cannot_answer(desk))):
        offers.cancel(desk, ticket, f"{ticket.offered_to} is not there.", cause)
    return more


def ticket_due(desk: Desk, ticket: Ticket, cause: Cause) -> None:
    """Do what time does to this ticket now; harmless when nothing is due."""
    desk.changed_tickets[ticket.ticket_id] = ticket
    if ticket.offer_until is not None and ticket.offer_until <= desk.now:
        offers.expire(desk, ticket, cause)
    if ticket.agent_id is not None and ticket.lease_until and ticket.lease_until <= desk.now:
        because = f"{ticket.agent_id} asked for it and did nothing with it in time."
        previous = ticket.agent_id
        requeue(desk, ticket, "lease_expired", because, cause)
        ticket.declined = tuple(sorted({*ticket.declined, previous}))
    if ticket.lane is None:
        return
    if ticket.forgive_at is not None and ticket.forgive_at <= desk.now:
        if desk.is_for_others(desk.roster.lanes[ticket.lane]):
            desk.ask_again_later(ticket)
        else:
            ticket.declined, ticket.forgive_at = (), None
            desk.wait(ticket, cause)
    since = overdue_since(ticket, desk.roster, desk.now)
    if since != ticket.overdue_since or step_at(ticket, desk.roster, desk.now) != ticket.step:
        desk.wait(ticket, cause)


def agents_due(desk: Desk) -> list[Agent]:
    """Agents for whose tickets some grace time has ended."""
    return [
        agent
        for agent in desk.roster.agents.values()
        if agent.grace_at is not None and agent.grace_at <= desk.now
    ]


def groups_over(desk: Desk, agent: Agent) -> list[str]:
    """The groups whose tickets the agent may no longer keep while away."""
    return [
        group.group_id
        for group in desk.roster.groups.values()
        if group.profile.grace_seconds is not None
        and _is_over(agent.left_at, group.profile.grace_seconds, desk.now)
    ]


def grace_over(
    desk: Desk, agent: Agent, tickets: Iterable[Ticket], cause: Cause, *, is_all: bool
) -> None:
    """These tickets go back to the queue with their original waiting time (R9).

    `tickets`: unanswered ones in the agent's hands, of `groups_over`, not given by hand. `is_all`: there are no more.
    """
    reason, is_how = ("agent_away", f"is {agent.presence.value}")
    if agent.presence in {Presence.ONLINE, Presence.BUSY}:
        reason, is_how = "off_shift", "is off shift"
    since = agent.left_at or desk.now
    seconds = (desk.now - since).total_seconds()
    because = f"{why.name_of(agent)} {is_how} for {seconds:.0f} s."
    for ticket in tickets:
        requeue(desk, ticket, reason, because, cause)
    if is_all:
        graces = (one.profile.grace_seconds for one in desk.roster.groups.values())
        ends = (since + timedelta(seconds=one) for one in graces if one is not None)
        agent.grace_at = min((end for end in ends if end > desk.now), default=None)
        desk.changed_agents[agent.agent_id] = agent


def review_shifts(desk: Desk) -> None:
    """Whose shift has ended is away, whose has begun is back."""
    if desk.roster.shift_calendars():
        for agent in desk.roster.agents.values():
            if agent.profile.shift_calendar is not None:
                review_absence(desk, agent)


def review_everybody(desk: Desk) -> None:
    """Note who is not there at the beginning."""
    for agent in desk.roster.agents.values():
        review_absence(desk, agent)


def cannot_answer(desk: Desk) -> list[str]:
    """Agents who are not there to answer an offer."""
    closed = desk.closed_calendars()
    return [
        agent.agent_id
        for agent in desk.roster.agents.values()
        if not agent.is_online or agent.profile.shift_calendar in closed
    ]


def _is_over(since: datetime | None, seconds: int, now: datetime) -> bool:
    return since is not None and since + timedelta(seconds=seconds) <= now
