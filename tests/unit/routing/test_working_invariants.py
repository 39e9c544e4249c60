"""What must hold in every interleaving (R17) with room, widening, offers, grace, shifts, leases and tiers in play."""

from contextlib import suppress
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.routing.domain.choice import refusal
from services.routing.domain.commands import NothingToPull
from services.routing.domain.ticket import Ticket
from shared.errors import Refused
from shared.events.agents import (
    CapacityUnits,
    OfferMode,
    Presence,
    RateLimit,
    RoutingSettings,
    Strategy,
    WideningStep,
)
from shared.events.assignments import TicketAssigned, TicketOffered
from shared.events.base import Channel, Priority, StatusCategory
from tests.unit.routing.builders import BOSS, Floor, a_rule
from tests.unit.routing.test_requests import A_RULE, asked, stepped
from tests.unit.routing.workings import NIGHTS, Working

AGENTS = ("ann", "bob", "cyd", "sue")
MOVES = [one for one in StatusCategory if one is not StatusCategory.NEW]
UNITS = (
    CapacityUnits(),
    CapacityUnits(channels={"chat": 0.5}, priorities={"urgent": 2}, states={"answered": 0.5}),
)


class AnyWorkingHistory(RuleBasedStateMachine):
    """Four agents in three groups: one offers, one pulls and leases, one is the higher tier."""

    def __init__(self) -> None:
        super().__init__()
        self.floor = floor = Floor()
        self.working = Working(floor)
        self.given: dict[UUID, str] = {}
        self.seen = 0
        self.working.calendar("nights", NIGHTS)
        self.working.group("second", Strategy.ROUND_ROBIN, grace_seconds=60)
        self.working.group(
            "one",
            Strategy.LEAST_LOADED,
            offer=OfferMode(seconds=30, away_after=2, again_seconds=90),
            widening=(
                WideningStep(after_seconds=40, relax=("german",)),
                WideningStep(after_seconds=80, overflow=("second",)),
            ),
            grace_seconds=100,
            escalates_to="second",
            on_sla_warning=("raise", "overflow", "reassign"),
            rate_limit=RateLimit(count=3, seconds=20),
        )
        self.working.group(
            "two", Strategy.WEIGHTED, grace_seconds=30, escalates_to="one", wait_seconds_max=200
        )
        self.working.group("desk", Strategy.MANUAL, pull_lease_seconds=45)
        floor.rules(
            a_rule("hard", "one", ("tags", "contains", "hard"), german=3),
            a_rule("two", "two", ("tags", "contains", "two")),
            a_rule("urgent", "two", ("priority", "is", "urgent")),
            a_rule("pull", "desk", ("tags", "contains", "pull")),
            default="one",
        )
        self.working.agent("ann", ("one", "desk"), capacity=2, skills={"german": 3})
        self.working.agent("bob", ("one", "two"), capacity=1.5, channel_capacity={"chat": 1})
        self.working.agent("cyd", ("two",), capacity=3, shift_calendar="nights")
        self.working.agent("sue", ("second", "desk"), channel_capacity={"chat": 0.5, "email": 2})

    def pick(self, data: st.DataObject) -> UUID:
        return data.draw(st.sampled_from(sorted(self.floor.tickets)))

    def pick_by_hand(self, data: st.DataObject) -> UUID:
        """One that somebody gave by hand, where there is any: what rules must leave alone."""
        given = [one.ticket_id for one in self.floor.tickets.values() if one.is_by_hand]
        return data.draw(st.sampled_from(sorted(given))) if given else self.pick(data)

    def attempt(self, act: Any) -> None:
        """Do it; a refusal changes nothing."""
        before = msgspec.json.encode(list(self.floor.tickets.values()))
        count = len(self.floor.log)
        try:
            act()
        except Refused:
            assert len(self.floor.log) == count
            assert msgspec.json.encode(list(self.floor.tickets.values())) == before

    @rule(
        priority=st.sampled_from(Priority),
        tags=st.sampled_from([(), ("hard",), ("two",), ("pull",)]),
        via=st.sampled_from([Channel.EMAIL, Channel.CHAT]),
    )
    def opened(self, priority: Priority, tags: tuple[str, ...], via: Channel) -> None:
        self.floor.opened(priority=priority, tags=tags, via=via)

    @precondition(lambda self: self.floor.tickets)
    @rule(data=st.data(), category=st.sampled_from(MOVES))
    def moved(self, data: st.DataObject, category: StatusCategory) -> None:
        ticket = self.pick(data)
        if self.floor.tickets[ticket].category is not category:
            self.floor.moved(ticket, category)

    @precondition(lambda self: self.floor.tickets)
    @rule(data=st.data(), priority=st.sampled_from(Priority))
    def reprioritised(self, data: st.DataObject, priority: Priority) -> None:
        ticket = self.pick(data)
        if self.floor.tickets[ticket].priority is not priority:
            self.floor.reprioritised(ticket, priority)

    @precondition(lambda self: self.floor.tickets)
    @rule(data=st.data())
    def warned(self, data: st.DataObject) -> None:
        self.working.warned(self.pick(data))

    @rule(agent=st.sampled_from(AGENTS), presence=st.sampled_from(Presence))
    def presence(self, agent: str, presence: Presence) -> None:
        self.floor.presence(agent, presence)

    @rule(agent=st.sampled_from(AGENTS), capacity=st.none() | st.sampled_from([0, 0.5, 2, 4]))
    def capacity(self, agent: str, capacity: float | None) -> None:
        self.working.change(agent, capacity=capacity)

    @rule(agent=st.sampled_from(AGENTS), is_active=st.booleans())
    def employed(self, agent: str, is_active: bool) -> None:
        self.working.change(agent, is_active=is_active)

    @rule(units=st.sampled_from(UNITS), reroute=st.booleans())
    def settings_changed(self, units: CapacityUnits, reroute: bool) -> None:
        on = ("priority",) if reroute else ()
        self.working.settings(RoutingSettings(units=units, reroute_on=on))

    @rule(seconds=st.sampled_from([1, 10, 35, 120, 4_000, 30_000]))
    def time_passes(self, seconds: int) -> None:
        self.working.later(seconds)

    @rule()
    def restarted(self) -> None:
        """All that a process keeps is in its tables."""
        self.working.restart()
        events = self.floor.sweep()
        assert not events, "a restart decides nothing"

    @precondition(lambda self: self.floor.tickets)
    @rule(data=st.data(), agent=st.sampled_from(AGENTS))
    def assigned(self, data: st.DataObject, agent: str) -> None:
        ticket = self.pick(data)
        self.attempt(lambda: self.floor.assign(ticket, agent))

    @precondition(lambda self: self.floor.tickets)
    @rule(data=st.data())
    def unassigned(self, data: st.DataObject) -> None:
        ticket = self.pick(data)
        self.attempt(lambda: self.floor.unassign(ticket))

    @precondition(lambda self: self.floor.tickets)
    @rule(data=st.data(), group=st.sampled_from(["one", "two", "second", "desk"]))
    def moved_to_group(self, data: st.DataObject, group: str) -> None:
        ticket = self.pick(data)
        self.attempt(lambda: self.floor.change_group(ticket, group))

    @precondition(lambda self: self.floor.tickets)
    @rule(data=st.data())
    def escalated(self, data: st.DataObject) -> None:
        ticket = self.pick(data)
        self.attempt(lambda: self.working.escalate(ticket))

    @precondition(lambda self: self.floor.tickets)
    @rule(data=st.data())
    def laddered(self, data: st.DataObject) -> None:
        stepped(self.floor, self.pick_by_hand(data), "next")

    @precondition(lambda self: self.floor.tickets)
    @rule(data=st.data(), group=st.sampled_from(["one", "two", "second", "nowhere"]))
    def triggered(self, data: st.DataObject, group: str) -> None:
        asked(self.floor, self.pick_by_hand(data), group, A_RULE)

    @precondition(lambda self: any(one.offered_to for one in self.floor.tickets.values()))
    @rule(data=st.data(), takes=st.booleans())
    def answered(self, data: st.DataObject, takes: bool) -> None:
        open_ones = [one for one in self.floor.tickets.values() if one.offered_to]
        ticket = data.draw(st.sampled_from(sorted(open_ones, key=lambda one: one.ticket_id)))
        agent = ticket.offered_to
        assert agent is not None
        if takes:
            self.working.accept(ticket.ticket_id, agent)
            assert ticket.agent_id == agent
        else:
            self.working.decline(ticket.ticket_id, agent)
            assert ticket.offered_to != agent

    @precondition(lambda self: self.floor.tickets)
    @rule(data=st.data(), agent=st.sampled_from(AGENTS))
    def skipped(self, data: st.DataObject, agent: str) -> None:
        ticket = self.pick(data)
        try:
            self.working.skip(ticket, agent)
        except Refused:
            return
        one = self.floor.tickets[ticket]
        assert agent not in {one.agent_id, one.offered_to}

    @rule(agent=st.sampled_from(AGENTS))
    def pulled(self, agent: str) -> None:
        with suppress(NothingToPull):
            self.floor.pull(agent)

    @invariant()
    def loads_and_lanes_are_what_the_tickets_say(self) -> None:
        self.floor.check()
        for agent in self.floor.roster.agents.values():
            by_channel: dict[str, float] = {}
            for ticket in self.floor.tickets.values():
                if agent.agent_id in {ticket.agent_id, ticket.offered_to} and ticket.units:
                    of = by_channel.get(ticket.channel, 0.0) + ticket.units
                    by_channel[ticket.channel] = round(of, 3)
            assert agent.channel_loads == by_channel

    @invariant()
    def nobody_is_given_more_by_rule_than_there_is_room_for(self) -> None:
        for event in self.floor.log:
            if isinstance(event, TicketOffered) or (
                isinstance(event, TicketAssigned) and event.mode in {"auto", "pull"}
            ):
                assert event.capacity is None or event.load_after <= event.capacity

    @invariant()
    def nobody_waits_while_somebody_could_take_it(self) -> None:
        floor = self.floor
        closed = floor.roster.closed_at(floor.now)
        for ticket in floor.tickets.values():
            if ticket.lane is None or ticket.group_id == "desk":
                continue
            lane = floor.roster.lanes[ticket.lane]
            pace = self.working.pace(lane.group_id)
            able = (*floor.roster.members(lane.group_id), *floor.roster.helpers(lane.demand))
            for agent in able:
                assert refusal(agent, lane.demand, pace, closed) is not None

    @invariant()
    def what_was_given_by_hand_is_never_undone_by_a_rule(self) -> None:
        by_people = {
            event.stream_id for event in self.floor.log[self.seen :] if event.actor == BOSS
        }
        for ticket_id, agent in self.given.items():
            has_left = not self.floor.roster.agents[agent].profile.is_active
            is_kept = self.floor.tickets[ticket_id].agent_id == agent
            assert is_kept or has_left or ticket_id in by_people
        self.seen = len(self.floor.log)
        self.given = {
            one.ticket_id: one.agent_id
            for one in self.floor.tickets.values()
            if one.is_by_hand and one.agent_id is not None
        }

    @invariant()
    def the_log_alone_tells_who_has_what(self) -> None:
        self.floor.check_log()

    @invariant()
    def nothing_due_is_left_undone_once_time_has_passed(self) -> None:
        for ticket in self.floor.tickets.values():
            assert _is_in_time(ticket, self.floor)


def _is_in_time(ticket: Ticket, floor: Floor) -> bool:
    return ticket.timer_at is None or ticket.timer_at > floor.now


AnyWorkingHistory.TestCase.settings = settings(
    max_examples=80,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestAnyWorkingHistory = AnyWorkingHistory.TestCase
