"""The desk where decisions are taken: it places waiting tickets in the hands of agents and records why."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from services.routing.domain import why
from services.routing.domain.cause import Cause
from services.routing.domain.choice import Decision, Standing, refusal, room
from services.routing.domain.handing import Handing
from services.routing.domain.needs import demand_of, overflow, relaxed, steps_taken
from services.routing.domain.pace import Pace
from services.routing.domain.roster import Lane
from services.routing.domain.strategies import STICKY, WEIGHTED, strategy_of, turns_after
from services.routing.domain.ticket import Ticket, queue_key
from shared.events.agents import OfferMode, Strategy

__all__ = ["Cause", "Desk", "codes"]


class Desk(Handing):
    """The decisions of one transaction; it lives no longer.

    What others do to a ticket here is in `Handing`; how events change tickets and roster is in `Ledger`.
    """

    def lanes_to_fetch(self, *, everywhere: bool, at_most: int) -> dict[int, int]:
        """Lanes whose stored tickets are worth looking at now: lane → how many from its head."""
        looked_at = list(self.roster.lanes.values()) if everywhere else self._lanes_touched()
        wanted = {}
        for lane in looked_at:
            if lane.waiting and self._is_push(lane):
                count = room(
                    (*self.roster.members(lane.group_id), *self.roster.helpers(lane.demand)),
                    lane.demand,
                    at_most=at_most,
                    pace=self._pace(lane),
                    closed=self.closed_calendars(),
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
        standings: dict[int, Standing] = {}
        placed = 0
        for ticket in sorted(entries.values(), key=queue_key):
            lane = self.roster.lane_for(demand_of(ticket, self.roster))
            decision = blocked.get(lane.lane)
            if decision is None and placed < at_most:
                standing = standings.get(lane.lane)
                if standing is None:
                    standing = standings[lane.lane] = self._standing(lane)
                decision = standing.decide(self._preferred(ticket))
            newcomer = self._newcomers.pop(ticket.ticket_id, None)
            if decision is not None and decision.agent is not None:
                self._assign(ticket, decision, newcomer or cause)
                for standing in standings.values():
                    standing.look_again(decision.agent)
                placed += 1
                continue
            if decision is not None:
                blocked[lane.lane] = decision
                standings.pop(lane.lane, None)
            if newcomer is not None:
                self.queue(ticket, decision, newcomer)
                if ticket.declined and ticket.forgive_at is None:
                    self.ask_again_later(ticket)
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
                self.queue(ticket, decision, cause)
                told += 1
        return told

    def decide(self, lane: Lane) -> Decision:
        """Who would get the next ticket of this lane now; nothing changes."""
        return self._standing(lane).decide()

    def ask_again_later(self, ticket: Ticket) -> None:
        """Nobody else can take what some have declined: they are asked again after a while (R10)."""
        group = self.roster.groups.get(ticket.group_id or "")
        offer = (group.profile.offer if group is not None else None) or OfferMode()
        ticket.forgive_at = self.now + timedelta(seconds=offer.again_seconds)

    def is_for_others(self, lane: Lane) -> bool:
        """Whether somebody whom its tickets do not exclude could ask for one now; in time, if not at once (R4)."""
        able = (*self.roster.members(lane.group_id), *self.roster.helpers(lane.demand))
        closed = self.closed_calendars()
        return any(refusal(agent, lane.demand, closed=closed) is None for agent in able)

    def next_room_at(self) -> datetime | None:
        """When a rate limit will first let something that waits go on (R4); None when nothing waits for that alone."""
        moments = []
        for lane in self.roster.lanes.values():
            pace = self._pace(lane)
            if lane.waiting and pace is not None and self._is_push(lane):
                moments += [
                    pace.next_at(agent)
                    for agent in self.roster.members(lane.group_id)
                    if refusal(agent, lane.demand, closed=self.closed_calendars()) is None
                    and not pace.left(agent)
                ]
        return min(moments, default=None)

    def forget_empty_lanes(self) -> None:
        """Lanes with excluded agents are made for single tickets; empty ones would pile up."""
        for lane in list(self.roster.lanes.values()):
            if (lane.excluded or lane.is_retired) and not lane.waiting:
                self.roster.forget_lane(lane)
                self.changed_lanes.pop(lane.lane, None)
                self.forgotten_lanes.add(lane.lane)

    # Details of placing.

    def _standing(self, lane: Lane) -> Standing:
        return Standing(
            lane.demand,
            self.roster.groups.get(lane.group_id or ""),
            self.roster.members(lane.group_id),
            helpers=self.roster.helpers(lane.demand),
            pace=self._pace(lane),
            closed=self.closed_calendars(),
        )

    def _preferred(self, ticket: Ticket) -> str | None:
        """The agent to whom the group keeps for this customer (R6)."""
        group = self.roster.groups.get(ticket.group_id or "")
        return self.customers.preferred(ticket, group, self.now) if group is not None else None

    def _lanes_touched(self) -> list[Lane]:
        lanes = {lane.lane: lane for lane in self.roster.lanes_of(self._stirred)}
        for ticket_id in self._newcomers:
            lane = self.roster.lane_for(demand_of(self.tickets[ticket_id], self.roster))
            lanes[lane.lane] = lane
        return list(lanes.values())

    def _is_push(self, lane: Lane) -> bool:
        group = self.roster.groups.get(lane.group_id or "")
        return (
            group is not None
            and group.profile.is_active
            and strategy_of(group, lane.strategy) != Strategy.MANUAL
        )

    def _pace(self, lane: Lane) -> Pace | None:
        group = self.roster.groups.get(lane.group_id or "")
        return None if group is None else Pace.of(group, self.now)

    def _assign(self, ticket: Ticket, decision: Decision, cause: Cause) -> None:
        agent = decision.agent
        assert agent is not None
        group = self.roster.groups[ticket.group_id or ""]
        strategy = strategy_of(group, ticket.strategy)
        if strategy == WEIGHTED and not decision.is_sticky and not decision.is_by_helper:
            # Not in `_evolve`: an event names ten candidates, and the turns follow from all of them.
            members = self.roster.members(group.group_id)
            able = [one for one in decision.eligible if one.agent_id not in decision.helpers]
            group.saved_turns = turns_after(group, members, able, agent)
            self.changed_groups.add(group.group_id)
        steps = steps_taken(ticket, self.roster)
        units = decision.demand.units if decision.demand else 0.0
        because = why.chosen(agent, strategy, decision, round(agent.load + units, 3))
        because += why.widened(relaxed(steps), overflow(steps, ticket.group_id))
        told = STICKY if decision.is_sticky else strategy
        by_router = Cause.by_router(cause.correlation_id, cause.causation_id)
        offer = group.profile.offer
        if offer is not None:
            self.offer(
                ticket,
                agent,
                seconds=offer.seconds,
                strategy=told,
                because=because,
                cause=by_router,
                decision=decision,
            )
            return
        self.hand_over(
            ticket,
            agent,
            mode="auto",
            because=because,
            cause=by_router,
            strategy=told,
            decision=decision,
        )


def codes(decision: Decision) -> str:
    """The reason codes, sorted: what `Ticket.refusals` holds. Counts are left out, as they change all the time."""
    return ",".join(sorted(decision.refused_counts))
