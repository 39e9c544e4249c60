"""A rehearsal: desks follow one another as in the live service; what its tables keep is kept in memory."""

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from services.routing.domain import commands, timing
from services.routing.domain.cause import Cause
from services.routing.domain.customers import LastAgent
from services.routing.domain.desk import Desk
from services.routing.domain.roster import Roster
from services.routing.domain.ticket import Ticket, queue_key
from shared.events.base import Event, StatusCategory

DRAIN_MAX: Final = 500
"""Assignments of one desk, as in the service; here the next desk follows at once."""


class Rehearsal:
    """Everything between the decisions.

    Args:
        roster: who is there; changed in place.
        now: the moment of the next decision.
    """

    def __init__(self, roster: Roster, now: datetime) -> None:
        self.roster = roster
        self.now = now
        self.tickets: dict[UUID, Ticket] = {}
        self._waiting: dict[int, dict[UUID, Ticket]] = {}
        self._lane_of: dict[UUID, int] = {}
        self._last_agents: dict[str, LastAgent] = {}
        self._next_room_at: datetime | None = None
        self._next_of_agents: datetime | None = None
        self._timed: dict[UUID, Ticket] = {}

    def at_desk(
        self,
        act: Callable[[Desk], object] = lambda _desk: None,
        tickets: Iterable[Ticket] = (),
        *,
        everywhere: bool = False,
    ) -> list[Event]:
        """One action: it is done, then what waits is placed until nothing more can be.

        Args:
            act: what is done; when it refuses, nothing has changed.
            tickets: what it is about.
            everywhere: look at every queue, as the service's sweep does.

        Returns:
            Every event, in order.
        """
        events: list[Event] = []
        has_more = True
        while has_more:
            desk = Desk(now=self.now, roster=self.roster, tickets=tickets)
            act(desk)
            wanted = desk.lanes_to_fetch(everywhere=everywhere, at_most=DRAIN_MAX)
            heads = self.heads(wanted)
            known = desk.customers_to_recall(heads) & self._last_agents.keys()
            desk.customers.recall(self._last_agents[one] for one in known)
            is_cut_short = len(heads) == DRAIN_MAX < sum(wanted.values())
            has_more = desk.place(heads, at_most=DRAIN_MAX) or is_cut_short
            desk.forget_empty_lanes()
            timing.set_timers(desk)
            self._keep(desk)
            events += desk.events
            act, tickets, everywhere = (lambda _desk: None), (), True
        return events

    def next_moment(self) -> datetime | None:
        """When time alone will next do something; None when nothing waits for it.

        A rate limit lets something go on, an offer or lease runs out, a wait widens, grace ends, a shift changes.
        """
        moments = [ticket.timer_at for ticket in self._timed.values()]
        moments += [self._next_room_at, self._next_of_agents]
        return min((moment for moment in moments if moment is not None), default=None)

    def next_room_at(self) -> datetime | None:
        """When a rate limit will first let something that waits go on; None when nothing waits for that."""
        return self._next_room_at

    def pass_time(self) -> list[Event]:
        """Do what time does now, as the service's sweep."""
        cause = Cause.by_router("simulation")
        events: list[Event] = []
        more = True
        while more:
            left = False

            def act(desk: Desk) -> None:
                nonlocal left
                left = timing.pass_time(desk, self, cause, at_most=DRAIN_MAX)

            events += self.at_desk(act, everywhere=True)
            more = left
        return events

    def relieve(self) -> list[Event]:
        """Tickets of agents who no longer work here go back to the queue, as in the service's sweep."""
        agents = self.roster.agents
        gone = [
            ticket
            for ticket in self.tickets.values()
            if ticket.agent_id in agents
            and not agents[ticket.agent_id].profile.is_active
            and ticket.needs_agent
        ]
        cause = Cause.by_router("simulation")
        return (
            self.at_desk(lambda desk: commands.leave_for_good(desk, gone, cause), gone)
            if gone
            else []
        )

    def due(self) -> list[Ticket]:
        """Tickets to which time does something now, the earliest first."""
        found = [one for one in self._timed.values() if one.timer_at and one.timer_at <= self.now]
        return sorted(found, key=lambda one: (one.timer_at, one.ticket_id))[:DRAIN_MAX]

    def left_behind(self, agent_id: str, groups: Sequence[str]) -> list[Ticket]:
        """Unanswered tickets of these groups in the agent's hands that nobody gave there by hand (R9)."""
        return [
            ticket
            for ticket in self.tickets.values()
            if ticket.agent_id == agent_id
            and ticket.group_id in groups
            and ticket.category in {StatusCategory.NEW, StatusCategory.OPEN}
            and not ticket.is_held
            and not ticket.is_by_hand
        ][:DRAIN_MAX]

    def offered_to(self, agents: Sequence[str]) -> list[Ticket]:
        """Tickets that are offered to these agents."""
        return [one for one in self._timed.values() if one.offered_to in agents][:DRAIN_MAX]

    def waiting_in(self, lanes: Sequence[int]) -> list[Ticket]:
        """Tickets that wait in these lanes."""
        return [one for lane in lanes for one in self._waiting.get(lane, {}).values()][:DRAIN_MAX]

    def queue(self) -> list[Ticket]:
        """All that waits, in order."""
        waiting = (ticket for lane in self._waiting.values() for ticket in lane.values())
        return sorted(waiting, key=queue_key)

    def heads(self, wanted: Mapping[int, int]) -> list[Ticket]:
        """The first tickets of lanes in the order of the queue (R3): lane → how many."""
        found: list[Ticket] = []
        for lane, count in wanted.items():
            found += heapq.nsmallest(count, self._waiting.get(lane, {}).values(), key=queue_key)
        return heapq.nsmallest(DRAIN_MAX, found, key=queue_key)

    def _keep(self, desk: Desk) -> None:
        for ticket_id, ticket in desk.changed_tickets.items():
            self.tickets[ticket_id] = ticket
            if ticket.timer_at is None:
                self._timed.pop(ticket_id, None)
            else:
                self._timed[ticket_id] = ticket
            before = self._lane_of.pop(ticket_id, None)
            if before is not None:
                del self._waiting[before][ticket_id]
            if ticket.lane is not None:
                self._lane_of[ticket_id] = ticket.lane
                self._waiting.setdefault(ticket.lane, {})[ticket_id] = ticket
        self._last_agents.update(desk.customers.changed)
        self._next_room_at = desk.next_room_at()
        self._next_of_agents = timing.next_of_agents(desk)
