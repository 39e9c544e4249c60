"""Changes of target, policy and calendar: rules S10-S13."""

from datetime import date

import pytest

from services.sla.engine import (
    AgentReplied,
    AttributesChanged,
    Breached,
    CalendarChanged,
    Cancelled,
    DueChanged,
    Met,
    PolicyApplied,
    PolicyChanged,
    PriorityChanged,
    Resolved,
    Rulebook,
    Started,
    UnknownVersion,
    Unschedulable,
    fold,
    next_due,
)
from shared.calendar import parse_calendar
from tests.unit.sla.givens import (
    OFFICE,
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


def by_priority(**of_resolution: float) -> list[dict]:
    return [
        {"metric": "resolution", "priority": priority, "seconds": minutes(amount)}
        for priority, amount in of_resolution.items()
    ]


# -- targets


def test_another_priority_recomputes_from_the_original_start_with_pauses_kept():
    book = rules(a_policy(targets=by_priority(normal=240, high=120)))
    _, told = lived(
        book,
        created(),
        status(10, "pending"),
        status(30, "open"),
        PriorityChanged(at=minute(60), priority="high"),
    )
    change = the(DueChanged, told)
    assert (change.previous_due_at, change.due_at) == (minute(260), minute(140))
    assert (change.previous_target_seconds, change.target_seconds) == (14_400, 7200)
    assert (change.elapsed_seconds, change.cause) == (2400, "priority_changed")


def test_a_new_due_in_the_past_breaches_when_the_target_was_set():
    book = rules(a_policy(targets=by_priority(normal=240, high=30)))
    _, told = lived(book, created(), PriorityChanged(at=minute(60), priority="high"), until=999)
    breach = the(Breached, told)
    assert (breach.breached_at, breach.cause) == (minute(60), "target_changed")
    assert breach.due_at == minute(30)


def test_a_longer_target_after_a_breach_changes_nothing():
    book = rules(a_policy(targets=by_priority(normal=60, low=600), warnings=[{"percent": 50}]))
    _, told = lived(book, created(), PriorityChanged(at=minute(90), priority="low"), until=10_000)
    assert said(told)[1:] == [("warning", "resolution", 1, 30), ("breached", "resolution", 1, 60)]


def test_a_priority_without_target_cancels_and_a_later_target_goes_on_from_the_start():
    book = rules(a_policy(targets=by_priority(normal=240)))
    _, told = lived(
        book,
        created(),
        PriorityChanged(at=minute(60), priority="low"),
        PriorityChanged(at=minute(100), priority="normal"),
    )
    assert said(told)[1:] == [("cancelled", "resolution", 1, 60), ("started", "resolution", 1, 100)]
    assert the(Cancelled, told).reason == "no_target"
    assert [o.due_at for o in told if isinstance(o, Started)] == [minute(240), minute(240)]


def test_a_shorter_target_during_a_pause_waits_for_the_end_of_the_pause():
    book = rules(a_policy(targets=by_priority(normal=240, high=30)))
    _, told = lived(
        book,
        created(),
        status(60, "pending"),
        PriorityChanged(at=minute(100), priority="high"),
        status(500, "open"),
    )
    assert the(Breached, told).breached_at == minute(500)


def test_a_shorter_target_during_a_pause_and_a_solution_in_it_is_late():
    book = rules(a_policy(targets=by_priority(normal=240, high=30)))
    _, told = lived(
        book,
        created(),
        status(60, "pending"),
        PriorityChanged(at=minute(100), priority="high"),
        Resolved(at=minute(200)),
    )
    assert the(Met, told).breached_at == minute(200)


def test_targets_may_depend_on_the_customers_tier():
    gold = {"field": "tier", "op": "is", "value": "gold"}
    chosen = [{"metric": "resolution", "seconds": 600, "when": [gold]}, *targets(resolution=60)]
    book = rules(a_policy(targets=chosen))
    _, told = lived(book, created(), AttributesChanged(at=minute(5), attributes={"tier": "gold"}))
    assert the(DueChanged, told).due_at == minute(10)


def test_a_target_that_was_reached_exactly_where_a_pause_began_names_that_deadline():
    book = rules(a_policy(targets=by_priority(normal=240, high=10)))
    _, told = lived(
        book,
        created(),
        status(10, "pending"),
        status(30, "open"),
        PriorityChanged(at=minute(60), priority="high"),
    )
    breach = the(Breached, told)
    assert (breach.due_at, breach.breached_at) == (minute(10), minute(60))


# -- policies


def two_policies(**vip) -> Rulebook:
    return rules(
        a_policy(
            id="vip",
            order=1,
            targets=targets(resolution=60),
            conditions={"any": [{"field": "tags", "op": "contains", "value": "vip"}]},
            **vip,
        ),
        a_policy(
            id="others",
            order=2,
            conditions={"all": [{"field": "type", "op": "is_not", "value": "spam"}]},
        ),
    )


def test_the_first_policy_whose_conditions_hold_is_pinned():
    _, told = lived(two_policies(), created(attributes={"tags": ["new", "vip"]}))
    assert the(PolicyApplied, told).policy_id == "vip"


def test_a_changed_attribute_matches_again_and_an_unasked_one_does_not():
    book = two_policies()
    state, told = lived(book, created())
    state, told = fold(state, AttributesChanged(at=minute(5), attributes={"colour": "red"}), book)
    assert told == []
    _, told = fold(state, AttributesChanged(at=minute(9), attributes={"tags": ["vip"]}), book)
    applied = the(PolicyApplied, told)
    assert (applied.previous_policy_id, applied.policy_id) == ("others", "vip")
    assert the(DueChanged, told).due_at == minute(60)


def test_no_policy_any_more_cancels_and_matching_again_keeps_the_original_start():
    _, told = lived(
        two_policies(),
        created(),
        AttributesChanged(at=minute(10), attributes={"type": "spam"}),
        AttributesChanged(at=minute(20), attributes={"type": "incident"}),
    )
    cancelled = [o for o in told if isinstance(o, Cancelled)]
    assert {(o.reason, o.policy_id, o.due_at) for o in cancelled} == {("no_policy", "others", None)}
    assert said(told, "resolution")[-1] == ("started", "resolution", 1, 20)
    assert [o.due_at for o in told if isinstance(o, Started)][-1] == minute(240)


def test_a_policy_that_first_matches_too_late_breaches_at_that_moment():
    book = two_policies()
    vip = AttributesChanged(at=minute(500), attributes={"type": "incident"})
    _, told = lived(book, created(attributes={"type": "spam"}), vip)
    assert the(Breached, told, "resolution").breached_at == minute(500)


def test_an_edited_policy_leaves_open_tickets_alone_until_it_is_applied_again():
    first = a_policy()
    edited = a_policy(version=2, in_force_from=minute(10), targets=targets(resolution=60))
    book = rules(first, edited)
    state, told = lived(book, created(), AgentReplied(at=minute(15)))
    assert the(PolicyApplied, told).policy_version == 1
    _, told = fold(state, PolicyChanged(at=minute(20)), book)
    assert the(PolicyApplied, told).policy_version == 2
    assert the(DueChanged, told).due_at == minute(60)
    _, told = lived(book, created(11))
    assert the(PolicyApplied, told).policy_version == 2


def test_a_withdrawn_policy_matches_no_new_ticket_and_escalates_none_it_is_reapplied_to():
    withdrawn = a_policy(version=2, enabled=False, in_force_from=minute(10))
    book = rules(a_policy(), withdrawn)
    assert said(lived(book, created(11), until=10_000)[1]) == []
    _, told = lived(book, created(), PolicyChanged(at=minute(20)), until=10_000)
    assert {o.reason for o in told if isinstance(o, Cancelled)} == {"no_policy"}
    assert not [o for o in told if isinstance(o, Breached)]


def test_a_rulebook_without_the_pinned_version_is_the_callers_mistake():
    state, _ = lived(rules(), created())
    with pytest.raises(UnknownVersion):
        fold(state, AgentReplied(at=minute(5)), rules(a_policy(version=2)))


# -- calendars


def office(version: int, at: float, close: str) -> object:
    return parse_calendar(
        {
            "id": "office",
            "version": version,
            "timezone": "UTC",
            "hours": {d: [["09:00", close]] for d in ("mon", "tue", "wed", "thu", "fri")},
            "in_force_from": minute(at).isoformat(),
        }
    )


def test_a_changed_calendar_moves_open_promises_from_their_start():
    policy = a_policy(targets=targets("office", resolution=9 * 60))
    book = rules(policy, calendars=[OFFICE, office(2, 30, "19:00")])
    _, told = lived(book, created(), CalendarChanged(at=minute(60), calendar_id="office"))
    change = the(DueChanged, told)
    assert (change.previous_due_at, change.due_at) == (minute(1440 + 60), minute(9 * 60))
    assert (change.previous_calendar_version, change.calendar_version) == (1, 2)


def test_another_calendars_change_says_nothing():
    book = rules(a_policy(targets=targets("office", resolution=60)))
    _, told = lived(book, created(), CalendarChanged(at=minute(5), calendar_id="night"))
    assert said(told) == [("started", "resolution", 1, 0)]


def test_a_breached_promise_stays_breached_under_a_new_calendar():
    policy = a_policy(targets=targets("office", resolution=60))
    book = rules(policy, calendars=[OFFICE, office(2, 70, "09:30")])
    _, told = lived(book, created(), CalendarChanged(at=minute(90), calendar_id="office"))
    assert said(told)[1:] == [("breached", "resolution", 1, 60)]


def test_an_unknown_calendar_is_told_and_never_replaced_by_wall_clock():
    book = rules(a_policy(targets=targets("nowhere", resolution=60)))
    state, told = lived(book, created(), until=10_000)
    assert the(Unschedulable, told).calendar_id == "nowhere"
    assert next_due(state) is None


def test_a_calendar_without_enough_open_time_is_told():
    closed = parse_calendar(
        {
            "id": "office",
            "timezone": "UTC",
            "hours": {},
            "overrides": {date(2026, 3, 2).isoformat(): [["09:00", "10:00"]]},
        }
    )
    book = rules(a_policy(targets=targets("office", resolution=90)), calendars=[closed])
    _, told = lived(book, created(), Resolved(at=minute(200)))
    assert the(Unschedulable, told).due_at is None
    assert the(Met, told).elapsed_seconds == 3600


def test_another_target_on_the_same_calendar_keeps_the_pinned_version():
    policy = a_policy(
        targets=[
            {"metric": "resolution", "priority": p, "seconds": s, "calendar_id": "office"}
            for p, s in (("normal", 32_400), ("low", 36_000))
        ]
    )
    book = rules(policy, calendars=[OFFICE, office(2, 30, "19:00")])
    _, told = lived(book, created(), PriorityChanged(at=minute(60), priority="low"))
    change = the(DueChanged, told)
    assert (change.calendar_version, change.due_at) == (1, minute(1440 + 120))
