"""Builders that say what was given, and a floor on which desks follow one another as in the service."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.routing.domain import commands, people, timing
from services.routing.domain.agent import OPEN, Agent, Group
from services.routing.domain.cause import Cause
from services.routing.domain.customers import LastAgent
from services.routing.domain.desk import Desk
from services.routing.domain.observing import observe, observe_promise
from services.routing.domain.roster import Roster
from services.routing.domain.ticket import Ticket, queue_key
from shared.events.agents import (
    AgentProfile,
    GroupProfile,
    Presence,
    RateLimit,
    RoutingRule,
    Strategy,
)
from shared.events.assignments import TicketAssigned, TicketUnassigned
from shared.events.base import (
    Actor,
    ActorKind,
    Channel,
    Event,
    Priority,
    Stamp,
    StatusCategory,
)
from shared.events.conditions import Condition
from shared.events.sla import SlaEvent, SlaStarted
from shared.events.tickets import (
    Origin,
    Person,
    PriorityChanged,
    StatusChanged,
    TicketClosed,
    TicketEvent,
    TicketOpened,
    TicketReopened,
    TicketResolved,
)
from shared.identifiers import new_id

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BOSS = Actor(kind=ActorKind.AGENT, id="boss", name="Berta Boss")
DRAIN_MAX = 50


def by_hand() -> Cause:
    return Cause(BOSS, Channel.AGENT, "by-hand")


def by_import(occurred_at: datetime) -> Cause:
    return Cause(BOSS, Channel.IMPORT, "by-import", occurred_at=occurred_at)


class Floor:
    """What the tables hold between transactions, and every event so far."""

    def __init__(self) -> None:
        self.roster = Roster()
        self.tickets: dict[UUID, Ticket] = {}
        self.log: list[Event] = []
        self.now = START
        self.versions: dict[UUID, int] = {}
        self.is_more = False
        self.next_room_at: datetime | None = None
        self.last_agents: dict[str, LastAgent] = {}

    # Who is there.

    def group(self, group_id: str = "support", strategy: Strategy = Strategy.ROUND_ROBIN) -> None:
        profile = GroupProfile(name=group_id.title(), strategy=strategy)
        self.at_desk(lambda desk: people.define_group(desk, group_id, profile, by_hand()))

    def shares(self, strategy: str, **sharing: Any) -> None:
        """The group of `a_floor` shares out like this from now on."""
        self.roster.groups["support"] = a_group(strategy, **sharing)

    def agent(
        self,
        agent_id: str,
        *,
        groups: tuple[str, ...] = ("support",),
        capacity: float | None = None,
        presence: Presence = Presence.ONLINE,
        skills: dict[str, int] | None = None,
        is_active: bool = True,
    ) -> Agent:
        profile = AgentProfile(
            name=agent_id.title(),
            groups=groups,
            capacity=capacity,
            skills=skills or {},
            is_active=is_active,
        )

        def act(desk: Desk) -> None:
            people.define_agent(desk, agent_id, profile, by_hand())
            people.choose_presence(desk, agent_id, presence, by_hand())

        self.at_desk(act)
        return self.roster.agents[agent_id]

    def rules(self, *rules: RoutingRule, default: str | None = None) -> None:
        last = (RoutingRule(id="default", group=default),) if default else ()
        asked = {skill: 1 for rule in rules for skill in rule.skills}
        if asked.keys() - self.roster.known().skills:
            # A rule may only name a skill that somebody has: here one who works in no group.
            profile = AgentProfile(name="Tutor", skills=asked)
            self.roster.agents["tutor"] = Agent(agent_id="tutor", position=0, profile=profile)
        self.at_desk(lambda desk: people.define_rules(desk, (*rules, *last), by_hand()))

    def presence(self, agent_id: str, presence: Presence) -> list[Event]:
        return self.at_desk(
            lambda desk: people.choose_presence(desk, agent_id, presence, by_hand())
        )

    # What happens to tickets.

    def opened(
        self,
        *,
        priority: Priority = Priority.NORMAL,
        category: StatusCategory = StatusCategory.NEW,
        via: Channel = Channel.EMAIL,
        requester: str = "cora",
        tags: tuple[str, ...] = (),
        ticket_id: UUID | None = None,
        origin: Origin | None = None,
    ) -> UUID:
        ticket_id = ticket_id or new_id()
        self.heard(
            TicketOpened(
                **self.stamp(ticket_id, via),
                ticket_id=ticket_id,
                number=len(self.versions),
                subject="The printer burns",
                message_id=new_id(),
                body="Really.",
                requester=Person(requester),
                priority=priority,
                category=category,
                tags=tags,
                origin=origin,
            )
        )
        return ticket_id

    def moved(
        self, ticket_id: UUID, category: StatusCategory, *, keeps_owner: bool = True
    ) -> list[Event]:
        previous = self.tickets[ticket_id].category
        stamp = self.stamp(ticket_id)
        event: TicketEvent
        if category is StatusCategory.SOLVED:
            event = TicketResolved(
                **stamp,
                ticket_id=ticket_id,
                summary="Put out.",
                previous_category=previous,
                resolution_count=1,
            )
        elif category is StatusCategory.CLOSED:
            event = TicketClosed(**stamp, ticket_id=ticket_id, previous_category=previous)
        elif previous in {StatusCategory.SOLVED, StatusCategory.CLOSED}:
            event = TicketReopened(
                **stamp,
                ticket_id=ticket_id,
                category=category,
                previous_category=previous,
                reopen_count=1,
                keeps_owner=keeps_owner,
            )
        else:
            event = StatusChanged(
                **stamp, ticket_id=ticket_id, category=category, previous_category=previous
            )
        return self.heard(event)

    def reprioritised(self, ticket_id: UUID, priority: Priority) -> list[Event]:
        previous = self.tickets[ticket_id].priority
        return self.heard(
            PriorityChanged(
                **self.stamp(ticket_id), ticket_id=ticket_id, priority=priority, previous=previous
            )
        )

    def due(self, ticket_id: UUID, due_at: datetime) -> list[Event]:
        event = SlaStarted(
            **self.stamp(ticket_id),
            ticket_id=ticket_id,
            metric="first_reply",
            cycle=1,
            policy_id="gold",
            policy_version=1,
            priority=Priority.NORMAL,
            target_seconds=3600,
            started_at=self.now,
            due_at=due_at,
        )
        return self.promised(event)

    def heard(self, event: TicketEvent) -> list[Event]:
        return self.at_desk(lambda desk: observe(desk, event))

    def promised(self, event: SlaEvent) -> list[Event]:
        return self.at_desk(lambda desk: observe_promise(desk, event))

    # What people ask.

    def assign(self, ticket_id: UUID, agent_id: str, expected: int | None = None) -> list[Event]:
        ticket = self.tickets[ticket_id]
        return self.at_desk(
            lambda desk: commands.assign(desk, ticket, agent_id, by_hand(), expected=expected)
        )

    def unassign(self, ticket_id: UUID) -> list[Event]:
        ticket = self.tickets[ticket_id]
        return self.at_desk(lambda desk: commands.unassign(desk, ticket, by_hand()))

    def change_group(self, ticket_id: UUID, group_id: str) -> list[Event]:
        ticket = self.tickets[ticket_id]
        return self.at_desk(lambda desk: commands.change_group(desk, ticket, group_id, by_hand()))

    def pull(self, agent_id: str) -> list[Event]:
        def act(desk: Desk) -> None:
            agent = commands.known_agent(desk, agent_id)
            lanes = commands.lanes_for(desk, agent)
            commands.pull(desk, agent, self._heads({lane.lane: 1 for lane in lanes}), by_hand())

        return self.at_desk(act)

    def sweep(self) -> list[Event]:
        return self.at_desk(lambda _desk: None, everywhere=True)

    # How it works.

    def at_desk(self, act: object, *, everywhere: bool = False) -> list[Event]:
        """One transaction: act, place what waits, keep events and tickets; returns its events."""
        assert callable(act)
        desk = Desk(now=self.now, roster=self.roster, tickets=self.tickets.values())
        act(desk)
        heads = self._heads(desk.lanes_to_fetch(everywhere=everywhere, at_most=DRAIN_MAX))
        recalled = desk.customers_to_recall(heads)
        desk.customers.recall(self.last_agents[one] for one in recalled & self.last_agents.keys())
        self.is_more = desk.place(heads, at_most=DRAIN_MAX)
        timing.set_timers(desk)
        self.next_room_at = desk.next_room_at()
        self.tickets.update(desk.tickets)
        self.last_agents.update(desk.customers.changed)
        self.log += desk.events
        return desk.events

    def later(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now

    def holder(self, ticket_id: UUID) -> str | None:
        return self.tickets[ticket_id].agent_id

    def stamp(self, ticket_id: UUID, via: Channel = Channel.EMAIL) -> Stamp:
        self.versions[ticket_id] = self.versions.get(ticket_id, 0) + 1
        return {
            "version": self.versions[ticket_id],
            "occurred_at": self.now,
            "recorded_at": self.now,
            "actor": Actor(kind=ActorKind.CUSTOMER, id="cora"),
            "via": via,
            "correlation_id": f"about-{ticket_id}",
            "causation_id": None,
        }

    def _heads(self, wanted: dict[int, int]) -> list[Ticket]:
        found: list[Ticket] = []
        for lane, count in wanted.items():
            waiting = [ticket for ticket in self.tickets.values() if ticket.lane == lane]
            found += sorted(waiting, key=queue_key)[:count]
        return found

    # What must always hold.

    def check(self) -> None:
        """Loads and lanes are what the tickets say."""
        loads = dict.fromkeys(self.roster.agents, 0.0)
        waiting = dict.fromkeys(self.roster.lanes, 0)
        for ticket in self.tickets.values():
            assert ticket.agent_id is None or ticket.lane is None, "in hand and in the queue"
            places = (ticket.agent_id, ticket.lane, ticket.offered_to)
            assert sum(place is not None for place in places) <= 1, "in two places"
            holder = ticket.agent_id or ticket.offered_to
            if holder is not None and ticket.category in OPEN and not ticket.is_held:
                loads[holder] += ticket.units
            if ticket.lane is not None:
                waiting[ticket.lane] += 1
                assert ticket.needs_agent
            if ticket.needs_agent and ticket.is_known:
                assert any(place is not None for place in places), "forgotten"
        loads = {agent: round(load, 3) for agent, load in loads.items()}
        assert loads == {agent.agent_id: agent.load for agent in self.roster.agents.values()}
        assert waiting == {lane.lane: lane.waiting for lane in self.roster.lanes.values()}

    def check_log(self) -> None:
        """The log alone tells who has what: versions without a gap, and one holder at a time."""
        holders: dict[UUID, str | None] = {}
        versions: dict[UUID, int] = {}
        for event in self.log:
            assert event.version == versions.get(event.stream_id, 0) + 1
            versions[event.stream_id] = event.version
            if isinstance(event, TicketAssigned):
                assert event.previous_agent_id == holders.get(event.ticket_id)
                holders[event.ticket_id] = event.agent_id
            elif isinstance(event, TicketUnassigned):
                assert event.previous_agent_id == holders[event.ticket_id]
                holders[event.ticket_id] = None
        for ticket_id, ticket in self.tickets.items():
            assert holders.get(ticket_id) == ticket.agent_id


def a_floor(strategy: Strategy = Strategy.ROUND_ROBIN, *agents: str) -> Floor:
    """One group that takes every ticket, and these agents online in it."""
    floor = Floor()
    floor.group("support", strategy)
    floor.rules(default="support")
    for agent in agents:
        floor.agent(agent)
    return floor


def a_group(strategy: str, **sharing: Any) -> Group:
    """A group that shares out like this; `sharing`: weights, sticky_seconds, rate_limit."""
    if "rate_limit" in sharing:
        count, seconds = sharing.pop("rate_limit")
        sharing["rate_limit"] = RateLimit(count=count, seconds=seconds)
    profile = GroupProfile(name="Support", strategy=Strategy(strategy), **sharing)
    return Group(group_id="support", profile=profile)


def a_rule(rule_id: str, group: str, *when: tuple[str, str, object], **skills: int) -> RoutingRule:
    return RoutingRule(
        id=rule_id, group=group, when=tuple(Condition(*one) for one in when), skills=skills
    )
