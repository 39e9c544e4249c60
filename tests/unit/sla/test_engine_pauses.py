"""Pauses: rules S6-S9."""

import pytest

from services.sla.engine import (
    AgentReplied,
    Breached,
    Met,
    Paused,
    Resolved,
    Resumed,
    Started,
    fold,
    next_due,
)
from tests.unit.sla.givens import (
    a_policy,
    created,
    lived,
    minute,
    minutes,
    rules,
    said,
    status,
    targets,
    the,
)


@pytest.mark.parametrize("category", ["pending", "hold"])
def test_pending_and_hold_pause_the_resolution_and_keep_what_is_left(category):
    state, told = lived(rules(), created(), AgentReplied(at=minute(1)), status(40, category))
    paused = the(Paused, told)
    assert (paused.metric, paused.due_at, paused.remaining_seconds) == ("resolution", None, 12_000)
    assert next_due(state) is None
    _, told = fold(state, status(1000, "open"), rules())
    resumed = the(Resumed, told)
    assert (resumed.due_at, resumed.paused_seconds) == (minute(1200), minutes(960))


def test_replies_are_never_paused_by_pending():
    _, told = lived(rules(), created(), status(10, "pending"), until=61)
    assert ("breached", "first_reply", 1, 60) in said(told)


def test_a_reply_while_pending_meets_the_first_reply():
    _, told = lived(rules(), created(category="pending"), AgentReplied(at=minute(10)))
    assert ("met", "first_reply", 1, 10) in said(told)


def test_a_policy_says_which_categories_pause():
    book = rules(a_policy(metrics={"resolution": {"pauses": ["postponed"]}}))
    _, told = lived(book, created(), status(10, "pending"), status(20, "postponed"))
    assert said(told, "resolution")[1:] == [("paused", "resolution", 1, 20)]


def test_from_pending_to_hold_is_one_pause():
    _, told = lived(rules(), created(), status(10, "pending"), status(20, "hold"))
    assert len([outcome for outcome in told if isinstance(outcome, Paused)]) == 1


def test_nothing_is_warned_or_breached_during_a_pause():
    book = rules(a_policy(warnings=[{"percent": 50}]))
    _, told = lived(book, created(), status(60, "pending"), until=100_000)
    assert said(told, "resolution")[1:] == [("paused", "resolution", 1, 60)]


def test_a_pause_that_begins_exactly_at_due_leaves_nothing_and_is_a_breach():
    _, told = lived(rules(), created(), status(240, "pending"), until=10_000)
    breach = the(Breached, told, "resolution")
    assert (breach.breached_at, breach.cause) == (minute(240), "time_passed")


def test_a_pause_at_due_is_no_breach_if_it_is_met_at_the_same_instant():
    _, told = lived(rules(), created(), status(240, "pending"), Resolved(at=minute(240)))
    met = the(Met, told, "resolution")
    assert (met.margin_seconds, met.breached_at) == (0, None)


def test_a_pause_without_length_changes_nothing():
    _, told = lived(rules(), created(), status(240, "pending"), status(240, "open"), until=241)
    assert the(Breached, told, "resolution").breached_at == minute(240)


def test_creation_in_a_pausing_status_is_paused_from_creation():
    _, told = lived(rules(), created(category="hold"), status(100, "open"))
    assert the(Started, told, "resolution").due_at is None
    assert the(Resumed, told).due_at == minute(340)


def test_a_pause_outside_hours_costs_nothing():
    book = rules(a_policy(targets=targets("office", resolution=600)))
    facts = (created(), status(500, "pending"), status(1440, "open"))
    _, told = lived(book, *facts)  # 17:20 on Monday to 9:00 on Tuesday
    assert the(Resumed, told).due_at == minute(1440 + 120)
    assert the(Resumed, told).paused_seconds == 0


def test_pauses_keep_their_seconds():
    pauses = [
        status(10 + n + half / 120, "pending" if half == 0 else "open")
        for n in range(30)
        for half in (0, 1)
    ]
    _, told = lived(rules(), created(), *pauses, Resolved(at=minute(240)))
    assert the(Met, told).paused_seconds == 30 * 0.5
    assert the(Met, told).elapsed_seconds == 240 * 60 - 15
