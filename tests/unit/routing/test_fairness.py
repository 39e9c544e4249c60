"""Fairness (R17): over a fixed set, no strategy favours anybody for no reason."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events.agents import Presence, Strategy
from shared.events.base import StatusCategory
from tests.unit.routing.builders import a_floor

NAMES = ("ann", "bob", "cyd", "dan", "eve")


@settings(max_examples=40, deadline=None)
@given(agents=st.integers(1, 5), tickets=st.integers(0, 40), in_one_batch=st.booleans())
def test_round_robin_over_a_fixed_set_differs_by_at_most_one(
    agents: int, tickets: int, in_one_batch: bool
) -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, *NAMES[:agents])
    if in_one_batch:
        for name in NAMES[:agents]:
            floor.presence(name, Presence.AWAY)
        for _ in range(tickets):
            floor.opened()
        for name in NAMES[:agents]:
            # All come back in the same moment, before anybody is served.
            floor.roster.agents[name].presence = Presence.ONLINE
        floor.sweep()
    else:
        for _ in range(tickets):
            floor.opened()
    counts = Counter(ticket.agent_id for ticket in floor.tickets.values())
    shares = [counts[name] for name in NAMES[:agents]]
    assert sum(shares) == tickets
    assert max(shares) - min(shares) <= 1


def test_whoever_comes_back_keeps_the_old_turn() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann", "bob", "cyd")
    floor.presence("bob", Presence.AWAY)
    assert [floor.holder(floor.opened()) for _ in range(2)] == ["ann", "cyd"]
    floor.presence("bob", Presence.ONLINE)
    assert [floor.holder(floor.opened()) for _ in range(3)] == ["bob", "ann", "cyd"]


def test_longest_idle_counts_from_the_last_freed_ticket_too() -> None:
    floor = a_floor(Strategy.LONGEST_IDLE, "ann", "bob")
    first = floor.opened()
    floor.later(1)
    floor.opened()
    floor.later(1)
    floor.moved(first, StatusCategory.SOLVED)
    floor.later(1)
    assert floor.holder(first) == "ann"
    assert floor.holder(floor.opened()) == "bob"


def test_least_loaded_keeps_the_shares_of_the_limits_level() -> None:
    floor = a_floor(Strategy.LEAST_LOADED)
    floor.agent("ann", capacity=10)
    floor.agent("bob", capacity=5)
    counts = Counter(floor.holder(floor.opened()) for _ in range(15))
    assert counts == {"ann": 10, "bob": 5}
    assert floor.holder(floor.opened()) is None
