"""What routing does of its own accord: act on events, serve the queue, sweep."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from services.routing.app import tables
from services.routing.app.desks import Desks
from services.routing.domain import commands, people, timing
from services.routing.domain.cause import Cause
from services.routing.domain.desk import Desk, codes
from services.routing.domain.hours import CalendarVersion
from services.routing.domain.observing import FACT_EVENTS, observe, observe_promise
from services.routing.domain.requests import follow_ladder, follow_request
from services.routing.domain.ticket import Ticket
from shared.events.agents import Presence
from shared.events.assignments import (
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
from shared.events.base import Event
from shared.events.policies import CalendarDefined
from shared.events.sla import SlaEscalationStep, SlaEvent
from shared.events.steps import GroupRequested
from shared.events.tickets import TicketEvent
from shared.eventstore import EventTransaction
from shared.messaging import Received
from shared.observability import metrics
from shared.topics import Topic

SWEEP_TICKETS_MAX: Final = 500
"""Tickets that one transaction touches for each purpose: a transaction of a few tenths of a second at most."""

_KINDS: Final = {
    TicketAssigned: "assigned",
    TicketOffered: "offered",
    TicketOfferEnded: "offer_ended",
    TicketSkipped: "skipped",
    TicketEscalated: "escalated",
    TicketQueued: "queued",
    TicketUnassigned: "unassigned",
    TicketWithdrawn: "withdrawn",
    GroupChanged: "group_changed",
    MoveRefused: "move_refused",
}


class _Tables:
    """The tables as time asks them."""

    def __init__(self, tx: EventTransaction[Any]) -> None:
        self._tx = tx

    def due(self) -> list[Ticket]:
        return tables.due(self._tx, at_most=SWEEP_TICKETS_MAX)

    def left_behind(self, agent_id: str, groups: Sequence[str]) -> list[Ticket]:
        return tables.left_behind(self._tx, agent_id, groups, at_most=SWEEP_TICKETS_MAX)

    def offered_to(self, agents: Sequence[str]) -> list[Ticket]:
        return tables.offered_to(self._tx, agents, at_most=SWEEP_TICKETS_MAX)

    def waiting_in(self, lanes: Sequence[int]) -> list[Ticket]:
        return tables.waiting_in(self._tx, lanes, at_most=SWEEP_TICKETS_MAX)


class Deciding:
    """The verbs of the stream and of the timers; each works inside the transaction it is given.

    Args:
        desks: where decisions are taken.
        quiet_seconds: how long all imported tickets must have been quiet before live routing takes them up: the
            last event of an import that has just ended may still be on its way.
        nudge: called when more could be placed at once; may be called from any thread.
    """

    def __init__(
        self, desks: Desks, *, quiet_seconds: float, nudge: Callable[[], None] = lambda: None
    ) -> None:
        self._desks = desks
        self._quiet_seconds = quiet_seconds
        self._nudge = nudge

    def on_batch(self, tx: EventTransaction[Any], batch: Sequence[Received]) -> None:
        """Act on events of intake and sla (the consumer's handler)."""
        events = [received.event for received in batch]
        ids = {one.event.stream_id for one in batch if one.topic is not Topic.POLICIES}
        learning = {event.stream_id for event in events if isinstance(event, FACT_EVENTS)}
        with self._desks.open(tx, ids, with_facts=learning) as desk:
            for received in batch:
                if received.topic is Topic.TICKETS:
                    observe(desk, cast(TicketEvent, received.event))
                    if isinstance(received.event, GroupRequested):
                        follow_request(desk, received.event)
                elif received.topic is Topic.POLICIES:
                    self._learn(tx, desk, received.event)
                else:
                    observe_promise(desk, cast(SlaEvent, received.event))
                    if isinstance(received.event, SlaEscalationStep):
                        follow_ladder(desk, received.event)
            if self._desks.place(tx, desk):
                self._nudge()
        count_decisions(desk)
        for received in batch:
            if received.topic is Topic.TICKETS and received.event.version == 1:
                delay = (desk.now - received.event.recorded_at).total_seconds()
                metrics.ROUTING_DECISION_SECONDS.observe(max(0.0, delay))

    def sweep(self, tx: EventTransaction[Any]) -> bool:
        """The safety net (R2): whatever could be placed is placed, whoever left is relieved, imports join.

        Returns:
            Whether there is more to do at once.
        """
        with self._desks.open(tx) as desk:
            cause = Cause.by_router()
            more = self._relieve(tx, desk, cause)
            more = self._let_time_pass(tx, desk, cause) or more
            if not desk.roster.is_importing:
                more = self._take_up_imports(tx, desk, cause) or more
            more = self._desks.place(tx, desk, everywhere=True, cause=cause) or more
            if not more:
                more = self._tell_reasons(tx, desk, cause)
            desk.forget_empty_lanes()
            self._forget_customers(tx, desk)
        count_decisions(desk)
        _show(desk)
        return more

    def lose_heartbeats(self, tx: EventTransaction[Any], agents: Sequence[str]) -> None:
        """These agents' leases ran out."""
        with self._desks.open(tx) as desk:
            cause = Cause.by_router()
            for agent_id in agents:
                if agent_id in desk.roster.agents:
                    people.lose_heartbeat(desk, agent_id, cause)
                    metrics.ROUTING_HEARTBEATS_LOST.inc()

    def _learn(self, tx: EventTransaction[Any], desk: Desk, event: Event) -> None:
        """A calendar of sla, for rules on business hours; policies are none of our business."""
        if isinstance(event, CalendarDefined):
            version = CalendarVersion(
                calendar_id=event.calendar_id, version=event.version, definition=event.definition
            )
            desk.roster.learn_calendar(version)
            desk.is_book_changed = True
            desk.forget_closed()
            timing.review_shifts(desk)
            tables.keep_calendar(tx, version)

    def _relieve(self, tx: EventTransaction[Any], desk: Desk, cause: Cause) -> bool:
        """Tickets of agents who no longer work here go back to the queue."""
        gone = [one.agent_id for one in desk.roster.agents.values() if not one.profile.is_active]
        tickets = tables.orphans(tx, gone, at_most=SWEEP_TICKETS_MAX)
        commands.leave_for_good(desk, desk.add(tickets), cause)
        return len(tickets) == SWEEP_TICKETS_MAX

    def _let_time_pass(self, tx: EventTransaction[Any], desk: Desk, cause: Cause) -> bool:
        """Offers and leases run out, waits widen, shifts begin and end, grace ends (R7, R9, R10)."""
        more = timing.pass_time(desk, _Tables(tx), cause, at_most=SWEEP_TICKETS_MAX)
        self._desks.wake_at(timing.next_of_agents(desk))
        self._desks.wake_at(tables.next_timer_at(tx))
        return more

    def _take_up_imports(self, tx: EventTransaction[Any], desk: Desk, cause: Cause) -> bool:
        tickets = tables.settled_imports(
            tx, quiet_seconds=self._quiet_seconds, at_most=SWEEP_TICKETS_MAX
        )
        for ticket in desk.add(tickets):
            commands.release(desk, ticket, cause)
        return len(tickets) == SWEEP_TICKETS_MAX

    def _tell_reasons(self, tx: EventTransaction[Any], desk: Desk, cause: Cause) -> bool:
        """Queued tickets hear when the reasons for their waiting became other ones (R8)."""
        now = {}
        for lane in desk.roster.lanes.values():
            if lane.waiting:
                decision = desk.decide(lane)
                if decision.agent is None:
                    now[lane.lane] = codes(decision)
        tickets = tables.misinformed(tx, now, at_most=SWEEP_TICKETS_MAX)
        told = desk.tell_reasons(tickets, cause)
        return told == SWEEP_TICKETS_MAX

    def _forget_customers(self, tx: EventTransaction[Any], desk: Desk) -> None:
        """Last agents that no group would ask for any more are forgotten, bit by bit."""
        groups = desk.roster.groups.values()
        longest = max((group.profile.sticky_seconds or 0 for group in groups), default=0)
        tables.forget_customers(tx, seconds=longest, at_most=SWEEP_TICKETS_MAX)


def count_decisions(desk: Desk) -> None:
    """Count what was decided, by kind, and what went above somebody's limit (R5)."""
    metrics.ROUTING_OVER_CAPACITY.inc(desk.over_capacity_count)
    for event in desk.events:
        kind = _KINDS.get(type(event))
        if kind is not None:
            metrics.ROUTING_DECISIONS.labels(kind).inc()


def _show(desk: Desk) -> None:
    metrics.ROUTING_QUEUED_TICKETS.set(sum(lane.waiting for lane in desk.roster.lanes.values()))
    present = Counter(agent.presence for agent in desk.roster.agents.values())
    for presence in Presence:
        metrics.ROUTING_AGENTS.labels(presence.value).set(present[presence])
