"""Breaches that a person decides about: rule S20, second half."""

from datetime import timedelta

from services.sla.engine import (
    AgentReplied,
    BreachRetracted,
    BreachUpheld,
    CustomerReplied,
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
from tests.unit.sla.givens import a_policy, created, lived, minute, rules, targets

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
    state, told = review(before, asked(before), stands=True, at=DECIDED)
    assert isinstance(told, BreachUpheld)
    assert (told.at, told.breached_at, told.fact_at) == (DECIDED, minute(60), minute(50))
    assert state.review("first_reply", 1) is None
    assert [clock.breached_us for clock in state.clocks] == [c.breached_us for c in before.clocks]


def test_a_breach_taken_back_is_gone_from_the_clock_and_from_every_count():
    before = in_doubt()
    state, told = review(before, asked(before), stands=False, at=DECIDED)
    assert isinstance(told, BreachRetracted)
    assert (told.cause, told.attempt, told.metric) == ("reviewed", 0, "first_reply")
    first = state.clock("first_reply")
    assert first is not None
    assert first.breached_us is None
    assert state.retractions == {"first_reply:1": 1}
    assert before.reviews, "the state that was given is not changed"


def test_a_running_clock_whose_breach_was_taken_back_is_not_breached_again():
    book = rules(a_policy(targets=targets(resolution=60)))
    before = in_doubt(StatusChanged(at=minute(50), category="pending"), book=book)
    state, _ = review(before, asked(before, "resolution"), stands=False, at=DECIDED)
    state, _ = fold(state, StatusChanged(at=DECIDED, category="open"), book)
    assert advance(state, DECIDED + timedelta(days=9), book)[1] == []


def test_two_late_facts_about_one_breach_ask_once_and_the_question_survives_other_late_facts():
    book = rules(a_policy(targets=targets(resolution=60)))
    facts = (StatusChanged(at=minute(50), category="pending"), Resolved(at=minute(55)))
    state = in_doubt(*facts, book=book)
    assert len(state.reviews) == 1
    state, _ = fold(state, CustomerReplied(at=minute(40)), book)
    assert len(state.reviews) == 1
