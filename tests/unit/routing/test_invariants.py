"""What must hold in every interleaving (R17): random histories, checked after every step."""

from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.routing.domain.agent import OPEN
from services.routing.domain.choice import refusal
from services.routing.domain.commands import NothingToPull
from shared.events.agents import Presence, Strategy
from shared.events.assignments import TicketAssigned
from shared.events.base import Priority, StatusCategory
from tests.unit.routing.builders import Floor, a_rule

AGENTS = ("ann", "bob", "cyd")
PUSHED = (Strategy.ROUND_ROBIN, Strategy.LEAST_LOADED, Strategy.LONGEST_IDLE)
MOVES = [one for one in StatusCategory if one is not StatusCategory.NEW]


class AnyHistory(RuleBasedStateMachine):
    """Three agents in two groups; tickets come, rest, return, are handed about."""

    def __init__(self) -> None:
        super().__init__()
        self.floor = Floor()
        self.floor.group("one", Strategy.LEAST_LOADED)
        self.floor.group("two", Strategy.ROUND_ROBIN)
        self.floor.rules(
            a_rule("skilled", "one", ("tags", "contains", "hard"), german=3),
            a_rule("two", "two", ("tags", "contains", "two")),
            default="one",
        )
        self.floor.agent("ann", groups=("one",), capacity=2, skills={"german": 3})
        self.floor.agent("bob", groups=("one", "two"), capacity=1)
        self.floor.agent("cyd", groups=("two",), presence=Presence.OFFLINE)

    def pick(self, data: st.DataObject) -> UUID:
        return data.draw(st.sampled_from(sorted(self.floor.tickets)))

    @rule(
        priority=st.sampled_from(Priority),
        tags=st.sampled_from([(), ("hard",), ("two",)]),
        requester=st.sampled_from(["cora", "ann"]),
    )
    def opened(self, priority: Priority, tags: tuple[str, ...], requester: str) -> None:
        self.floor.later(1)
        self.floor.opened(priority=priority, tags=tags, requester=requester)

    @precondition(lambda self: self.floor.tickets)
    @rule(data=st.data(), category=st.sampled_from(MOVES))
    def moved(self, data: st.DataObject, category: StatusCategory) -> None:
        ticket = self.pick(data)
        if self.floor.tickets[ticket].category is not category:
            self.floor.moved(ticket, category)

    @rule(agent=st.sampled_from(AGENTS), presence=st.sampled_from(Presence))
    def presence(self, agent: str, presence: Presence) -> None:
        self.floor.presence(agent, presence)

    @rule(
        agent=st.sampled_from(AGENTS),
        capacity=st.none() | st.integers(0, 4),
        groups=st.sampled_from([("one",), ("two",), ("one", "two"), ()]),
    )
    def redefined(self, agent: str, capacity: int | None, groups: tuple[str, ...]) -> None:
        presence = self.floor.roster.agents[agent].presence
        self.floor.agent(agent, capacity=capacity, groups=groups, presence=presence)

    @precondition(lambda self: self.floor.tickets)
    @rule(data=st.data(), agent=st.sampled_from(AGENTS))
    def assigned(self, data: st.DataObject, agent: str) -> None:
        ticket = self.pick(data)
        if self.floor.tickets[ticket].category is not StatusCategory.CLOSED:
            self.floor.assign(ticket, agent)
            assert self.floor.holder(ticket) == agent, "a manual assignment always wins"

    @precondition(lambda self: self.floor.tickets)
    @rule(data=st.data())
    def unassigned(self, data: st.DataObject) -> None:
        ticket = self.pick(data)
        if self.floor.tickets[ticket].category is not StatusCategory.CLOSED:
            before = self.floor.holder(ticket)
            self.floor.unassign(ticket)
            assert before is None or self.floor.holder(ticket) != before

    @precondition(lambda self: self.floor.tickets)
    @rule(data=st.data(), group=st.sampled_from(["one", "two"]))
    def moved_to_group(self, data: st.DataObject, group: str) -> None:
        ticket = self.pick(data)
        if self.floor.tickets[ticket].category is not StatusCategory.CLOSED:
            self.floor.change_group(ticket, group)

    @rule(agent=st.sampled_from(AGENTS))
    def pulled(self, agent: str) -> None:
        before = self.floor.roster.agents[agent].load
        try:
            self.floor.pull(agent)
        except NothingToPull:
            assert self.floor.roster.agents[agent].load == before
        else:
            assert self.floor.roster.agents[agent].load == before + 1

    @invariant()
    def loads_and_lanes_are_what_the_tickets_say(self) -> None:
        self.floor.check()

    @invariant()
    def nobody_is_pushed_above_the_limit(self) -> None:
        for event in self.floor.log:
            if isinstance(event, TicketAssigned) and event.mode in {"auto", "pull"}:
                assert event.capacity is None or event.load_after <= event.capacity

    @invariant()
    def nobody_waits_while_somebody_could_take_it(self) -> None:
        for lane in self.floor.roster.lanes.values():
            if lane.waiting:
                for agent in self.floor.roster.members(lane.group_id):
                    assert refusal(agent, lane.demand) is not None

    @invariant()
    def the_log_alone_tells_who_has_what(self) -> None:
        self.floor.check_log()

    @invariant()
    def open_tickets_are_somewhere(self) -> None:
        for ticket in self.floor.tickets.values():
            if ticket.category in OPEN:
                assert (ticket.agent_id is None) != (ticket.lane is None)


AnyHistory.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestAnyHistory = AnyHistory.TestCase
