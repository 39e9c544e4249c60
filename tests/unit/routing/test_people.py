"""Agents, groups, rules and presence: every change is an event with what was before; faults are refused whole."""

import pytest

from services.routing.domain import people
from shared.errors import Conflict, Invalid, NotFound
from shared.events.agents import (
    AgentDefined,
    AgentPresenceChanged,
    AgentProfile,
    GroupDefined,
    GroupProfile,
    Presence,
    RoutingRulesDefined,
    Strategy,
)
from tests.unit.routing.builders import Floor, a_floor, a_rule, by_hand


def test_a_new_agent_is_offline_and_last_in_turn() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann", "bob")
    floor.opened()
    profile = AgentProfile(name="Cyd", groups=("support",))
    (event,) = floor.at_desk(lambda desk: people.define_agent(desk, "cyd", profile, by_hand()))
    assert isinstance(event, AgentDefined)
    assert (event.version, event.profile, event.previous) == (1, profile, None)
    assert floor.roster.agents["cyd"].presence is Presence.OFFLINE
    floor.presence("cyd", Presence.ONLINE)
    assert [floor.holder(floor.opened()) for _ in range(3)] == ["bob", "ann", "cyd"]


def test_a_changed_agent_tells_what_was_before_and_the_same_again_tells_nothing() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    before = floor.roster.agents["ann"].profile
    after = AgentProfile(name="Ann Lee", groups=("support",), capacity=3)
    (event,) = floor.at_desk(lambda desk: people.define_agent(desk, "ann", after, by_hand()))
    assert isinstance(event, AgentDefined)
    assert event.previous == before
    assert floor.at_desk(lambda desk: people.define_agent(desk, "ann", after, by_hand())) == []


@pytest.mark.parametrize(
    ("agent_id", "profile", "fields"),
    [
        ("Ann", AgentProfile(name="A"), ["path agent_id"]),
        ("ann", AgentProfile(name=" "), ["name"]),
        ("ann", AgentProfile(name="A", groups=("support", "nowhere")), ["groups[1]"]),
        ("ann", AgentProfile(name="A", groups=("support", "support")), ["groups[1]"]),
        ("ann", AgentProfile(name="A", capacity=-1), ["capacity"]),
        ("ann", AgentProfile(name="A", skills={"x": 0, "B b": 1}), ["skills.x", "skills"]),
        ("ann", AgentProfile(name="", capacity=1e9), ["name", "capacity"]),
    ],
)
def test_a_malformed_agent_is_refused_with_every_field(
    agent_id: str, profile: AgentProfile, fields: list[str]
) -> None:
    floor = a_floor()
    with pytest.raises(Invalid) as refused:
        floor.at_desk(lambda desk: people.define_agent(desk, agent_id, profile, by_hand()))
    assert [error.field for error in refused.value.errors] == fields
    assert agent_id not in floor.roster.agents


def test_more_room_takes_from_the_queue_at_once() -> None:
    floor = a_floor()
    floor.agent("ann", capacity=0)
    ticket = floor.opened()
    floor.agent("ann", capacity=1)
    assert floor.holder(ticket) == "ann"


def test_joining_a_group_takes_from_its_queue() -> None:
    floor = a_floor()
    floor.agent("ann", groups=())
    ticket = floor.opened()
    floor.agent("ann", groups=("support",))
    assert floor.holder(ticket) == "ann"


def test_a_group_tells_what_was_before_and_checks_the_version() -> None:
    floor = Floor()
    floor.group("support", Strategy.MANUAL)
    pushed = GroupProfile(name="Support", strategy=Strategy.ROUND_ROBIN)
    with pytest.raises(Conflict):
        floor.at_desk(lambda d: people.define_group(d, "support", pushed, by_hand(), expected=2))
    (event,) = floor.at_desk(
        lambda d: people.define_group(d, "support", pushed, by_hand(), expected=1)
    )
    assert isinstance(event, GroupDefined)
    assert event.previous == GroupProfile(name="Support", strategy=Strategy.MANUAL)
    assert floor.at_desk(lambda d: people.define_group(d, "support", pushed, by_hand())) == []
    with pytest.raises(Invalid):
        floor.at_desk(lambda d: people.define_group(d, "No Slug", pushed, by_hand()))


def test_a_manual_group_that_becomes_a_pushing_one_serves_its_queue() -> None:
    floor = a_floor(Strategy.MANUAL, "ann")
    ticket = floor.opened()
    floor.group("support", Strategy.ROUND_ROBIN)
    assert floor.holder(ticket) == "ann"


def test_rules_are_replaced_as_a_whole_and_versioned() -> None:
    floor = a_floor()
    before = floor.roster.book.rules
    rule = a_rule("vip", "support", ("tags", "contains", "vip"))
    (event,) = floor.at_desk(lambda d: people.define_rules(d, (rule,), by_hand(), expected=1))
    assert isinstance(event, RoutingRulesDefined)
    assert (event.version, event.rules, event.previous) == (2, (rule,), before)
    assert floor.at_desk(lambda d: people.define_rules(d, (rule,), by_hand())) == []
    with pytest.raises(Conflict):
        floor.at_desk(lambda d: people.define_rules(d, (), by_hand(), expected=1))
    with pytest.raises(Invalid):
        floor.at_desk(lambda d: people.define_rules(d, (a_rule("x", "no"),), by_hand()))
    assert floor.roster.book.rules == (rule,)


def test_presence_changes_are_told_once() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    (event,) = floor.presence("ann", Presence.AWAY)
    assert isinstance(event, AgentPresenceChanged)
    assert (event.previous, event.presence) == (Presence.ONLINE, Presence.AWAY)
    assert floor.presence("ann", Presence.AWAY) == []
    with pytest.raises(NotFound):
        floor.presence("nobody", Presence.AWAY)


def test_a_lost_heartbeat_means_offline_until_it_comes_back() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    floor.at_desk(lambda desk: people.regain_heartbeat(desk, "ann", by_hand()))
    (lost,) = floor.at_desk(lambda desk: people.lose_heartbeat(desk, "ann", by_hand()))
    assert lost.presence is Presence.OFFLINE  # type: ignore[attr-defined]
    ticket = floor.opened()
    assert floor.holder(ticket) is None
    back = floor.at_desk(lambda desk: people.regain_heartbeat(desk, "ann", by_hand()))
    assert [getattr(event, "reason", None) for event in back] == ["heartbeat_back", None]
    assert floor.holder(ticket) == "ann"


def test_who_never_sent_a_heartbeat_is_not_missed() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    assert floor.at_desk(lambda desk: people.lose_heartbeat(desk, "ann", by_hand())) == []


def test_who_said_away_is_away_again_after_a_lost_heartbeat() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    floor.at_desk(lambda desk: people.regain_heartbeat(desk, "ann", by_hand()))
    floor.at_desk(lambda desk: people.lose_heartbeat(desk, "ann", by_hand()))
    floor.presence("ann", Presence.AWAY)
    floor.at_desk(lambda desk: people.lose_heartbeat(desk, "ann", by_hand()))
    floor.at_desk(lambda desk: people.regain_heartbeat(desk, "ann", by_hand()))
    assert floor.roster.agents["ann"].presence is Presence.AWAY
