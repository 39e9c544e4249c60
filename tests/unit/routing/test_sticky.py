"""Sticky: a customer's next ticket goes to the same agent, if that is possible at once (R6)."""

from services.routing.domain.choice import Demand, Standing
from shared.events.agents import Presence, Strategy
from shared.events.assignments import TicketAssigned
from shared.events.base import StatusCategory
from tests.unit.routing.builders import Floor, a_floor, a_group
from tests.unit.routing.test_choice import an_agent


def a_sticky_floor(*agents: str, seconds: int | None = 3_600) -> Floor:
    floor = a_floor(Strategy.ROUND_ROBIN, *agents)
    floor.shares("round_robin", sticky_seconds=seconds)
    return floor


def test_the_customers_last_agent_gets_it_whoever_is_next() -> None:
    floor = a_sticky_floor("ann", "bob")
    assert floor.holder(floor.opened(requester="cora")) == "ann"
    assert floor.holder(floor.opened(requester="cora")) == "ann"
    event = floor.log[-1]
    assert isinstance(event, TicketAssigned)
    assert event.strategy == "sticky"
    assert event.why == "Ann had this customer's last ticket and can take it (load 2)."
    assert floor.holder(floor.opened(requester="dave")) == "bob"


def test_when_that_agent_cannot_take_it_the_strategy_decides_at_once() -> None:
    floor = a_sticky_floor("ann", "bob", "cyd")
    floor.opened(requester="cora")
    floor.presence("ann", Presence.AWAY)
    assert floor.holder(floor.opened(requester="cora")) == "bob"
    event = floor.log[-1]
    assert isinstance(event, TicketAssigned)
    assert event.strategy == "round_robin"
    floor.presence("ann", Presence.ONLINE)
    assert floor.holder(floor.opened(requester="cora")) == "bob"


def test_without_the_setting_nobody_is_remembered() -> None:
    floor = a_sticky_floor("ann", "bob", seconds=None)
    assert [floor.holder(floor.opened(requester="cora")) for _ in range(3)] == ["ann", "bob", "ann"]
    assert floor.last_agents == {}


def test_the_windows_end_still_counts_and_a_moment_later_does_not() -> None:
    floor = a_sticky_floor("ann", "bob", seconds=60)
    floor.opened(requester="cora")
    floor.later(60)
    assert floor.holder(floor.opened(requester="cora")) == "ann"
    floor.later(60.001)
    assert floor.holder(floor.opened(requester="cora")) == "bob"


def test_an_agent_who_gave_the_ticket_back_is_not_asked_again_for_it() -> None:
    floor = a_sticky_floor("ann", "bob")
    ticket = floor.opened(requester="cora")
    floor.unassign(ticket)
    assert floor.holder(ticket) == "bob"


def test_by_hand_and_pulled_are_remembered_too() -> None:
    floor = a_sticky_floor("ann", "bob", "cyd")
    floor.assign(floor.opened(requester="cora"), "cyd")
    assert floor.holder(floor.opened(requester="cora")) == "cyd"


def test_somebody_of_another_group_is_passed_over() -> None:
    floor = a_sticky_floor("ann", "bob")
    floor.group("other")
    floor.agent("zoe", groups=("other",))
    ticket = floor.opened(requester="cora")
    floor.change_group(ticket, "other")
    assert floor.holder(ticket) == "zoe"
    assert floor.holder(floor.opened(requester="cora")) in {"ann", "bob"}


def test_what_was_queued_keeps_to_the_customers_agent_as_well() -> None:
    floor = a_sticky_floor("ann", "bob")
    first = floor.opened(requester="cora")
    floor.moved(first, StatusCategory.SOLVED)
    for agent in ("ann", "bob"):
        floor.presence(agent, Presence.AWAY)
    waiting = floor.opened(requester="cora")
    floor.roster.agents["bob"].presence = Presence.ONLINE
    floor.presence("ann", Presence.ONLINE)
    assert floor.holder(waiting) == "ann"


def test_stickiness_outside_of_the_weights_leaves_these_alone() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann", "bob")
    floor.shares("weighted", weights={"bob": 2}, sticky_seconds=60)
    floor.opened(requester="cora")
    saved = dict(floor.roster.groups["support"].saved_turns)
    assert floor.holder(floor.opened(requester="cora")) == "bob"
    assert floor.roster.groups["support"].saved_turns == saved


def test_the_chosen_is_always_among_the_candidates_told() -> None:
    agents = [an_agent(f"a{n:02}", position=n, turn=n) for n in range(30)]
    decision = Standing(Demand("support"), a_group("round_robin"), agents).decide("a29")
    told = [one.agent_id for one in decision.candidates()]
    assert decision.is_sticky
    assert (len(told), told[0], told[-1]) == (10, "a00", "a29")
