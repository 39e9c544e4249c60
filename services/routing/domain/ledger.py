"""What one transaction changes: every change of who has a ticket is an event first, and only `_evolve` applies events.

So the tables can always be made again from the log.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import cached_property
from typing import Final, assert_never
from uuid import UUID

from services.routing.domain.agent import Agent
from services.routing.domain.cause import Cause
from services.routing.domain.choice import ROUNDING
from services.routing.domain.customers import Customers
from services.routing.domain.needs import demand_of, overdue_since, units_of
from services.routing.domain.pace import remember_push
from services.routing.domain.roster import Lane, Roster
from services.routing.domain.ticket import Ticket
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
from shared.events.base import Event, Stamp

HOLDERS_MAX: Final = 20
"""The last holders tell the story; a ticket that went through more hands is told by its log."""


class Ledger:
    """The tickets and the roster of one transaction, its events, and what they changed.

    Args:
        now: the moment of the decisions.
        roster: who is there; changed in place.
        tickets: those that this transaction is about; an unknown id gets an empty ticket.
    """

    def __init__(self, *, now: datetime, roster: Roster, tickets: Iterable[Ticket] = ()) -> None:
        self.now = now
        self.roster = roster
        self.tickets = {ticket.ticket_id: ticket for ticket in tickets}
        self.events: list[Event] = []
        self.changed_tickets: dict[UUID, Ticket] = {}
        self.changed_agents: dict[str, Agent] = {}
        self.changed_groups: set[str] = set()
        self.changed_lanes: dict[int, Lane] = {}
        self.forgotten_lanes: set[int] = set()
        self.customers = Customers()
        self.is_book_changed = False
        self.is_import_changed = False
        self.is_settings_changed = False
        self.over_capacity_count = 0
        self._closed: frozenset[str] | None = None
        self._newcomers: dict[UUID, Cause] = {}
        self._stirred: set[str] = set()

    @property
    def is_roster_untouched(self) -> bool:
        """Whether nobody in the roster changed here."""
        return not (
            self.events
            or self.changed_agents
            or self.changed_groups
            or self.changed_lanes
            or self.forgotten_lanes
            or self.is_book_changed
            or self.is_import_changed
            or self.is_settings_changed
        )

    def ticket(self, ticket_id: UUID) -> Ticket:
        """The ticket, ready to be changed."""
        ticket = self.tickets.get(ticket_id)
        if ticket is None:
            ticket = self.tickets[ticket_id] = Ticket(ticket_id=ticket_id)
        self.changed_tickets[ticket_id] = ticket
        return ticket

    def add(self, tickets: Iterable[Ticket]) -> list[Ticket]:
        """Bring more tickets to the desk; one that is there already stays as it is here."""
        return [self.tickets.setdefault(ticket.ticket_id, ticket) for ticket in tickets]

    def free(self, ticket: Ticket, agent: Agent) -> None:
        """The agent no longer has it to do, so there is room for what waits."""
        self._load(agent, ticket.channel, -ticket.units)
        ticket.units = 0.0
        self.changed_tickets[ticket.ticket_id] = ticket
        agent.idle_since = self.now
        self.stir(agent)

    def take(self, ticket: Ticket, agent: Agent) -> None:
        """The agent has it to do from now on, perhaps above the limit (manual, reopen)."""
        ticket.units = units_of(ticket, self.roster)
        self.changed_tickets[ticket.ticket_id] = ticket
        self._load(agent, ticket.channel, ticket.units)
        if agent.profile.capacity is not None and agent.load > agent.profile.capacity + ROUNDING:
            self.over_capacity_count += 1

    def weigh_again(self, ticket: Ticket) -> None:
        """Its priority or state is another one: it may take other room where it is, or ask for other room (R5)."""
        if not ticket.needs_agent:
            return
        holder = ticket.agent_id or ticket.offered_to
        agent = self.roster.agents.get(holder) if holder is not None else None
        if agent is None or units_of(ticket, self.roster) == ticket.units:
            return
        is_lighter = units_of(ticket, self.roster) < ticket.units
        self._load(agent, ticket.channel, -ticket.units)
        self.take(ticket, agent)
        if is_lighter:
            self.stir(agent)

    def lighten(self, agent: Agent, units: float) -> None:
        """The agent has finished something that no ticket here stands for."""
        agent.load = max(0.0, agent.load - units)
        agent.idle_since = self.now
        self.stir(agent)

    def stir(self, agent: Agent) -> None:
        """Something about the agent got better: the queues of its groups may move (R2)."""
        self.changed_agents[agent.agent_id] = agent
        self._stirred.update(agent.profile.groups)

    def stir_groups(self, groups: Iterable[str]) -> None:
        """Something about these groups changed: their queues may move."""
        self._stirred.update(groups)

    def stamp(self, ticket: Ticket, cause: Cause) -> Stamp:
        """The common fields of the ticket's next event here."""
        return {
            "version": ticket.version + 1,
            "occurred_at": cause.occurred_at or self.now,
            "recorded_at": self.now,
            "actor": cause.actor,
            "via": cause.via,
            "correlation_id": cause.correlation_id,
            "causation_id": cause.causation_id,
        }

    def record(self, ticket: Ticket, event: AssignmentEvent) -> None:
        """The event happens: it is kept for the log and applied."""
        self.events.append(event)
        self.changed_tickets[ticket.ticket_id] = ticket
        ticket.version = event.version
        self._evolve(ticket, event)

    def retire_lanes(self, groups: Collection[str]) -> None:
        """What tickets of these groups ask is another question now; `timing.pass_time` moves those that wait."""
        self.changed_lanes.update((lane.lane, lane) for lane in self.roster.retire_lanes(groups))

    def relane(self, ticket: Ticket) -> None:
        """It waits in the lane of what it asks now; where it stands in time stays the same."""
        self.changed_tickets[ticket.ticket_id] = ticket
        if overdue_since(ticket, self.roster, self.now) is None:
            ticket.overdue_since = None
        refusals = ticket.refusals
        self._enter_lane(ticket)
        ticket.refusals = refusals

    def closed_calendars(self) -> frozenset[str]:
        """Calendars of shifts in which it is not working time now (R4)."""
        if self._closed is None:
            self._closed = self.roster.closed_at(self.now)
        return self._closed

    def forget_closed(self) -> None:
        """Somebody works by another calendar now, or a calendar changed."""
        self._closed = None

    @cached_property
    def _is_sticky(self) -> bool:
        """Looked up once for all assignments of the transaction."""
        return self.roster.is_sticky

    def _load(self, agent: Agent, channel: str, units: float) -> None:
        if units:
            agent.load = _rounded(agent.load + units)
            of_channel = _rounded(agent.channel_loads.get(channel, 0.0) + units)
            loads = {name: load for name, load in agent.channel_loads.items() if name != channel}
            if of_channel:
                loads[channel] = of_channel
            agent.channel_loads = loads
        self.changed_agents[agent.agent_id] = agent

    def _evolve(self, ticket: Ticket, event: AssignmentEvent) -> None:
        match event:
            case GroupChanged():
                self._leave_lane(ticket)
                ticket.group_id = event.group_id
                ticket.is_group_by_hand = event.mode in {"manual", "escalation"}
                ticket.step, ticket.overdue_since = 0, None
                ticket.waits_since = None
                ticket.declined = ()
                ticket.forgive_at = None
            case TicketQueued():
                self._enter_lane(ticket)
                ticket.queued_at = event.queued_at
                ticket.refusals = ",".join(sorted(event.reasons))
            case TicketOffered():
                self._evolve_offered(ticket, event)
            case TicketOfferEnded():
                self._evolve_offer_ended(ticket, event)
            case TicketAssigned():
                self._leave_lane(ticket)
                self._evolve_assigned(ticket, event)
            case TicketUnassigned():
                self._release(ticket)
                ticket.agent_id = None
                ticket.is_by_hand = False
                ticket.lease_until = None
            case TicketWithdrawn():
                self._leave_lane(ticket)
                # The next time that it needs somebody is another wait, with nothing given up or declined yet.
                ticket.step, ticket.waits_since, ticket.overdue_since = 0, None, None
                ticket.declined, ticket.forgive_at, ticket.is_raised = (), None, False
            case TicketSkipped():
                ticket.declined = tuple(sorted({*ticket.declined, event.agent_id}))
            case TicketEscalated():
                ticket.escalation_count = event.escalation_count
            case MoveRefused():
                pass
            case _:
                assert_never(event)

    def _evolve_offered(self, ticket: Ticket, event: TicketOffered) -> None:
        self._leave_lane(ticket)
        ticket.offered_to, ticket.offer_until = event.agent_id, event.expires_at
        ticket.offered_at = event.recorded_at
        ticket.forgive_at = None  # if this one declines too, all are given the time anew
        agent = self.roster.agents.get(event.agent_id)
        if agent is not None:
            self.take(ticket, agent)
            self._had_turn(agent, is_push=True)

    def _evolve_offer_ended(self, ticket: Ticket, event: TicketOfferEnded) -> None:
        agent = self.roster.agents.get(event.agent_id)
        if agent is not None:
            self.free(ticket, agent)
            if event.outcome == "expired":
                agent.expired_count += 1
            elif event.outcome == "declined":
                agent.expired_count = 0
        ticket.offered_to = ticket.offered_at = ticket.offer_until = None
        if event.outcome in {"declined", "expired"}:
            ticket.declined = tuple(sorted({*ticket.declined, event.agent_id}))

    def _evolve_assigned(self, ticket: Ticket, event: TicketAssigned) -> None:
        agent = self.roster.agents.get(event.agent_id)
        is_accepted = ticket.offered_to == event.agent_id
        if ticket.agent_id != event.agent_id:
            self._release(ticket)
            ticket.agent_id = event.agent_id
            if agent is not None and ticket.needs_agent and not is_accepted:
                self.take(ticket, agent)
        ticket.offered_to = ticket.offered_at = ticket.offer_until = None
        ticket.forgive_at = ticket.waits_since = ticket.overdue_since = None
        ticket.step, ticket.is_raised = 0, False
        ticket.is_by_hand = event.mode == "manual"
        ticket.lease_until = event.leased_until
        if event.agent_id not in ticket.holders:
            ticket.holders = (*ticket.holders, event.agent_id)[-HOLDERS_MAX:]
        if agent is not None and not ticket.is_held:
            if is_accepted:
                agent.expired_count = 0
                agent.idle_since = self.now
                self.changed_agents[agent.agent_id] = agent
            else:
                self._had_turn(agent, is_push=event.mode == "auto")
            if ticket.requester_id and self._is_sticky:
                self.customers.remember(ticket.requester_id, agent.agent_id, self.now)

    def _had_turn(self, agent: Agent, *, is_push: bool) -> None:
        self.roster.turn += 1
        agent.turn = self.roster.turn
        agent.idle_since = self.now
        if is_push:
            remember_push(agent, self.now, at_most=self.roster.pushes_kept(agent))
        self.changed_agents[agent.agent_id] = agent

    def _release(self, ticket: Ticket) -> None:
        if ticket.agent_id is not None and ticket.needs_agent:
            agent = self.roster.agents.get(ticket.agent_id)
            if agent is not None:
                self.free(ticket, agent)

    def _enter_lane(self, ticket: Ticket) -> None:
        lane = self.roster.lane_for(demand_of(ticket, self.roster))
        if ticket.lane != lane.lane:
            self._leave_lane(ticket)
            ticket.lane = lane.lane
            lane.waiting += 1
            self.changed_lanes[lane.lane] = lane

    def _leave_lane(self, ticket: Ticket) -> None:
        if ticket.lane is not None:
            lane = self.roster.lanes[ticket.lane]
            lane.waiting -= 1
            self.changed_lanes[lane.lane] = lane
            ticket.lane = None
            ticket.refusals = ""


def _rounded(units: float) -> float:
    """Sums of thousandths stay thousandths, and nobody's load is a shade below nothing."""
    return max(0.0, round(units, 3))
