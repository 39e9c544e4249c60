"""What one transaction changes: every change of who has a ticket is an event first, and only `_evolve` applies events.

So the tables can always be made again from the log.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from services.routing.domain.agent import TICKET_UNITS, Agent
from services.routing.domain.cause import Cause
from services.routing.domain.customers import Customers
from services.routing.domain.pace import remember_push
from services.routing.domain.roster import Lane, Roster
from services.routing.domain.ticket import Ticket
from shared.events.assignments import (
    AssignmentEvent,
    GroupChanged,
    TicketAssigned,
    TicketQueued,
    TicketUnassigned,
    TicketWithdrawn,
)
from shared.events.base import Event, Stamp


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
        self.over_capacity_count = 0
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

    def free(self, agent: Agent) -> None:
        """The agent has room again, so waiting tickets are looked at."""
        agent.load = max(0.0, agent.load - TICKET_UNITS)
        agent.idle_since = self.now
        self.stir(agent)

    def take(self, agent: Agent) -> None:
        """The agent has one more in hand, perhaps above the limit (manual, pull by hand, reopen)."""
        agent.load += TICKET_UNITS
        self.changed_agents[agent.agent_id] = agent
        if agent.profile.capacity is not None and agent.load > agent.profile.capacity:
            self.over_capacity_count += 1

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

    def _evolve(self, ticket: Ticket, event: AssignmentEvent) -> None:
        match event:
            case GroupChanged():
                self._leave_lane(ticket)
                ticket.group_id = event.group_id
            case TicketQueued():
                self._enter_lane(ticket)
                ticket.queued_at = event.queued_at
                ticket.refusals = ",".join(sorted(event.reasons))
            case TicketAssigned():
                self._leave_lane(ticket)
                self._evolve_assigned(ticket, event)
            case TicketUnassigned():
                self._release(ticket)
                ticket.agent_id = None
            case TicketWithdrawn():
                self._leave_lane(ticket)

    def _evolve_assigned(self, ticket: Ticket, event: TicketAssigned) -> None:
        if ticket.agent_id != event.agent_id:
            self._release(ticket)
            ticket.agent_id = event.agent_id
            agent = self.roster.agents.get(event.agent_id)
            if agent is not None and ticket.needs_agent:
                self.take(agent)
        agent = self.roster.agents.get(event.agent_id)
        if agent is not None and not ticket.is_held:
            self.roster.turn += 1
            agent.turn = self.roster.turn
            agent.idle_since = self.now
            if event.mode == "auto":
                remember_push(agent, self.now, at_most=self.roster.pushes_kept(agent))
            self.changed_agents[agent.agent_id] = agent
            if ticket.requester_id and self.roster.is_sticky:
                self.customers.remember(ticket.requester_id, agent.agent_id, self.now)

    def _release(self, ticket: Ticket) -> None:
        if ticket.agent_id is not None and ticket.needs_agent:
            agent = self.roster.agents.get(ticket.agent_id)
            if agent is not None:
                self.free(agent)

    def _enter_lane(self, ticket: Ticket) -> None:
        lane = self.roster.lane_for(ticket.demand())
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
