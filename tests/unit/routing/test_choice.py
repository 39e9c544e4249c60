"""Choosing: the strategies compare what they promise, and every refusal has its reason."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.routing.domain.agent import Agent, Group
from services.routing.domain.choice import Demand, Standing, refusal, room
from services.routing.domain.pace import Pace
from services.routing.domain.strategies import STRATEGIES, WEIGHTED, turns_after
from shared.events.agents import AgentProfile, GroupProfile, Presence, RateLimit, Strategy
from tests.unit.routing.builders import START, a_group


def an_agent(
    agent_id: str,
    *,
    position: int = 1,
    load: float = 0,
    capacity: float | None = None,
    presence: Presence = Presence.ONLINE,
    turn: int = 0,
    idle_seconds: float = 0,
    skills: dict[str, int] | None = None,
    is_active: bool = True,
) -> Agent:
    return Agent(
        agent_id=agent_id,
        position=position,
        profile=AgentProfile(
            name=agent_id,
            groups=("support",),
            capacity=capacity,
            skills=skills or {},
            is_active=is_active,
        ),
        presence=presence,
        load=load,
        turn=turn,
        idle_since=START - timedelta(seconds=idle_seconds),
    )


def support(strategy: Strategy = Strategy.ROUND_ROBIN, *, is_active: bool = True) -> Group:
    return Group(
        group_id="support",
        profile=GroupProfile(name="Support", strategy=strategy, is_active=is_active),
    )


DEMAND = Demand("support")


def chosen(strategy: Strategy, *agents: Agent) -> str | None:
    decision = Standing(DEMAND, support(strategy), agents).decide()
    return decision.agent.agent_id if decision.agent else None


def test_round_robin_takes_whose_last_turn_is_longest_ago() -> None:
    ann, bob = an_agent("ann", turn=7), an_agent("bob", turn=3, load=9)
    assert chosen(Strategy.ROUND_ROBIN, ann, bob) == "bob"


def test_longest_idle_takes_who_has_been_idle_longest() -> None:
    ann, bob = an_agent("ann", idle_seconds=5, turn=1), an_agent("bob", idle_seconds=60, turn=9)
    assert chosen(Strategy.LONGEST_IDLE, ann, bob) == "bob"


def test_least_loaded_compares_the_share_of_the_limit_not_the_count() -> None:
    ann, bob = an_agent("ann", load=2, capacity=4), an_agent("bob", load=3, capacity=10)
    assert chosen(Strategy.LEAST_LOADED, ann, bob) == "bob"


def test_least_loaded_falls_back_to_load_then_turn_then_order_of_joining() -> None:
    ann, bob = an_agent("ann", load=2, capacity=4), an_agent("bob", load=1, capacity=2)
    assert chosen(Strategy.LEAST_LOADED, ann, bob) == "bob"
    ann, bob = an_agent("ann", turn=5), an_agent("bob", turn=4)
    assert chosen(Strategy.LEAST_LOADED, ann, bob) == "bob"
    ann, bob = an_agent("ann", position=2), an_agent("bob", position=1)
    assert chosen(Strategy.LEAST_LOADED, ann, bob) == "bob"


def test_an_agent_without_a_limit_is_never_full() -> None:
    assert chosen(Strategy.LEAST_LOADED, an_agent("ann", load=10_000)) == "ann"


def test_nobody_is_pushed_in_a_manual_group() -> None:
    decision = Standing(DEMAND, support(Strategy.MANUAL), [an_agent("ann")]).decide()
    assert decision.agent is None
    assert decision.refused_counts == {"manual_group": 1}


@pytest.mark.parametrize(
    ("group", "members", "reason"),
    [
        (None, [an_agent("ann")], "no_group"),
        (support(is_active=False), [an_agent("ann")], "group_inactive"),
        (support(), [], "no_members"),
    ],
)
def test_without_a_group_or_members_there_is_nobody(
    group: Group | None, members: list[Agent], reason: str
) -> None:
    assert Standing(DEMAND, group, members).decide().refused_counts == {reason: 1}


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        (an_agent("ann", is_active=False, presence=Presence.AWAY), "inactive"),
        (an_agent("ann", presence=Presence.AWAY), "away"),
        (an_agent("ann", presence=Presence.BUSY), "busy"),
        (an_agent("ann", presence=Presence.OFFLINE), "offline"),
        (an_agent("ann", skills={"german": 2}, load=1, capacity=1), "skill_missing"),
        (an_agent("ann", skills={"german": 3}, load=1, capacity=1), "at_capacity"),
        (an_agent("ann", skills={"german": 3}, load=0.5, capacity=1), "at_capacity"),
        (an_agent("ann", skills={"german": 3}, capacity=0), "at_capacity"),
        (an_agent("bob", skills={"german": 3}), "excluded"),
        (an_agent("ann", skills={"german": 5}, load=1, capacity=2), None),
    ],
)
def test_the_first_reason_in_order_is_told(agent: Agent, reason: str | None) -> None:
    assert refusal(agent, Demand("support", (("german", 3),), ("bob",))) == reason


def test_a_decision_tells_the_ten_best_and_the_first_refused() -> None:
    agents = [an_agent(f"a{n:02}", position=n, load=n % 5) for n in range(30)]
    agents.append(an_agent("gone", position=99, presence=Presence.OFFLINE))
    decision = Standing(DEMAND, support(Strategy.LEAST_LOADED), agents).decide()
    told = decision.candidates()
    assert len(decision.ranked) == 30
    assert [one.agent_id for one in told[:3]] == ["a00", "a05", "a10"]
    assert [one.score for one in told[:7]] == [0, 0, 0, 0, 0, 0, 0.1]
    assert len(told) == 11
    assert (told[-1].agent_id, told[-1].refused) == ("gone", "offline")


def test_a_refusal_of_all_tells_whom_it_looked_at() -> None:
    agents = [an_agent("ann", presence=Presence.AWAY), an_agent("bob", load=1, capacity=1)]
    decision = Standing(DEMAND, support(), agents).decide()
    assert decision.refused_counts == {"away": 1, "at_capacity": 1}
    assert [one.refused for one in decision.candidates()] == ["away", "at_capacity"]


def test_room_counts_whole_tickets_up_to_the_limit_asked_for() -> None:
    agents = [an_agent("ann", load=1, capacity=3.5), an_agent("bob", presence=Presence.AWAY)]
    assert room(agents, DEMAND, at_most=10) == 2
    assert room(agents, DEMAND, at_most=1) == 1
    assert room([an_agent("cyd")], DEMAND, at_most=10) == 10


@given(data=st.data(), strategy=st.sampled_from([*STRATEGIES]))
def test_a_standing_that_is_kept_up_says_what_a_fresh_one_says(
    data: st.DataObject, strategy: str
) -> None:
    def standing() -> Standing:
        return Standing(
            demand,
            group,
            agents[:4],
            helpers=agents[4:],
            pace=Pace(RateLimit(count=2, seconds=60), START),
        )

    agents = [an_agent(f"a{place}", position=place, turn=place, capacity=3) for place in range(7)]
    demand = Demand("support", optional=(("german", 1),))
    group = a_group(strategy, weights={"a0": 2, "a5": 3})
    kept = standing()
    for _ in range(data.draw(st.integers(1, 12))):
        agent = data.draw(st.sampled_from(agents))
        agent.load = data.draw(st.sampled_from([0.0, 1.0, 2.0, 3.0]))
        agent.turn = data.draw(st.integers(0, 20))
        agent.presence = data.draw(
            st.sampled_from([Presence.ONLINE, Presence.ONLINE, Presence.AWAY])
        )
        agent.pushed_at = (START,) * data.draw(st.integers(0, 2))
        if strategy == WEIGHTED:
            able = standing().decide().eligible
            group.saved_turns = turns_after(group, agents, able, able[0]) if able else {}
        kept.look_again(agent)
        now, fresh = kept.decide("a5"), standing().decide("a5")
        assert (now.agent, now.is_sticky) == (fresh.agent, fresh.is_sticky)
        assert now.eligible == fresh.eligible
        assert now.candidates() == fresh.candidates()
        assert now.refused_counts == fresh.refused_counts


def test_what_was_decided_without_an_agent_stays_said_when_somebody_changes_later() -> None:
    ann = an_agent("ann", presence=Presence.AWAY)
    standing = Standing(DEMAND, support(), [ann])
    decision = standing.decide()
    ann.presence = Presence.ONLINE
    standing.look_again(ann)
    assert decision.refused_counts == {"away": 1}
    assert [one.refused for one in decision.candidates()] == ["away"]
    assert standing.decide().agent is ann
