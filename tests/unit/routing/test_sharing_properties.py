"""What every way of sharing promises over any history: exact shares, limits kept, nothing left lying (R6, R17)."""

from collections import Counter
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.routing.domain.choice import refusal
from services.routing.domain.pace import Pace
from services.routing.domain.strategies import STRATEGIES
from shared.events.agents import Presence, Strategy
from shared.events.assignments import TicketAssigned
from shared.events.base import StatusCategory
from tests.unit.routing.builders import Floor, a_floor

NAMES = ("ann", "bob", "cyd", "dan")


@settings(max_examples=150, deadline=None)
@given(
    weights=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    rounds=st.integers(1, 3),
    before=st.integers(0, 30),
)
def test_weighted_shares_are_exact_after_each_round_and_never_far_off_in_between(
    weights: list[int], rounds: int, before: int
) -> None:
    names = NAMES[: len(weights)]
    floor = a_floor(Strategy.ROUND_ROBIN, *names)
    floor.shares("weighted", weights=dict(zip(names, weights, strict=True)))
    total = sum(weights)
    for _ in range(before % total and total):  # any number of whole rounds leaves no trace
        floor.opened()
    assert set(floor.roster.groups["support"].saved_turns.values()) <= {0}
    counts: Counter[str | None] = Counter()
    for picked in range(1, rounds * total + 1):
        counts[floor.holder(floor.opened())] += 1
        for name, weight in zip(names, weights, strict=True):
            assert abs(counts[name] - picked * weight / total) < len(names)
    assert counts == {name: rounds * weight for name, weight in zip(names, weights, strict=True)}


@settings(max_examples=150, deadline=None)
@given(
    weights=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    away=st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=25),
)
def test_whatever_was_before_nobody_is_ever_owed_more_than_a_few_turns(
    weights: list[int], away: list[tuple[int, bool]]
) -> None:
    """Who comes and goes neither loses nor hoards: over a fixed set the shares are exact but for what was saved."""
    names = NAMES[: len(weights)]
    floor = a_floor(Strategy.ROUND_ROBIN, *names)
    floor.shares("weighted", weights=dict(zip(names, weights, strict=True)))
    for place, leaves in away:
        floor.presence(names[place % len(names)], Presence.AWAY if leaves else Presence.ONLINE)
        floor.opened()
    for name in names:
        floor.presence(name, Presence.ONLINE)
    total, rounds = sum(weights), 5
    before = floor.roster.groups["support"].saved_turns
    counts = Counter(floor.holder(floor.opened()) for _ in range(rounds * total))
    after = floor.roster.groups["support"].saved_turns
    assert sum(after.values()) == 0
    for name, weight in zip(names, weights, strict=True):
        assert abs(after[name]) < total * len(names)
        settled = before.get(name, 0) - after[name]
        assert counts[name] * total == rounds * total * weight + settled


@settings(max_examples=150, deadline=None)
@given(
    strategy=st.sampled_from(STRATEGIES),
    limit=st.tuples(st.integers(1, 3), st.sampled_from([10, 60])),
    sticky=st.none() | st.just(30),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("open"), st.sampled_from(["cora", "dave"])),
            st.tuples(st.just("wait"), st.sampled_from([1, 5, 10, 30])),
            st.tuples(st.just("solve"), st.integers(0, 50)),
            st.tuples(st.just("presence"), st.sampled_from(NAMES[:3])),
            st.tuples(st.just("unassign"), st.integers(0, 50)),
        ),
        max_size=60,
    ),
)
def test_limits_are_kept_and_whatever_can_be_placed_is_placed(
    strategy: str,
    limit: tuple[int, int],
    sticky: int | None,
    steps: list[tuple[str, str | int]],
) -> None:
    floor = a_floor(Strategy.ROUND_ROBIN)
    for name, capacity in zip(NAMES[:3], (2, 3, None), strict=True):
        floor.agent(name, capacity=capacity)
    floor.shares(strategy, rate_limit=limit, sticky_seconds=sticky, weights={"ann": 3})
    for step in steps:
        do(floor, *step)
        floor.check()
        nobody_waits_for_nothing(floor)
    pushes_keep_the_limit(floor, *limit)
    for event in floor.log:
        if isinstance(event, TicketAssigned) and event.mode == "auto":
            assert event.capacity is None or event.load_after <= event.capacity


def do(floor: Floor, what: str, which: str | int) -> None:
    tickets = sorted(floor.tickets)
    match what:
        case "open":
            floor.opened(requester=str(which))
        case "wait":
            wait(floor, int(which))
        case "presence":
            online = floor.roster.agents[str(which)].presence is Presence.ONLINE
            floor.presence(str(which), Presence.AWAY if online else Presence.ONLINE)
        case "solve" if tickets:
            ticket = tickets[int(which) % len(tickets)]
            if floor.tickets[ticket].category is not StatusCategory.SOLVED:
                floor.moved(ticket, StatusCategory.SOLVED)
        case "unassign" if tickets:
            floor.unassign(tickets[int(which) % len(tickets)])


def wait(floor: Floor, seconds: int) -> None:
    """Time goes by, and the sweep comes at every moment at which a limit lets something go on."""
    until = floor.now + timedelta(seconds=seconds)
    while floor.next_room_at is not None and floor.next_room_at <= until:
        assert floor.next_room_at > floor.now
        floor.now = floor.next_room_at
        assert floor.sweep(), "the moment was told for nothing"
    floor.now = until


def nobody_waits_for_nothing(floor: Floor) -> None:
    pace = Pace.of(floor.roster.groups["support"], floor.now)
    for lane in floor.roster.lanes.values():
        if lane.waiting:
            for agent in floor.roster.members(lane.group_id):
                assert refusal(agent, lane.demand, pace) is not None


def pushes_keep_the_limit(floor: Floor, count: int, seconds: int) -> None:
    pushed: dict[str, list[datetime]] = {}
    for event in floor.log:
        if isinstance(event, TicketAssigned) and event.mode == "auto":
            pushed.setdefault(event.agent_id, []).append(event.occurred_at)
    for moments in pushed.values():
        for moment in moments:
            inside = [one for one in moments if moment - timedelta(seconds=seconds) < one <= moment]
            assert len(inside) <= count
