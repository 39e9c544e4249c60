"""The desk where decisions are taken: it places waiting tickets in the hands of agents and records why.

A desk lives for one transaction. Every change of who has a ticket is an event first (`record`), and only
`_evolve` applies events, so the tables can always be made again from the log.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from services.routing.domain import why
from services.routing.domain.agent import TICKET_UNITS, Agent
from services.routing.domain.choice import Decision, choose, refusal, room
from services.routing.domain.customers import Customers
from services.routing.domain.pace import Pace, remember_push
from services.routing.domain.roster import Lane, Roster
from services.routing.domain.strategies import STICKY, WEIGHTED, turns_after
from services.routing.domain.ticket import Ticket, queue_key
from shared.events.agents import Strategy
from shared.events.assignments import (
    AssignmentEvent,
    GroupChanged,
    TicketAssigned,
    TicketQueued,
    TicketUnassigned,
    TicketWithdrawn,
)
from shared.events.base import Actor, ActorKind, Channel, Event, Stamp
from shared.identifiers import derived_id, new_id

ROUTER: Final = Actor(kind=ActorKind.SYSTEM, id="routing")


class Cause(msgspec.Struct, frozen=True):
    """Who set something in motion, through what, and because of which event."""

    actor: Actor
    via: Channel
    correlation_id: str
    causation_id: str | None = None
    occurred_at: datetime | None = None

    @classmethod
    def by_router(
        cls, correlation_id: str | None = None, causation_id: str | None = None
    ) -> "Cause":
        """Routing itself acts, because of an event or of its own accord."""
        return cls(ROUTER, Channel.SYSTEM, correlation_id or str(new_id()), causation_id)


class Desk:
    """The decisions of one transaction.

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

    # What others do at this desk.

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

    def wait(self, ticket: Ticket, cause: Cause) -> None:
        """The ticket needs somebody: `place` will find one or queue it."""
        if ticket.lane is None and ticket.ticket_id not in self._newcomers:
            ticket.generation += 1
        if ticket.queued_at is None:
            ticket.queued_at = self.now
        self._newcomers[ticket.ticket_id] = cause

    def withdraw(self, ticket: Ticket, reason: str, cause: Cause) -> None:
        """The ticket no longer needs anybody (R12)."""
        self._newcomers.pop(ticket.ticket_id, None)
        if ticket.lane is not None:
            self.record(
                ticket,
                TicketWithdrawn(
                    **self.stamp(ticket, cause),
                    ticket_id=ticket.ticket_id,
                    group_id=ticket.group_id,
                    reason=reason,
                    waited_seconds=self._waited(ticket),
                ),
            )

    def drop(self, ticket: Ticket) -> None:
        """Somebody is named for it by hand: `place` need not look for anybody."""
        self._newcomers.pop(ticket.ticket_id, None)

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

    def move_to_group(
        self, ticket: Ticket, group_id: str | None, *, mode: str, because: str, cause: Cause
    ) -> None:
        """The ticket belongs to another group from now on; it leaves its old queue place."""
        self.record(
            ticket,
            GroupChanged(
                **self.stamp(ticket, cause),
                ticket_id=ticket.ticket_id,
                group_id=group_id,
                previous_group_id=ticket.group_id,
                mode=mode,
                why=because,
                rule=ticket.rule if mode == "rule" else None,
                rules_version=ticket.rules_version if mode == "rule" else None,
            ),
        )

    def hand_over(
        self,
        ticket: Ticket,
        agent: Agent,
        *,
        mode: str,
        because: str,
        cause: Cause,
        strategy: str | None = None,
        decision: Decision | None = None,
    ) -> None:
        """Record that this agent has it now."""
        counts = ticket.needs_agent
        units = TICKET_UNITS if counts and ticket.agent_id != agent.agent_id else 0.0
        self.record(
            ticket,
            TicketAssigned(
                **self.stamp(ticket, cause),
                ticket_id=ticket.ticket_id,
                agent_id=agent.agent_id,
                agent_name=agent.profile.name,
                previous_agent_id=ticket.agent_id,
                group_id=ticket.group_id,
                mode=mode,
                strategy=strategy,
                decision_id=derived_id(
                    "decision", ticket.ticket_id, ticket.generation, ticket.version
                ),
                why=because,
                load_before=agent.load,
                load_after=agent.load + units,
                capacity=agent.profile.capacity,
                candidates=decision.candidates() if decision else (),
                candidates_count=len(decision.ranked) if decision else 0,
                refused_counts=decision.refused_counts if decision else {},
                rule=ticket.rule,
                rules_version=ticket.rules_version,
                waited_seconds=self._waited(ticket),
                ticket_version=ticket.ticket_version,
            ),
        )

    def take_away(self, ticket: Ticket, reason: str, because: str, cause: Cause) -> None:
        """Record that its agent no longer has it; the caller lets it wait when it needs somebody."""
        assert ticket.agent_id is not None
        self.record(
            ticket,
            TicketUnassigned(
                **self.stamp(ticket, cause),
                ticket_id=ticket.ticket_id,
                previous_agent_id=ticket.agent_id,
                group_id=ticket.group_id,
                reason=reason,
                why=because,
            ),
        )

    # Placing what waits.

    def lanes_to_fetch(self, *, everywhere: bool, at_most: int) -> dict[int, int]:
        """Lanes whose stored tickets are worth looking at now: lane → how many from its head."""
        looked_at = list(self.roster.lanes.values()) if everywhere else self._lanes_touched()
        wanted = {}
        for lane in looked_at:
            if lane.waiting and self._is_push(lane):
                count = room(
                    self.roster.members(lane.group_id),
                    lane.demand,
                    at_most=at_most,
                    pace=self._pace(lane),
                )
                if count:
                    wanted[lane.lane] = min(count, lane.waiting)
        return wanted

    def customers_to_recall(self, waiting: Iterable[Ticket]) -> set[str]:
        """Whose last agent matters to the next `place`: customers of groups that keep to the last agent."""
        sticky = {
            group.group_id
            for group in self.roster.groups.values()
            if group.profile.sticky_seconds is not None
        }
        tickets = (*waiting, *(self.tickets[one] for one in self._newcomers)) if sticky else ()
        return {one.requester_id for one in tickets if one.requester_id and one.group_id in sticky}

    def place(self, waiting: Iterable[Ticket], *, at_most: int, cause: Cause | None = None) -> bool:
        """Give newcomers and `waiting` (stored heads of lanes) to agents in the order of the queue (R3).

        Args:
            waiting: what `lanes_to_fetch` asked for.
            at_most: assignments in this transaction; newcomers beyond it are queued and get their turn next.
            cause: of assignments that a queued ticket gets; routing itself when not given.

        Returns:
            Whether more could be placed at once; then the caller comes again soon.
        """
        cause = cause or Cause.by_router()
        entries = {
            ticket.ticket_id: ticket for ticket in self.add(waiting) if ticket.lane is not None
        }
        entries.update((one, self.tickets[one]) for one in self._newcomers)
        blocked: dict[int, Decision] = {}
        placed = 0
        for ticket in sorted(entries.values(), key=queue_key):
            lane = self.roster.lane_for(ticket.demand())
            decision = blocked.get(lane.lane)
            if decision is None and placed < at_most:
                decision = self.decide(lane, ticket)
            newcomer = self._newcomers.pop(ticket.ticket_id, None)
            if decision is not None and decision.agent is not None:
                self._assign(ticket, decision, newcomer or cause)
                placed += 1
                continue
            if decision is not None:
                blocked[lane.lane] = decision
            if newcomer is not None:
                self._queue(ticket, decision, newcomer)
        return placed >= at_most and bool(entries)

    def tell_reasons(self, tickets: Iterable[Ticket], cause: Cause) -> int:
        """Say it of queued tickets whose reasons for waiting became other ones (R8); returns how many."""
        told = 0
        decisions: dict[int, Decision] = {}
        for ticket in self.add(tickets):
            if ticket.lane is None:
                continue
            lane = self.roster.lanes[ticket.lane]
            decision = decisions.get(lane.lane) or decisions.setdefault(
                lane.lane, self.decide(lane)
            )
            if decision.agent is None and codes(decision) != ticket.refusals:
                self._queue(ticket, decision, cause)
                told += 1
        return told

    def decide(self, lane: Lane, ticket: Ticket | None = None) -> Decision:
        """Who would get the next ticket of this lane now, or this ticket of it; nothing changes."""
        group = self.roster.groups.get(lane.group_id) if lane.group_id is not None else None
        return choose(
            lane.demand,
            group,
            self.roster.members(lane.group_id),
            pace=self._pace(lane),
            preferred=self.customers.preferred(ticket, group, self.now)
            if ticket and group
            else None,
        )

    def next_room_at(self) -> datetime | None:
        """When a rate limit will first let something that waits go on (R4); None when nothing waits for that alone."""
        moments = []
        for lane in self.roster.lanes.values():
            pace = self._pace(lane)
            if lane.waiting and pace is not None and self._is_push(lane):
                moments += [
                    pace.next_at(agent)
                    for agent in self.roster.members(lane.group_id)
                    if refusal(agent, lane.demand) is None and not pace.left(agent)
                ]
        return min(moments, default=None)

    def forget_empty_lanes(self) -> None:
        """Lanes with excluded agents are made for single tickets; empty ones would pile up."""
        for lane in list(self.roster.lanes.values()):
            if lane.excluded and not lane.waiting:
                self.roster.forget_lane(lane)
                self.changed_lanes.pop(lane.lane, None)
                self.forgotten_lanes.add(lane.lane)

    # Recording.

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

    # Details of placing.

    def _lanes_touched(self) -> list[Lane]:
        lanes = {lane.lane: lane for lane in self.roster.lanes_of(self._stirred)}
        for ticket_id in self._newcomers:
            lane = self.roster.lane_for(self.tickets[ticket_id].demand())
            lanes[lane.lane] = lane
        return list(lanes.values())

    def _is_push(self, lane: Lane) -> bool:
        group = self.roster.groups.get(lane.group_id or "")
        return group is not None and group.profile.is_active and group.strategy != Strategy.MANUAL

    def _pace(self, lane: Lane) -> Pace | None:
        group = self.roster.groups.get(lane.group_id or "")
        return None if group is None else Pace.of(group, self.now)

    def _assign(self, ticket: Ticket, decision: Decision, cause: Cause) -> None:
        agent = decision.agent
        assert agent is not None
        group = self.roster.groups[ticket.group_id or ""]
        if group.strategy == WEIGHTED and not decision.is_sticky:
            # Not in `_evolve`: an event names ten candidates, and the turns follow from all of them.
            members = self.roster.members(group.group_id)
            group.saved_turns = turns_after(group, members, decision.eligible, agent)
            self.changed_groups.add(group.group_id)
        self.hand_over(
            ticket,
            agent,
            mode="auto",
            because=why.chosen(agent, group.strategy, decision, agent.load + TICKET_UNITS),
            cause=Cause.by_router(cause.correlation_id, cause.causation_id),
            strategy=STICKY if decision.is_sticky else group.strategy,
            decision=decision,
        )

    def _queue(self, ticket: Ticket, decision: Decision | None, cause: Cause) -> None:
        """Queue it with the reasons; without a decision it only waits for its turn."""
        reasons = decision.refused_counts if decision else {"waiting_turn": 1}
        assert ticket.queued_at is not None
        self.record(
            ticket,
            TicketQueued(
                **self.stamp(ticket, Cause.by_router(cause.correlation_id, cause.causation_id)),
                ticket_id=ticket.ticket_id,
                group_id=ticket.group_id,
                queued_at=ticket.queued_at,
                priority=ticket.priority,
                reasons=reasons,
                candidates=decision.candidates() if decision else (),
                rule=ticket.rule,
                rules_version=ticket.rules_version,
                why=why.nobody(reasons),
            ),
        )

    def _waited(self, ticket: Ticket) -> float:
        if ticket.queued_at is None:
            return 0.0
        return max(0.0, (self.now - ticket.queued_at).total_seconds())


def codes(decision: Decision) -> str:
    """The reason codes, sorted: what `Ticket.refusals` holds. Counts are left out, as they change all the time."""
    return ",".join(sorted(decision.refused_counts))
