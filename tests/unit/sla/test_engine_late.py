"""Facts that arrive late or out of order: rules S20 and S21."""

from datetime import timedelta

from msgspec.structs import replace

from services.sla.engine import (
    AgentReplied,
    Assigned,
    Breached,
    BreachRetracted,
    CustomerReplied,
    DueChanged,
    Met,
    NeedsReview,
    NoteAdded,
    PriorityChanged,
    Reopened,
    Resolved,
    StatusChanged,
    advance,
    clamped,
    decode,
    encode,
    evaluate,
    fold,
)
from services.sla.engine.journal import JOURNAL_LIMIT
from tests.unit.sla.givens import a_policy, created, lived, minute, rules, said, targets, the


def test_a_reply_in_time_that_arrives_late_retracts_the_breach():
    book = rules()
    state, _ = lived(book, created(), until=70)
    state, told = fold(state, AgentReplied(at=minute(50)), book)
    assert said(told) == [
        ("breach_retracted", "first_reply", 1, 60),
        ("met", "first_reply", 1, 50),
    ]
    retracted = the(BreachRetracted, told)
    assert (retracted.breached_at, retracted.attempt) == (minute(60), 0)
    assert (retracted.fact_at, retracted.cause) == (minute(50), "agent_replied")
    assert advance(state, minute(100), book)[1] == []


def test_a_reply_exactly_at_the_deadline_that_arrives_late_retracts_the_breach():
    state, _ = lived(rules(), created(), until=70)
    assert the(BreachRetracted, fold(state, AgentReplied(at=minute(60)), rules())[1])


def test_a_late_arrival_after_the_deadline_is_simply_met_late():
    state, _ = lived(rules(), created(), until=70)
    _, told = fold(state, AgentReplied(at=minute(65)), rules())
    assert said(told) == [("met", "first_reply", 1, 65)]


def test_a_note_or_a_bot_that_arrives_late_says_nothing():
    state, _ = lived(rules(), created(), until=70)
    assert fold(state, NoteAdded(at=minute(50)), rules()) == (state, [])
    assert fold(state, AgentReplied(at=minute(50), human=False), rules()) == (state, [])


def test_a_late_fact_that_changes_no_verdict_leaves_the_breach_alone():
    book = rules()
    state, _ = lived(book, created(), until=70)
    state, told = fold(state, Assigned(at=minute(50), assignee="ada"), book)
    assert told == []
    assert state.clocks[0].breached_us is not None


def test_a_late_pause_moves_the_deadline_and_a_later_breach_is_a_new_attempt():
    book = rules(a_policy(targets=targets(resolution=60)))
    state, _ = lived(book, created(), until=70)
    state, told = fold(state, StatusChanged(at=minute(50), category="pending"), book)
    assert said(told) == [
        ("breach_retracted", "resolution", 1, 60),
        ("paused", "resolution", 1, 50),
    ]
    state, _ = fold(state, StatusChanged(at=minute(100), category="open"), book)
    _, told = advance(state, minute(200), book)
    breach = the(Breached, told)
    assert (breach.breached_at, breach.attempt) == (minute(110), 1)


def test_a_pause_and_its_end_that_both_arrive_late_name_the_moved_deadline():
    book = rules(a_policy(targets=targets(resolution=240)))
    state, _ = lived(book, created(), Assigned(at=minute(90), assignee="ada"))
    state, first = fold(state, StatusChanged(at=minute(10), category="pending"), book)
    state, second = fold(state, StatusChanged(at=minute(30), category="open"), book)
    assert said(first) == [("paused", "resolution", 1, 10)]
    assert said(second) == [("resumed", "resolution", 1, 30)]
    assert second[-1].due_at == minute(260)


def test_facts_of_two_topics_in_any_order_give_the_same_verdicts():
    book = rules(a_policy(targets=[*targets(next_reply=30, resolution=240, first_assign=50)]))
    facts = [
        created(),
        Assigned(at=minute(40), assignee="ada"),
        AgentReplied(at=minute(5)),
        CustomerReplied(at=minute(20)),
        StatusChanged(at=minute(21), category="pending"),
        StatusChanged(at=minute(30), category="open"),
        AgentReplied(at=minute(35)),
        Resolved(at=minute(100)),
    ]
    state, _ = lived(book, *facts)
    judged = evaluate(book, facts, minute(100))
    assert state.clocks == judged.state.clocks


def test_an_agents_reply_that_was_overtaken_by_another_meets_earlier():
    state, _ = lived(rules(), created(), AgentReplied(at=minute(70)))
    _, told = fold(state, AgentReplied(at=minute(30)), rules())
    assert said(told) == [
        ("breach_retracted", "first_reply", 1, 60),
        ("met", "first_reply", 1, 30),
    ]


