"""Warnings: rule S17 (when, which of several, once)."""

from services.sla.engine import AgentReplied, PriorityChanged, StatusChanged, Warned, advance
from tests.unit.sla.givens import (
    a_policy,
    created,
    lived,
    minute,
    minutes,
    rules,
    said,
    targets,
    the,
)

EARLY = [{"percent": 50}, {"percent": 75}, {"seconds_before": 300}]


def resolution_only(**fields):
    return a_policy(**{"targets": targets(resolution=100), "warnings": EARLY, **fields})


def test_each_threshold_warns_once_and_in_order():
    book = rules(resolution_only())
    state, told = lived(book, created(), until=10_000)
    assert said(told)[1:] == [
        ("warning", "resolution", 1, 50),
        ("warning", "resolution", 1, 75),
        ("warning", "resolution", 1, 95),
        ("breached", "resolution", 1, 100),
    ]
    keys = [(o.percent, o.seconds_before) for o in told if isinstance(o, Warned)]
    assert keys == [(50, None), (75, None), (None, 300)]
    assert advance(state, minute(20_000), book)[1] == []


def test_a_warning_never_falls_outside_hours():
    book = rules(resolution_only(targets=targets("office", resolution=600)))
    _, told = lived(book, created(), until=100_000)
    assert [entry[-1] for entry in said(told)[1:]] == [300, 450, 1440 + 115, 1440 + 120]


def test_nothing_is_warned_after_it_was_met():
    _, told = lived(
        rules(a_policy(warnings=EARLY, targets=targets(first_reply=100))),
        created(),
        AgentReplied(at=minute(50)),
        until=10_000,
    )
    assert said(told)[1:] == [("met", "first_reply", 1, 50)]


def test_of_several_thresholds_passed_at_once_only_the_highest_is_told():
    shorter = [
        {"metric": "resolution", "priority": priority, "seconds": minutes(amount)}
        for priority, amount in (("normal", 1000), ("urgent", 100))
    ]
    _, told = lived(
        rules(resolution_only(targets=shorter)),
        created(),
        PriorityChanged(at=minute(80), priority="urgent"),
        until=10_000,
    )
    assert said(told)[2:] == [
        ("warning", "resolution", 1, 80),
        ("warning", "resolution", 1, 95),
        ("breached", "resolution", 1, 100),
    ]
    assert next(o.percent for o in told if isinstance(o, Warned)) == 75


def test_a_threshold_told_once_is_not_told_again_after_a_change_of_priority():
    chosen = [
        {"metric": "resolution", "priority": priority, "seconds": minutes(amount)}
        for priority, amount in (("normal", 100), ("low", 1000))
    ]
    _, told = lived(
        rules(resolution_only(targets=chosen, warnings=[{"percent": 50}])),
        created(),
        PriorityChanged(at=minute(60), priority="low"),
        until=999,
    )
    assert the(Warned, told).at == minute(50)


def test_a_warning_moves_with_a_pause():
    _, told = lived(
        rules(resolution_only(warnings=[{"percent": 50}])),
        created(),
        StatusChanged(at=minute(10), category="pending"),
        StatusChanged(at=minute(60), category="open"),
        until=149,
    )
    assert the(Warned, told).at == minute(100)


def test_a_warning_may_be_for_one_metric_only():
    book = rules(a_policy(warnings=[{"percent": 50, "metric": "resolution"}]))
    _, told = lived(book, created(), until=10_000)
    assert [entry for entry in said(told) if entry[0] == "warning"] == [
        ("warning", "resolution", 1, 120)
    ]


def test_a_warning_longer_before_due_than_the_target_is_never_told():
    book = rules(resolution_only(warnings=[{"seconds_before": 6000}, {"seconds_before": 6001}]))
    _, told = lived(book, created(), until=10_000)
    assert said(told)[1:] == [("breached", "resolution", 1, 100)]
