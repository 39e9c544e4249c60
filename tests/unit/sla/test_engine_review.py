"""Breaches that a person decides about: rule S20, second half."""

from datetime import timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from services.sla.engine import (
    AgentReplied,
    Breached,
    BreachRetracted,
    BreachUpheld,
    CustomerReplied,
    DueChanged,
    Merged,
    PriorityChanged,
    Resolved,
    State,
    StatusChanged,
    advance,
    decode,
    encode,
    fold,
    review,
)
from services.sla.engine.outcomes import NeedsReview
from tests.unit.sla.givens import a_policy, created, lived, minute, rules, said, targets, the

DECIDED = minute(3_000)


def in_doubt(*more: object, book=None) -> State:
    """A first reply that was due after an hour, was given in time, and was heard of two days later."""
    book = book or rules()
    state, _ = lived(book, created(), until=70)
    late = more or (AgentReplied(at=minute(50)),)
    for fact in late:
        state, _ = fold(state, fact, book, known_at=minute(50) + timedelta(days=2))
    return decode(encode(state))  # as it is stored


def asked(state: State, metric: str = "first_reply") -> NeedsReview:
    found = state.review(metric, 1)
    assert found is not None
    return found


def test_an_upheld_breach_stands_and_is_not_asked_about_again():
    before = in_doubt()
    state, (told,) = review(before, asked(before), rules(), stands=True, at=DECIDED)
    assert isinstance(told, BreachUpheld)
    assert (told.at, told.breached_at, told.fact_at) == (DECIDED, minute(60), minute(50))
    assert state.review("first_reply", 1) is None
    assert [clock.breached_us for clock in state.clocks] == [c.breached_us for c in before.clocks]


def test_a_breach_taken_back_is_gone_from_the_clock_and_from_every_count():
    before = in_doubt()
    state, (told, *_) = review(before, asked(before), rules(), stands=False, at=DECIDED)
    assert isinstance(told, BreachRetracted)
    assert (told.cause, told.attempt, told.metric) == ("reviewed", 0, "first_reply")
    first = state.clock("first_reply")
    assert first is not None
    assert first.breached_us is None
    assert state.retractions == {"first_reply:1": 1}
    assert before.reviews, "the state that was given is not changed"


def test_two_late_facts_about_one_breach_ask_once_and_the_question_survives_other_late_facts():
    book = rules(a_policy(targets=targets(resolution=60)))
    facts = (StatusChanged(at=minute(50), category="pending"), Resolved(at=minute(55)))
    state = in_doubt(*facts, book=book)
    assert len(state.reviews) == 1
    state, _ = fold(state, CustomerReplied(at=minute(40)), book)
    assert len(state.reviews) == 1


def taken_back(*more: object, book, at=DECIDED):
    before = in_doubt(*more, book=book)
    return review(before, asked(before, "resolution"), book, stands=False, at=at)


def test_a_running_clock_whose_breach_was_taken_back_goes_on_with_the_time_that_was_left():
    book = rules(a_policy(targets=targets(resolution=60)))
    state, told = taken_back(StatusChanged(at=minute(50), category="pending"), book=book)
    assert said(told) == [
        ("breach_retracted", "resolution", 1, 3_000),
        ("due_changed", "resolution", 1, 3_000),
    ]
    moved = the(DueChanged, told)
    assert (moved.previous_due_at, moved.due_at, moved.remaining_seconds) == (minute(60), None, 600)
    state, _ = fold(state, StatusChanged(at=minute(3_100), category="open"), book)
    _, told = advance(state, minute(9_000), book)
    breach = the(Breached, told)
    assert (breach.breached_at, breach.attempt) == (minute(3_110), 1)


def test_a_clock_that_missed_the_later_deadline_too_is_breached_at_that_one():
    book = rules(a_policy(targets=targets(resolution=60)))
    facts = (
        StatusChanged(at=minute(50), category="pending"),
        StatusChanged(at=minute(100), category="open"),
    )
    _, told = taken_back(*facts, book=book)
    assert [outcome.at for outcome in told] == [DECIDED, DECIDED, minute(110)]
    breach = the(Breached, told)
    assert (breach.breached_at, breach.due_at, breach.attempt) == (minute(110), minute(110), 1)


