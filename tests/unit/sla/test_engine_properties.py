"""Whatever happens: step by step is the same as at once, any order ends the same, minutes agree."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sla.engine import (
    AgentReplied,
    Assigned,
    AttributesChanged,
    Breached,
    BreachRetracted,
    Closed,
    CustomerReplied,
    GroupChanged,
    Met,
    PolicyApplied,
    PolicyChanged,
    PriorityChanged,
    Reopened,
    Resolved,
    Rulebook,
    StatusChanged,
    Warned,
    advance,
    decode,
    encode,
    evaluate,
    fold,
    next_due,
)
from services.sla.engine.journal import JOURNAL_LIMIT
from tests.unit.sla.givens import OFFICE, START, a_policy, created, minute, minutes, rules, targets

EVERY_METRIC = {
    "first_reply": 60,
    "next_reply": 45,
    "resolution": 300,
    "periodic_update": 90,
    "group_ownership": 120,
    "requester_wait": 200,
    "first_assign": 20,
}
URGENT = [
    {"metric": metric, "priority": "urgent", "seconds": minutes(amount / 3)}
    for metric, amount in EVERY_METRIC.items()
]
WARNINGS = [{"percent": 50}, {"percent": 80}, {"seconds_before": 600}]
VIP = {"all": [{"field": "vip", "op": "is", "value": True}]}
BOOK = Rulebook(
    [
        a_policy(id="vip", conditions=VIP, targets=targets(first_reply=10, resolution=100)),
        a_policy(targets=[*URGENT, *targets("office", **EVERY_METRIC)], warnings=WARNINGS),
        a_policy(version=2, in_force_from=minute(400), targets=targets(resolution=200)),
    ],
    [OFFICE],
)

_categories = st.sampled_from(["open", "answered", "pending", "hold", "postponed"])
_moments = st.integers(1, 1300)
_facts = st.one_of(
    st.builds(lambda at: CustomerReplied(at=minute(at)), _moments),
    st.builds(lambda at: AgentReplied(at=minute(at)), _moments),
    st.builds(lambda at, c: StatusChanged(at=minute(at), category=c), _moments, _categories),
    st.builds(
        lambda at, p: PriorityChanged(at=minute(at), priority=p),
        _moments,
        st.sampled_from(["normal", "urgent"]),
    ),
    st.builds(lambda at, g: GroupChanged(at=minute(at), group=g), _moments, st.sampled_from("ab")),
    st.builds(lambda at: Assigned(at=minute(at), assignee="ada"), _moments),
    st.builds(lambda at: Resolved(at=minute(at)), _moments),
    st.builds(lambda at: Reopened(at=minute(at), by_customer=True), _moments),
    st.builds(lambda at: Closed(at=minute(at)), _moments),
    st.builds(lambda at: PolicyChanged(at=minute(at)), _moments),
    st.builds(
        lambda at, v: AttributesChanged(at=minute(at), attributes={"vip": v}),
        _moments,
        st.booleans(),
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_facts, max_size=14), st.lists(st.floats(0, 1500), max_size=10), st.data())
def test_step_by_step_with_time_speaking_anywhere_is_the_same_as_at_once(facts, wakes, data):
    facts.sort(key=lambda fact: fact.at)
    state, told = fold(None, created(attributes={"group": "a"}), BOOK)
    for fact in facts:
        for wake in sorted(minute(w) for w in wakes if minute(w) <= fact.at):
            state, more = advance(state, wake, BOOK)
            told += more
        timer = next_due(state)
        if timer is not None and timer <= fact.at and data.draw(st.booleans()):
            state, more = advance(state, timer, BOOK)
            assert more, "the timer promised something"
            told += more
        state, more = fold(decode(encode(state)), fact, BOOK)
        told += more
    state, more = advance(state, minute(5000), BOOK)
    told += more
    judged = evaluate(BOOK, [created(attributes={"group": "a"}), *facts], minute(5000))
    assert told == list(judged.outcomes)
    assert state == judged.state


@settings(max_examples=300, deadline=None)
@given(st.lists(_facts, max_size=14))
def test_what_is_told_is_ordered_once_only_and_adds_up(facts):
    judged = evaluate(BOOK, [created(), *facts], minute(5000))
    moments = [outcome.at for outcome in judged.outcomes]
    assert moments == sorted(moments)
    clocks = [o for o in judged.outcomes if not isinstance(o, PolicyApplied)]
    breaches = Counter((o.metric, o.cycle) for o in clocks if isinstance(o, Breached))
    warned = Counter(
        (o.metric, o.cycle, o.percent, o.seconds_before) for o in clocks if isinstance(o, Warned)
    )
    assert not [key for key, count in (breaches + warned).items() if count > 1]
    for outcome in clocks:
        assert outcome.elapsed_seconds >= 0
        assert outcome.paused_seconds >= 0
        calendar_seconds = (
            OFFICE.between(outcome.started_at, outcome.at)
            if outcome.calendar_id
            else (outcome.at - outcome.started_at).total_seconds()
        )
        assert outcome.elapsed_seconds + outcome.paused_seconds == calendar_seconds
        if isinstance(outcome, Met) and outcome.breached_at is None:
            assert outcome.margin_seconds >= 0


@pytest.mark.parametrize("known_before", [0, JOURNAL_LIMIT + 5])
@settings(max_examples=150, deadline=None)
@given(st.lists(_facts, max_size=9, unique_by=lambda fact: fact.at), st.data())
def test_in_whatever_order_facts_arrive_the_final_judgement_is_the_same(known_before, facts, data):
    first = created(attributes={"group": "a"})
    before = [Assigned(at=minute(n / 100), assignee=f"a-{n}") for n in range(1, known_before + 1)]
    state, told = fold(None, first, BOOK)
    for fact in before:
        state, more = fold(state, fact, BOOK)
        told += more
    for fact in data.draw(st.permutations(facts)):
        if data.draw(st.booleans()):
            state, more = advance(state, minute(data.draw(st.integers(0, 1400))), BOOK)
            told += more
        state, more = fold(state, fact, BOOK)
        told += more
    state, more = advance(state, minute(1400), BOOK)
    told += more
    judged = evaluate(BOOK, [first, *before, *facts], minute(1400))
    assert [_essence(clock) for clock in _sorted(state)] == [
        _essence(clock) for clock in _sorted(judged.state)
    ]
    standing: dict[tuple[str, int], object] = {}
    for outcome in told:
        if isinstance(outcome, BreachRetracted):
            assert standing.pop((outcome.metric, outcome.cycle)) == outcome.breached_at
        elif isinstance(outcome, Breached):
            assert (outcome.metric, outcome.cycle) not in standing
            standing[outcome.metric, outcome.cycle] = outcome.breached_at
    assert standing == {
        (o.metric, o.cycle): o.breached_at for o in judged.outcomes if isinstance(o, Breached)
    }


def _sorted(state):
    return sorted(state.clocks, key=lambda clock: clock.metric)


def _essence(clock):
    """All but the warnings: one that was told cannot be taken back."""
    return msgspec.structs.replace(clock, warned=[], warning_us=None, warning_key=0)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.integers(1, 3000),
        st.one_of(_categories, st.sampled_from(["low", "normal", "urgent"]), st.just("solved")),
        max_size=10,
    ),
    st.sampled_from([None, "office"]),
    st.tuples(st.integers(1, 900), st.integers(1, 900), st.integers(1, 900)),
)
def test_the_resolution_agrees_with_counting_minutes(changes, calendar_id, amounts):
    of_priority = dict(zip(("low", "normal", "urgent"), amounts, strict=True))
    book = rules(
        a_policy(
            targets=[
                {
                    "metric": "resolution",
                    "priority": priority,
                    "seconds": minutes(amount),
                    "calendar_id": calendar_id,
                }
                for priority, amount in of_priority.items()
            ]
        )
    )
    facts = [
        PriorityChanged(at=minute(at), priority=to)
        if to in of_priority
        else StatusChanged(at=minute(at), category=to)
        for at, to in changes.items()
    ]
    facts = [fact for fact in facts if fact.at <= _solved_at(changes)]
    judged = evaluate(book, [created(), *facts], minute(6000))
    found = next((o.breached_at for o in judged.outcomes if isinstance(o, Breached)), None)
    expected = _counted(changes, of_priority, calendar_id)
    assert found == (None if expected is None else minute(expected))


def _solved_at(changes):
    return minute(min((at for at, to in changes.items() if to == "solved"), default=10_000))


def _counted(changes, of_priority, calendar_id):
    """Count every minute; the minute of the breach, or nothing."""
    elapsed, target, is_paused = 0, of_priority["normal"], False
    for now in range(6000):
        change, was_paused = changes.get(now), is_paused
        if change == "solved":
            return now if elapsed > target else None
        if change in of_priority:
            target = of_priority[change]
        elif change is not None:
            is_paused = change in ("pending", "hold")
        if elapsed >= target and not (is_paused and was_paused):
            return now
        day, hour = divmod(now, 1440)
        is_open = calendar_id is None or (day % 7 < 5 and hour < 480)
        elapsed += is_open and not is_paused
    return None


def test_the_stories_begin_on_a_monday_morning_as_the_counting_assumes():
    assert (START.weekday(), START.hour) == (0, 9)