def test_a_late_priority_that_lengthened_the_target_in_time_retracts():
    chosen = [
        {"metric": "resolution", "priority": "normal", "seconds": 3600},
        {"metric": "resolution", "priority": "low", "seconds": 7200},
    ]
    book = rules(a_policy(targets=chosen))
    state, _ = lived(book, created(), until=70)
    _, told = fold(state, PriorityChanged(at=minute(30), priority="low"), book)
    assert said(told) == [
        ("breach_retracted", "resolution", 1, 60),
        ("due_changed", "resolution", 1, 30),
    ]
    assert the(DueChanged, told).due_at == minute(120)


def test_more_than_a_day_late_a_person_decides_and_the_breach_stands():
    book = rules()
    state, _ = lived(book, created(), until=70)
    late = AgentReplied(at=minute(50))
    _, told = fold(state, late, book, known_at=late.at + timedelta(hours=24, seconds=1))
    review = the(NeedsReview, told)
    assert (review.metric, review.breached_at, review.fact_at) == (
        "first_reply",
        minute(60),
        minute(50),
    )
    assert the(Met, told).breached_at == minute(60)
    assert not [outcome for outcome in told if isinstance(outcome, BreachRetracted)]


def test_within_a_day_the_breach_is_retracted():
    book = rules()
    state, _ = lived(book, created(), until=70)
    late = AgentReplied(at=minute(50))
    _, told = fold(state, late, book, known_at=late.at + timedelta(hours=24))
    assert the(BreachRetracted, told)


def test_a_warning_told_once_is_not_told_again_after_a_late_fact():
    book = rules(a_policy(targets=targets(resolution=100), warnings=[{"percent": 50}]))
    state, _ = lived(book, created(), until=60)
    state, told = fold(state, StatusChanged(at=minute(40), category="hold"), book)
    assert said(told) == [("paused", "resolution", 1, 40)]
    state, _ = fold(state, StatusChanged(at=minute(70), category="open"), book)
    _, told = advance(state, minute(129), book)
    assert told == []


def a_long_story(count: int = 200):
    """Longer than what is remembered of it fact by fact; its promise is broken at minute 600."""
    book = rules(a_policy(targets=targets(resolution=600)))
    many = [Assigned(at=minute(n), assignee=f"agent-{n % 2}") for n in range(1, count)]
    return book, lived(book, created(), *many, until=700)[0]


def test_after_many_facts_a_late_one_still_retracts():
    book, state = a_long_story()
    state, told = fold(decode(encode(state)), Resolved(at=minute(500)), book)
    assert said(told) == [
        ("breach_retracted", "resolution", 1, 600),
        ("met", "resolution", 1, 500),
    ]
    assert advance(state, minute(9_000), book)[1] == []


def test_a_late_fact_older_than_what_is_remembered_needs_review():
    book, state = a_long_story()
    assert len(state.journal) <= JOURNAL_LIMIT
    _, told = fold(state, Resolved(at=minute(100)), book)
    assert the(NeedsReview, told).fact_at == minute(100)


def test_the_state_of_a_long_story_is_that_of_all_its_facts_and_stays_small():
    book, state = a_long_story(400)
    for late in (StatusChanged(at=minute(450), category="hold"), CustomerReplied(at=minute(470))):
        state, _ = fold(state, late, book)
    facts = [Assigned(at=minute(n), assignee=f"agent-{n % 2}") for n in range(1, 400)]
    late = [StatusChanged(at=minute(450), category="hold"), CustomerReplied(at=minute(470))]
    judged = evaluate(book, [created(), *facts, *late], minute(700))
    assert state.clocks == judged.state.clocks
    assert len(encode(state)) < 6_000


def test_what_was_dropped_by_an_older_version_is_remembered_again_from_then_on():
    book, state = a_long_story(10)
    state = replace(state, journal=[], journal_is_whole=False)
    state, told = fold(state, Resolved(at=minute(500)), book)
    assert the(NeedsReview, told)
    state, _ = fold(state, Reopened(at=minute(800)), book)
    state, _ = fold(state, Resolved(at=minute(1_000)), book)
    state, told = fold(decode(encode(state)), Resolved(at=minute(900)), book)
    assert [one.at for one in told] == [minute(900)]


def test_a_fact_from_the_future_is_pulled_back_and_flagged():
    early = AgentReplied(at=minute(2))
    assert clamped(early, known_at=minute(1)) == (early, False)
    assert clamped(early, known_at=minute(0.99)) == (AgentReplied(at=minute(0.99)), True)


def test_a_threshold_told_once_is_not_scheduled_again_when_a_late_fact_moves_it():
    chosen = [
        {"metric": "resolution", "priority": "normal", "seconds": 6000},
        {"metric": "resolution", "priority": "low", "seconds": 12_000},
    ]
    book = rules(a_policy(targets=chosen, warnings=[{"percent": 50}]))
    state, _ = lived(book, created(), until=60)
    state, told = fold(state, PriorityChanged(at=minute(30), priority="low"), book)
    assert said(told) == [("due_changed", "resolution", 1, 30)]
    _, told = advance(state, minute(199), book)
    assert told == []
