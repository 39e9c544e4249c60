"""A broken promise stays broken until a fact, not a doubt, takes it back."""

from datetime import timedelta
from typing import Any

from services.query.projections.promises import Cycle, _fold_cycle
from shared.events import Priority
from shared.events.sla import (
    SlaBreached,
    SlaBreachRetracted,
    SlaBreachUpheld,
    SlaCancelled,
    SlaDueChanged,
    SlaMet,
    SlaPaused,
    SlaResumed,
    SlaStarted,
    SlaUnschedulable,
)
from shared.identifiers import new_id
from tests.support.events import NOON, stamp

DUE = NOON + timedelta(hours=1)
TICKET, BREACH = new_id(), new_id()


def told(version: int) -> dict[str, Any]:
    return {
        **stamp(version),
        "ticket_id": TICKET,
        "metric": "first_reply",
        "cycle": 1,
        "policy_id": "standard",
        "policy_version": 1,
        "priority": Priority.NORMAL,
        "target_seconds": 3600.0,
        "breach_id": BREACH,
        "breached_at": DUE,
    }


def a_broken_promise() -> Cycle:
    cycle = Cycle(
        ticket_id=TICKET,
        metric="first_reply",
        cycle=1,
        version=1,
        policy_id="standard",
        policy_version=1,
        calendar_id=None,
        calendar_version=None,
        priority="normal",
        target_seconds=3600.0,
        started_at=NOON,
    )
    _fold_cycle(
        cycle,
        SlaBreached(
            **told(1),
            started_at=NOON,
            due_at=DUE,
            detected_at=DUE,
            elapsed_seconds=3600.0,
            paused_seconds=0.0,
            cause="time_passed",
            category="open",
        ),
    )
    return cycle


def test_a_new_target_while_the_clock_stands_still_changes_what_remains():
    cycle = a_broken_promise()
    common = {name: value for name, value in told(2).items() if not name.startswith("breach")}
    _fold_cycle(cycle, SlaPaused(**common, elapsed_seconds=600.0, remaining_seconds=3000.0))
    changed = {**common, "version": 3, "target_seconds": 1800.0}
    _fold_cycle(
        cycle,
        SlaDueChanged(
            **changed,
            due_at=None,
            previous_due_at=None,
            previous_target_seconds=3600.0,
            cause="priority_changed",
        ),
    )
    assert (cycle.due_at, cycle.remaining_seconds) == (None, 1200.0)


def test_a_deadline_that_moved_because_less_time_counts_says_how_much_remains():
    cycle = a_broken_promise()
    plain = {name: value for name, value in told(2).items() if not name.startswith("breach")}
    _fold_cycle(cycle, SlaPaused(**plain, elapsed_seconds=3600.0, remaining_seconds=0.0))
    _fold_cycle(
        cycle,
        SlaDueChanged(
            **plain | {"version": 3},
            due_at=None,
            previous_due_at=DUE,
            previous_target_seconds=3600.0,
            cause="reviewed",
            elapsed_seconds=3000.0,
        ),
    )
    assert (cycle.elapsed_seconds, cycle.remaining_seconds) == (3000.0, 600.0)


def test_a_late_fact_takes_the_breach_back():
    cycle = a_broken_promise()
    _fold_cycle(cycle, SlaBreachRetracted(**told(2), reason="the reply came late"))
    assert (cycle.is_breached, cycle.retracted_at) == (False, NOON)


def test_a_fact_that_came_too_late_leaves_the_breach_for_a_person_to_review():
    cycle = a_broken_promise()
    _fold_cycle(cycle, SlaBreachRetracted(**told(2), reason="two days late", needs_review=True))
    assert (cycle.is_breached, cycle.breached_at) == (True, DUE)
    assert cycle.retracted_at is None
    assert cycle.needs_review


def test_a_persons_decision_ends_the_review_either_way():
    asked = SlaBreachRetracted(**told(2), reason="two days late", needs_review=True)
    upheld, taken_back = a_broken_promise(), a_broken_promise()
    for cycle in (upheld, taken_back):
        _fold_cycle(cycle, asked)
    _fold_cycle(upheld, SlaBreachUpheld(**told(3)))
    assert (upheld.needs_review, upheld.is_breached) == (False, True)
    _fold_cycle(taken_back, SlaBreachRetracted(**told(3), reason="reviewed"))
    assert (taken_back.needs_review, taken_back.is_breached) == (False, False)


def test_a_clock_without_a_deadline_is_not_paused_but_says_that_nobody_can_be_warned() -> None:
    cycle = a_broken_promise()
    plain = {name: value for name, value in told(2).items() if not name.startswith("breach")}
    _fold_cycle(cycle, SlaUnschedulable(**plain, started_at=NOON, reason="no_open_time"))
    _fold_cycle(cycle, SlaStarted(**plain, started_at=NOON, due_at=None))
    assert (cycle.state, cycle.unschedulable_reason) == ("running", "no_open_time")
    moved = SlaDueChanged(
        **plain, due_at=DUE, previous_due_at=None, previous_target_seconds=3600.0, cause="c"
    )
    _fold_cycle(cycle, moved)
    assert (cycle.due_at, cycle.unschedulable_reason) == (DUE, None)


def test_a_clock_that_runs_again_says_nothing_of_its_end():
    common = {name: value for name, value in told(2).items() if not name.startswith("breach")}
    spent = {"elapsed_seconds": 600.0, "paused_seconds": 0.0}
    met = SlaMet(
        **common, **spent, started_at=NOON, due_at=DUE, margin_seconds=3000.0, was_breached=False
    )
    resumed = SlaResumed(**common, **spent, due_at=DUE, remaining_seconds=3000.0)
    cancelled = SlaCancelled(
        **common, reason="no_target", elapsed_seconds=600.0, was_breached=False
    )
    started = SlaStarted(**common, started_at=NOON, due_at=DUE)
    for ended, again in ((met, resumed), (cancelled, started)):
        cycle = a_broken_promise()
        _fold_cycle(cycle, ended)
        assert cycle.ended_at is not None
        _fold_cycle(cycle, again)
        assert (cycle.state, cycle.ended_at) == ("running", None)
        assert (cycle.margin_seconds, cycle.cancel_reason) == (None, None)
        assert cycle.is_breached, "what was broken stays so"
