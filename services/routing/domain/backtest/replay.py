"""The window played once under one rule set, with the very code that decides in the service."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

import msgspec

from services.routing.domain import commands, timing
from services.routing.domain.agent import Agent, Group
from services.routing.domain.backtest.course import Passage
from services.routing.domain.backtest.material import AgentMoment, Material, PastTicket
from services.routing.domain.backtest.script import Script, script_of
from services.routing.domain.cause import Cause
from services.routing.domain.desk import Desk
from services.routing.domain.hours import Calendars
from services.routing.domain.observing import observe
from services.routing.domain.people import change_profile, choose_presence
from services.routing.domain.roster import Roster
from services.routing.domain.rules import RuleBook
from services.routing.domain.simulation.rehearsal import Rehearsal
from services.routing.domain.simulation.tickets import moved, reprioritised
from services.routing.domain.ticket import Ticket
from shared.errors import Refused
from shared.events.agents import RoutingRule, RuleMode
from shared.events.assignments import GroupChanged, TicketAssigned, TicketUnassigned
from shared.events.base import (
    Actor,
    ActorKind,
    Channel,
    Event,
    Priority,
    Stamp,
    StatusCategory,
)
from shared.events.tickets import Person, TicketEvent, TicketOpened
from shared.events.triage import TriageRequested

_REPLAY: Final = Actor(kind=ActorKind.SYSTEM, id="backtest")
_CAUSE: Final = Cause(_REPLAY, Channel.SYSTEM, "backtest")
_BY_HAND: Final = Cause(Actor(kind=ActorKind.AGENT, id="a person"), Channel.AGENT, "backtest")


class Replayed(msgspec.Struct):
    """What became of the tickets.

    Attributes:
        waits: until the first agent had it, in seconds; None: still waiting at the end.
        groups: where each went first.
        agents: who had it first.
        given: everybody who had it, one after the other.
        alone: tickets that were over before anybody had them.
        courses: when each needed somebody, was worked at, and rested.
        holders: who had it from when on; None: nobody. `places`: in which group it was from when on.
        wishes: what the rules asked of intake for it.
    """

    waits: dict[UUID, float | None] = {}
    groups: dict[UUID, str | None] = {}
    agents: dict[UUID, str] = {}
    given: dict[UUID, tuple[str, ...]] = {}
    alone: set[UUID] = set()
    courses: dict[UUID, list[Passage]] = {}
    holders: dict[UUID, list[tuple[datetime, str | None]]] = {}
    places: dict[UUID, list[tuple[datetime, str | None]]] = {}
    wishes: dict[UUID, TriageRequested] = {}


class Replay:
    """One pass over the material.

    Args:
        material: the window.
        rules: in force in this pass, from the first ticket on.
        mode: of them.
    """

    def __init__(self, material: Material, rules: tuple[RoutingRule, ...], mode: RuleMode) -> None:
        self._material = material
        self._end = material.setting.until
        calendars = Calendars(material.setting.calendars)
        book = RuleBook(rules, mode=mode, calendars=calendars.open_at)
        self._desk = Rehearsal(_roster(material, book, calendars), material.setting.since)
        self._heap: list[tuple[datetime, int, Callable[[], None]]] = []
        self._count = 0
        self._scripts: dict[UUID, Script] = {}
        self._span: dict[UUID, int] = {}
        self._began: dict[UUID, datetime] = {}
        self._left: dict[UUID, timedelta | None] = {}
        self._turn: Counter[UUID] = Counter()
        self._told = Replayed()

    def run(self) -> Replayed:
        """Play it to the end of the window."""
        self._note(self._desk.at_desk(timing.review_everybody))
        for moment in self._material.moments:
            self._at(moment.at, partial(self._agent, moment))
        for ticket in self._material.tickets:
            self._at(ticket.opened_at, partial(self._open, ticket))
        while self._heap and self._heap[0][0] < self._end:
            at, _, act = heapq.heappop(self._heap)
            self._pass_until(at)
            self._desk.now = at
            act()
        self._pass_until(self._end)
        return self._told

    def _at(self, moment: datetime, act: Callable[[], None]) -> None:
        # The number makes the order of equal moments that of their coming up: the same every time.
        heapq.heappush(self._heap, (moment, self._count, act))
        self._count += 1

    def _pass_until(self, moment: datetime) -> None:
        while (at := self._desk.next_moment()) is not None and at < moment:
            self._desk.now = max(at, self._desk.now)
            before = at
            self._note(self._desk.pass_time())
            if self._desk.next_moment() == before:
                break  # nothing hangs on it any more

    def _agent(self, moment: AgentMoment) -> None:
        agents = self._desk.roster.agents

        def act(desk: Desk) -> None:
            if moment.agent_id not in agents and moment.profile is not None:
                agents[moment.agent_id] = Agent(
                    agent_id=moment.agent_id,
                    position=moment.position,
                    profile=moment.profile,
                    presence_since=desk.now,
                )
                desk.roster.membership_changed()
            elif moment.profile is not None:
                change_profile(desk, agents[moment.agent_id], moment.profile, _CAUSE)
            if moment.presence is not None and moment.agent_id in agents:
                choose_presence(desk, moment.agent_id, moment.presence, _CAUSE)

        self._note(self._desk.at_desk(act))
        self._note(self._desk.relieve())

    def _open(self, past: PastTicket) -> None:
        script = self._scripts[past.ticket_id] = script_of(past)
        self._span[past.ticket_id] = 0
        self._told.courses[past.ticket_id] = [Passage(began=self._desk.now)]
        self._told.waits[past.ticket_id] = None
        if script.spans:
            self._left[past.ticket_id] = script.spans[0].work
            if (alone := script.spans[0].alone) is not None:
                self._over_alone(past.ticket_id, alone)
        event = _opened(past, script.priority, self._desk.now)

        def act(desk: Desk) -> None:
            observe(desk, event)
            ticket = desk.tickets[past.ticket_id]
            ticket.due_at = script.due_at

        events = self._desk.at_desk(act)
        self._told.groups[past.ticket_id] = self._desk.tickets[past.ticket_id].group_id
        self._note(events)
        for at, priority in script.priorities:
            self._at(at, partial(self._prioritise, past.ticket_id, priority))
        if script.is_by_hand and script.waited is not None:
            agent_id = script.first_agent
            assert agent_id is not None, "somebody had it"
            self._at(
                past.opened_at + script.waited, lambda: self._by_hand(past.ticket_id, agent_id)
            )

    def _prioritise(self, ticket_id: UUID, priority: Priority) -> None:
        """A person said so at that moment, whoever has it."""
        ticket = self._desk.tickets[ticket_id]
        if ticket.priority is not priority:
            event = reprioritised(ticket, priority, _stamp(ticket, self._desk.now))
            self._note(self._desk.at_desk(lambda desk: observe(desk, event), (ticket,)))

    def _by_hand(self, ticket_id: UUID, agent_id: str) -> None:
        """A person took it or gave it away at that moment; under other rules somebody may have it already."""
        ticket = self._desk.tickets[ticket_id]
        if ticket.agent_id is not None or not ticket.needs_agent:
            return

        def act(desk: Desk) -> None:
            commands.assign(desk, ticket, agent_id, _BY_HAND)

        try:
            self._note(self._desk.at_desk(act, (ticket,)))
        except Refused:
            return  # the agent does not work here any more

    def _note(self, events: Iterable[Event]) -> None:
        for event in events:
            match event:
                case TicketAssigned():
                    self._assigned(event)
                case TicketUnassigned():
                    self._taken_away(event)
                case GroupChanged():
                    told = self._told.places.setdefault(event.ticket_id, [])
                    told.append((self._desk.now, event.group_id))
                case TriageRequested():
                    self._told.wishes[event.ticket_id] = event
                case _:
                    pass

    def _assigned(self, event: TicketAssigned) -> None:
        ticket_id, told, now = event.ticket_id, self._told, self._desk.now
        told.given[ticket_id] = (*told.given.get(ticket_id, ()), event.agent_id)
        told.holders.setdefault(ticket_id, []).append((now, event.agent_id))
        if self._told.waits[ticket_id] is None:
            opened = self._desk.tickets[ticket_id].opened_at or now
            self._told.waits[ticket_id] = (now - opened).total_seconds()
            self._told.agents[ticket_id] = event.agent_id
        self._begin_work(ticket_id, now)

    def _begin_work(self, ticket_id: UUID, now: datetime) -> None:
        self._began[ticket_id] = now
        self._told.courses[ticket_id][-1].begin_work(now)
        self._turn[ticket_id] += 1
        left, turn = self._left.get(ticket_id), self._turn[ticket_id]
        if left is not None:
            self._at(now + left, lambda: self._work_done(ticket_id, turn))

    def _taken_away(self, event: TicketUnassigned) -> None:
        """What was done at it is done; the next agent does the rest."""
        ticket_id = event.ticket_id
        self._told.holders.setdefault(ticket_id, []).append((self._desk.now, None))
        passage = self._told.courses[ticket_id][-1]
        if passage.ended is None:
            passage.interrupt(self._desk.now)
        self._turn[ticket_id] += 1
        left = self._left.get(ticket_id)
        if left is not None and ticket_id in self._began:
            done = self._desk.now - self._began.pop(ticket_id)
            self._left[ticket_id] = max(timedelta(0), left - done)

    def _work_done(self, ticket_id: UUID, turn: int) -> None:
        if self._turn[ticket_id] == turn:
            self._free(ticket_id)

    def _over_alone(self, ticket_id: UUID, after: timedelta) -> None:
        span = self._span[ticket_id]

        def act() -> None:
            if self._span[ticket_id] == span:
                if self._told.waits[ticket_id] is None:
                    self._told.alone.add(ticket_id)
                self._free(ticket_id)

        self._at(self._desk.now + after, act)

    def _free(self, ticket_id: UUID) -> None:
        script, place = self._scripts[ticket_id], self._span[ticket_id]
        span = script.spans[place]
        self._turn[ticket_id] += 1
        self._span[ticket_id] = place + 1
        self._told.courses[ticket_id][-1].ended = self._desk.now
        self._move(ticket_id, span.then)
        if span.rest is not None and place + 1 < len(script.spans):
            self._at(self._desk.now + span.rest, lambda: self._need_again(ticket_id))

    def _need_again(self, ticket_id: UUID) -> None:
        span = self._scripts[ticket_id].spans[self._span[ticket_id]]
        self._left[ticket_id] = span.work
        self._told.courses[ticket_id].append(Passage(began=self._desk.now))
        self._move(ticket_id, StatusCategory.OPEN)
        if span.alone is not None:
            self._over_alone(ticket_id, span.alone)
        elif self._desk.tickets[ticket_id].agent_id is not None:
            self._begin_work(ticket_id, self._desk.now)  # it came back to the same agent

    def _move(self, ticket_id: UUID, category: StatusCategory) -> None:
        ticket = self._desk.tickets[ticket_id]
        if ticket.category is category:
            return
        event: TicketEvent = moved(ticket, category, _stamp(ticket, self._desk.now))
        self._note(self._desk.at_desk(lambda desk: observe(desk, event), (ticket,)))


def _roster(material: Material, book: RuleBook, calendars: Calendars) -> Roster:
    setting = material.setting
    groups = [
        # Nobody answers offers here, and nobody asks for work: both are replayed as they happened.
        Group(group_id=name, profile=msgspec.structs.replace(profile, offer=None))
        for name, profile in sorted(setting.groups.items())
    ]
    agents = [
        Agent(
            agent_id=one.agent_id,
            position=one.position,
            profile=one.profile,
            presence=one.presence,
            chosen_presence=one.presence,
            presence_since=setting.since,
            idle_since=setting.since,
        )
        for one in setting.agents
    ]
    return Roster(
        agents=agents, groups=groups, book=book, calendars=calendars, settings=setting.settings
    )


def _opened(past: PastTicket, priority: Priority, now: datetime) -> TicketOpened:
    facts = past.facts
    return TicketOpened(
        version=1,
        occurred_at=past.opened_at,
        recorded_at=now,
        actor=_REPLAY,
        via=Channel(facts.channel),
        correlation_id="backtest",
        ticket_id=past.ticket_id,
        number=0,
        subject=facts.subject,
        message_id=past.ticket_id,
        body=facts.body,
        requester=Person(
            past.requester_id or "",
            email=facts.requester_email,
            organization=facts.organization,
            tier=facts.tier,
        ),
        priority=priority,
        category=StatusCategory.NEW,
        ticket_type=facts.ticket_type,
        tags=facts.tags,
        fields=facts.fields,
        language=facts.language,
        is_outbound=facts.is_outbound,
    )


def _stamp(ticket: Ticket, now: datetime) -> Stamp:
    return {
        "version": ticket.ticket_version + 1,
        "occurred_at": now,
        "recorded_at": now,
        "actor": _REPLAY,
        "via": Channel.SYSTEM,
        "correlation_id": "backtest",
        "causation_id": None,
    }
