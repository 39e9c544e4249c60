"""Fairness (R17): over a fixed set, no strategy favours anybody for no reason, and nobody waits for ever."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events.agents import Presence, Strategy
from shared.events.assignments import TicketAssigned, TicketQueued
from shared.events.base import Priority, StatusCategory
from tests.unit.routing.builders import Floor, a_floor
from tests.unit.routing.workings import Working

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


def a_busy_desk(wait_seconds_max: int | None) -> Working:
    """One agent, who has one ticket at a time."""
    working = Working(Floor())
    working.group("support", Strategy.ROUND_ROBIN, wait_seconds_max=wait_seconds_max)
    working.agent("ann", ("support",), capacity=1)
    working.floor.rules(default="support")
    return working


def solve_one(floor: Floor) -> None:
    for ticket in list(floor.tickets.values()):
        if ticket.agent_id == "ann" and ticket.category is StatusCategory.NEW:
            floor.moved(ticket.ticket_id, StatusCategory.SOLVED)
            return


@pytest.mark.parametrize("wait_seconds_max", [None, 600])
def test_behind_endless_urgent_ones_a_quiet_ticket_waits_for_ever_unless_waiting_has_an_end(
    wait_seconds_max: int | None,
) -> None:
    working = a_busy_desk(wait_seconds_max)
    floor = working.floor
    floor.opened(priority=Priority.URGENT)
    quiet = floor.opened(priority=Priority.LOW)
    for _ in range(60):
        floor.opened(priority=Priority.URGENT)
        working.later(60)
        solve_one(floor)
    given = [one for one in floor.log if isinstance(one, TicketAssigned) and one.ticket_id == quiet]
    if wait_seconds_max is None:
        assert not given
    else:
        assert [one.waited_seconds for one in given] == [600]
        (told,) = [one for one in floor.log if isinstance(one, TicketQueued) and one.is_overdue]
        assert told.why.endswith("It has waited so long that it comes before all others.")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.sampled_from(Priority), max_size=3), min_size=5, max_size=40))
def test_nobody_is_served_before_an_overdue_ticket_that_waits_longer(
    minutes: list[list[Priority]],
) -> None:
    working = a_busy_desk(300)
    floor = working.floor
    for arrivals in minutes:
        for priority in arrivals:
            floor.later(1)
            floor.opened(priority=priority)
        before = {
            ticket.ticket_id: ticket.overdue_since
            for ticket in floor.tickets.values()
            if ticket.lane is not None and ticket.overdue_since is not None
        }
        count = len(floor.log)
        solve_one(floor)
        for event in floor.log[count:]:
            if isinstance(event, TicketAssigned) and before:
                assert event.ticket_id == min(before, key=lambda one: before[one])
        working.later(60)
