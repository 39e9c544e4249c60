"""Most spare and weighted: what they compare, whom they pass over, what leaves no trace (R6)."""

from collections import Counter

import pytest

from services.routing.domain import people
from services.routing.domain.agent import Group
from services.routing.domain.choice import Demand, Standing
from services.routing.domain.strategies import STRATEGIES, ranking, turns_after
from shared.events.agents import GroupProfile, Presence, Strategy
from shared.events.assignments import TicketAssigned
from shared.events.base import StatusCategory
from tests.unit.routing.builders import a_floor, a_group, by_hand
from tests.unit.routing.test_choice import an_agent

DEMAND = Demand("support")


def chosen(strategy: str, *agents: object) -> str | None:
    decision = Standing(DEMAND, a_group(strategy), agents).decide()  # type: ignore[arg-type]
    return decision.agent.agent_id if decision.agent else None


# Most spare.


def test_most_spare_takes_who_has_most_room_in_units_not_in_share() -> None:
    ann, bob = an_agent("ann", load=0, capacity=3), an_agent("bob", load=6, capacity=10)
    assert chosen("most_spare", ann, bob) == "bob"
    assert chosen("least_loaded", ann, bob) == "ann"


def test_most_spare_takes_the_longest_idle_of_equals() -> None:
    ann = an_agent("ann", load=1, capacity=3, idle_seconds=5)
    bob = an_agent("bob", load=2, capacity=4, idle_seconds=60)
    assert chosen("most_spare", ann, bob) == "bob"


def test_most_spare_passes_over_who_is_away_and_who_has_no_room() -> None:
    ann = an_agent("ann", capacity=9, presence=Presence.AWAY)
    bob, cyd = an_agent("bob", load=5, capacity=5), an_agent("cyd", load=1, capacity=2)
    assert chosen("most_spare", ann, bob, cyd) == "cyd"
    assert chosen("most_spare", ann, bob) is None


def test_without_a_limit_room_is_compared_as_if_the_limit_were_ten() -> None:
    assert chosen("most_spare", an_agent("ann", load=4), an_agent("bob", capacity=5)) == "ann"
    assert chosen("most_spare", an_agent("ann", load=6), an_agent("bob", capacity=5)) == "bob"


def test_the_score_that_is_told_is_the_room() -> None:
    decision = Standing(
        DEMAND, a_group("most_spare"), [an_agent("ann", load=1, capacity=4)]
    ).decide()
    assert [one.score for one in decision.candidates()] == [3]


# Weighted.


def test_weights_of_one_and_two_over_five_give_two_and_three_spread_out() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann", "bob")
    floor.shares("weighted", weights={"bob": 2})
    assert [floor.holder(floor.opened()) for _ in range(5)] == ["bob", "ann", "bob", "bob", "ann"]


def test_who_cannot_take_it_is_passed_over_and_keeps_what_was_saved() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann", "bob", "cyd")
    floor.shares("weighted", weights={"ann": 1, "bob": 2, "cyd": 3})
    assert floor.holder(floor.opened()) == "cyd"
    floor.presence("cyd", Presence.BUSY)
    before = floor.roster.groups["support"].saved_turns["cyd"]
    assert Counter(floor.holder(floor.opened()) for _ in range(6)) == {"ann": 2, "bob": 4}
    assert floor.roster.groups["support"].saved_turns["cyd"] == before


@pytest.mark.parametrize("way", ["manual", "pull", "resting"])
def test_what_nobody_chose_by_weight_does_not_count(way: str) -> None:
    floor = a_floor(Strategy.MANUAL, "ann", "bob")
    first = floor.opened()
    floor.shares("weighted", weights={"bob": 2})
    if way == "manual":
        floor.assign(first, "bob")
    elif way == "pull":
        floor.pull("bob")
    else:
        floor.moved(first, StatusCategory.PENDING)
    assert floor.roster.groups["support"].saved_turns == {}


def test_who_has_left_the_group_loses_what_was_saved() -> None:
    ann, bob = an_agent("ann"), an_agent("bob")
    group = a_group("weighted", weights={"ann": 3})
    group.saved_turns = {"ann": -1, "gone": 7}
    assert turns_after(group, [ann, bob], [ann, bob], ann) == {"ann": -2, "bob": 1}


def test_new_weights_start_anew_and_the_same_again_changes_nothing() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    floor.roster.groups["support"].saved_turns = {"ann": 5}

    def define(**weights: int) -> None:
        profile = GroupProfile(name="Support", strategy=Strategy.ROUND_ROBIN, weights=weights)
        floor.at_desk(lambda desk: people.define_group(desk, "support", profile, by_hand()))

    define()
    assert floor.roster.groups["support"].saved_turns == {"ann": 5}
    define(ann=2)
    assert floor.roster.groups["support"].saved_turns == {}


def test_why_says_what_was_compared() -> None:
    for strategy, words in {
        "most_spare": "Bob had most room of 2 who could take it",
        "weighted": "Bob was next by the weights of 2 who could take it",
    }.items():
        floor = a_floor(Strategy.ROUND_ROBIN)
        floor.agent("ann", capacity=1)
        floor.agent("bob", capacity=2)
        floor.shares(strategy, weights={"bob": 2})
        floor.opened()
        event = floor.log[-1]
        assert isinstance(event, TicketAssigned)
        assert event.strategy == strategy
        assert event.why.startswith(words)


def test_every_strategy_of_a_real_group_can_rank_or_is_manual() -> None:
    assert {*STRATEGIES, "manual"} == set(Strategy)
    for strategy in Strategy:
        group = Group(group_id="g", profile=GroupProfile(name="G", strategy=strategy))
        if strategy is Strategy.MANUAL:
            assert strategy.value not in STRATEGIES
        else:
            assert ranking(group).key(an_agent("ann"))