def test_warnings_that_lie_ahead_again_are_told_and_those_that_were_told_are_not():
    chosen = [
        {"metric": "resolution", "priority": "normal", "seconds": 3_600},
        {"metric": "resolution", "priority": "low", "seconds": 360_000},
    ]
    book = rules(a_policy(targets=chosen, warnings=[{"percent": 50}]))
    facts = (
        StatusChanged(at=minute(20), category="pending"),
        StatusChanged(at=minute(70), category="open"),
    )
    state, told = taken_back(*facts, book=book, at=minute(75))
    assert the(DueChanged, told).due_at == minute(110)
    _, told = advance(state, minute(200), book)
    assert said(told) == [("breached", "resolution", 1, 110)]
    state, told = fold(state, PriorityChanged(at=minute(80), priority="low"), book)
    assert said(told) == [("due_changed", "resolution", 1, 80)]


def test_a_breach_of_a_cycle_that_is_over_leaves_the_cycle_that_runs_alone():
    book = rules(a_policy(targets=targets(first_reply=10, next_reply=60)))
    state, _ = lived(
        book, created(), AgentReplied(at=minute(1)), CustomerReplied(at=minute(2)), until=70
    )
    state, _ = fold(state, AgentReplied(at=minute(50)), book, known_at=minute(3_000))
    state, _ = fold(state, CustomerReplied(at=minute(3_001)), book)
    running = state.clock("next_reply")
    state, told = review(state, asked(state, "next_reply"), book, stands=False, at=minute(3_002))
    assert said(told) == [("breach_retracted", "next_reply", 1, 3_002)]
    assert state.clock("next_reply") == running


def test_a_breach_taken_back_stays_so_when_another_late_fact_is_judged_anew():
    book = rules(a_policy(targets=targets(resolution=60)))
    state, _ = taken_back(StatusChanged(at=minute(50), category="pending"), book=book)
    state, told = fold(state, CustomerReplied(at=minute(40)), book)
    clock = state.clock("resolution")
    assert clock is not None
    assert (told, clock.breached_us, state.retractions) == ([], None, {"resolution:1": 1})
    state, told = fold(state, Resolved(at=minute(45)), book)
    assert said(told)[0] == ("met", "resolution", 1, 45), "it is not taken back a second time"
    assert not [outcome for outcome in told if isinstance(outcome, BreachRetracted)]


def test_a_breach_can_be_taken_back_of_a_ticket_that_was_merged_since():
    book = rules(a_policy(targets=targets(resolution=60)))
    late = StatusChanged(at=minute(50), category="pending")
    state, told = taken_back(late, Merged(at=minute(70)), book=book)
    assert said(told) == [("breach_retracted", "resolution", 1, 3_000)]
    assert state.next_us is None


@given(
    pauses=st.lists(st.integers(1, 45), max_size=4, unique=True),
    left=st.integers(50, 59),
    back=st.integers(61, 500),
    decided=st.integers(0, 900),
)
def test_a_pause_that_a_person_believes_counts_as_one_that_was_heard_of_in_a_day(
    pauses, left, back, decided
):
    """The same clock comes out, whenever the decision falls."""
    book = rules(a_policy(targets=targets("office", resolution=60)))
    lived_through = [
        StatusChanged(at=minute(at), category="pending" if place % 2 == 0 else "open")
        for place, at in enumerate(sorted(pauses)[: len(pauses) // 2 * 2])
    ]
    late = StatusChanged(at=minute(left), category="pending")
    opened = StatusChanged(at=minute(back), category="open")
    before, told = lived(book, created(), *lived_through, until=60.5)
    assume(any(isinstance(outcome, Breached) for outcome in told))
    in_time, _ = fold(before, late, book)
    in_time, _ = fold(in_time, opened, book)
    doubted, _ = fold(before, late, book, known_at=late.at + timedelta(days=2))
    doubted, _ = fold(doubted, opened, book)
    state, _ = review(
        doubted, asked(doubted, "resolution"), book, stands=False, at=minute(back + decided)
    )
    in_time, _ = advance(in_time, minute(9_000), book)
    state, _ = advance(state, minute(9_000), book)
    assert state.clocks == in_time.clocks
