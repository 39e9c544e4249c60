"""The rate limit: at most so many pushed tickets per agent in any window `(now - seconds, now]` (R4)."""

from datetime import timedelta

import pytest

from services.routing.domain.choice import Demand, Standing, refusal, room
from services.routing.domain.pace import Pace, remember_push
from shared.events.agents import Presence, RateLimit, Strategy
from shared.events.assignments import TicketQueued
from shared.events.base import StatusCategory
from tests.unit.routing.builders import START, a_floor, a_group
from tests.unit.routing.test_choice import an_agent

DEMAND = Demand("support")


def pace(count: int, seconds: int = 60) -> Pace:
    return Pace(RateLimit(count=count, seconds=seconds), START)


def ago(*seconds: float):
    return tuple(START - timedelta(seconds=one) for one in seconds)


def test_who_had_enough_in_the_window_is_refused_and_the_next_one_gets_it() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    floor.shares("longest_idle", rate_limit=(2, 60))
    assert [floor.holder(floor.opened()) for _ in range(2)] == ["ann", "ann"]
    floor.agent("bob")
    assert [floor.holder(floor.opened()) for _ in range(2)] == ["bob", "bob"]


def test_when_all_had_enough_it_waits_with_the_reason_and_the_moment_is_known() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    floor.shares("round_robin", rate_limit=(1, 60))
    floor.opened()
    floor.later(10)
    ticket = floor.opened()
    event = floor.log[-1]
    assert isinstance(event, TicketQueued)
    assert event.reasons == {"rate_limited": 1}
    assert event.why == "Nobody can take it now: 1 given enough for the moment."
    assert floor.next_room_at == START + timedelta(seconds=60)
    floor.later(49.999)
    floor.sweep()
    assert floor.holder(ticket) is None
    floor.later(0.001)
    floor.sweep()
    assert floor.holder(ticket) == "ann"
    assert floor.next_room_at is None


def test_without_a_limit_nothing_is_counted_or_kept() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    for _ in range(50):
        floor.opened()
    assert floor.roster.agents["ann"].load == 50
    assert floor.roster.agents["ann"].pushed_at == ()
    assert floor.next_room_at is None


def test_assigned_by_hand_or_asked_for_neither_counts_nor_is_refused() -> None:
    floor = a_floor(Strategy.MANUAL, "ann")
    by_hand, asked_for = floor.opened(), floor.opened()
    floor.shares("round_robin", rate_limit=(1, 60))
    floor.assign(by_hand, "ann")
    floor.pull("ann")
    assert floor.holder(asked_for) == "ann"
    assert floor.holder(floor.opened()) == "ann"
    waiting, other = floor.opened(), floor.opened()
    floor.assign(waiting, "ann")
    floor.pull("ann")
    assert floor.holder(other) == "ann"
    assert floor.roster.agents["ann"].load == 5


def test_solving_gives_room_but_no_pace() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    floor.shares("round_robin", rate_limit=(1, 60))
    first, second = floor.opened(), floor.opened()
    floor.moved(first, StatusCategory.SOLVED)
    assert floor.holder(second) is None


def test_what_another_group_pushed_counts_too() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN)
    floor.group("other")
    floor.agent("ann", groups=("support", "other"))
    floor.shares("round_robin", rate_limit=(1, 60))
    ticket = floor.opened()
    floor.change_group(ticket, "other")
    floor.unassign(ticket)
    assert floor.holder(floor.opened()) is None


@pytest.mark.parametrize(
    ("pushed", "left"),
    [((), 2), ((59.9,), 1), ((60,), 2), ((90, 61, 60), 2), ((59, 0), 0), ((9, 8, 7), 0)],
)
def test_the_window_is_open_at_its_beginning(pushed: tuple[float, ...], left: int) -> None:
    agent = an_agent("ann")
    agent.pushed_at = ago(*pushed)
    assert pace(2).left(agent) == left
    assert (refusal(agent, DEMAND, pace(2)) == "rate_limited") is (left == 0)
    assert refusal(agent, DEMAND) is None


def test_the_next_moment_is_when_enough_has_left_the_window() -> None:
    agent = an_agent("ann")
    agent.pushed_at = ago(50, 40, 30)
    assert pace(3).next_at(agent) == START + timedelta(seconds=10)
    assert pace(1).next_at(agent) == START + timedelta(seconds=30)
    assert pace(4).next_at(agent) == START


def test_room_is_what_capacity_and_pace_both_allow() -> None:
    free, full = an_agent("ann"), an_agent("bob", load=1, capacity=2)
    free.pushed_at = ago(1)
    assert room([free], DEMAND, at_most=10, pace=pace(4)) == 3
    assert room([full], DEMAND, at_most=10, pace=pace(4)) == 1
    assert room([free, full], DEMAND, at_most=10, pace=pace(4)) == 4
    assert room([free, full], DEMAND, at_most=2, pace=pace(4)) == 2


def test_the_reason_comes_after_full_hands_and_before_exclusion() -> None:
    agent = an_agent("ann", load=1, capacity=1)
    agent.pushed_at = ago(1)
    assert refusal(agent, DEMAND, pace(1)) == "at_capacity"
    idle = an_agent("ann")
    idle.pushed_at = ago(1)
    assert refusal(idle, Demand("support", (), ("ann",)), pace(1)) == "rate_limited"


def test_only_as_many_moments_are_kept_as_can_decide_and_in_order_of_time() -> None:
    agent = an_agent("ann")
    for seconds in (50, 10, 30):
        remember_push(agent, START - timedelta(seconds=seconds), at_most=2)
    assert agent.pushed_at == ago(30, 10)
    remember_push(agent, START, at_most=0)
    assert agent.pushed_at == ()


def test_an_agent_who_comes_back_to_a_long_queue_is_not_flooded() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    floor.presence("ann", Presence.OFFLINE)
    floor.shares("round_robin", rate_limit=(3, 60))
    for _ in range(10):
        floor.opened()
    floor.presence("ann", Presence.ONLINE)
    assert floor.roster.agents["ann"].load == 3
    decision = Standing(
        DEMAND, a_group("round_robin"), [floor.roster.agents["ann"]], pace=pace(3)
    ).decide()
    assert decision.refused_counts == {"rate_limited": 1}
