"""Pauses, changes of target, policy and calendar, reopening, merging: rules S6-S16."""

from datetime import date

import pytest

from services.sla.engine import (
    AgentReplied,
    AttributesChanged,
    Breached,
    CalendarChanged,
    Cancelled,
    Closed,
    CustomerReplied,
    Discarded,
    DueChanged,
    Merged,
    MergeReceived,
    Met,
    Paused,
    PolicyApplied,
    PolicyChanged,
    PriorityChanged,
    Reopened,
    Resolved,
    Resumed,
    Rulebook,
    Started,
    StatusChanged,
    UnknownVersion,
    Unmerged,
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
    targets,
    the,
)


def status(at: float, category) -> StatusChanged:
    return StatusChanged(at=minute(at), category=category)


def by_priority(**of_resolution: float) -> list[dict]:
    return [
        {"metric": "resolution", "priority": priority, "seconds": minutes(amount)}
        for priority, amount in of_resolution.items()
    ]


# -- pauses


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


# -- reopening, merging, the end


def test_reopening_continues_with_what_was_left_and_leaves_the_solved_time_out():
    _, told = lived(
        rules(),
        created(),
        AgentReplied(at=minute(1)),
        Resolved(at=minute(100)),
        Reopened(at=minute(5000)),
        Resolved(at=minute(5010)),
    )
    assert said(told, "resolution")[1:] == [
        ("met", "resolution", 1, 100),
        ("resumed", "resolution", 1, 5000),
        ("met", "resolution", 1, 5010),
    ]
    assert the(Resumed, told, "resolution").due_at == minute(5140)
    assert [o.elapsed_seconds for o in told if isinstance(o, Met)][-1] == minutes(110)


def test_a_policy_may_restart_the_resolution_on_reopening():
    book = rules(a_policy(metrics={"resolution": {"on_reopen": "restart"}}))
    _, told = lived(book, created(), Resolved(at=minute(100)), Reopened(at=minute(500)), until=741)
    assert said(told, "resolution")[-2:] == [
        ("started", "resolution", 2, 500),
        ("breached", "resolution", 2, 740),
    ]


def test_a_breached_cycle_stays_breached_when_it_is_reopened():
    _, told = lived(
        rules(), created(), Resolved(at=minute(300)), Reopened(at=minute(500)), until=10_000
    )
    assert len([o for o in told if isinstance(o, Breached) and o.metric == "resolution"]) == 1


def test_reopening_by_the_customer_opens_a_next_reply():
    _, told = lived(
        rules(),
        created(),
        AgentReplied(at=minute(1)),
        Resolved(at=minute(2)),
        Reopened(at=minute(50), by_customer=True),
        CustomerReplied(at=minute(50)),
    )
    assert said(told, "next_reply") == [("started", "next_reply", 1, 50)]


def test_reopening_by_an_agent_opens_no_next_reply():
    _, told = lived(
        rules(),
        created(),
        AgentReplied(at=minute(1)),
        Resolved(at=minute(2)),
        Reopened(at=minute(50)),
    )
    assert said(told, "next_reply") == []


def test_a_ticket_reopened_into_a_pausing_status_is_paused():
    _, told = lived(rules(), created(), Resolved(at=minute(100)), status(200, "pending"))
    assert the(Resumed, told, "resolution").due_at is None


def test_a_closed_ticket_that_is_reopened_leaves_the_closed_time_out():
    _, told = lived(rules(), created(), Closed(at=minute(100)), Reopened(at=minute(5000)))
    assert the(Resumed, told, "resolution").due_at == minute(5140)


def test_a_merged_ticket_never_escalates_and_hears_nothing_any_more():
    _, told = lived(
        rules(),
        created(),
        Merged(at=minute(10)),
        CustomerReplied(at=minute(20)),
        Reopened(at=minute(30)),
        until=10_000,
    )
    assert said(told)[2:] == [
        ("cancelled", "first_reply", 1, 10),
        ("cancelled", "resolution", 1, 10),
    ]
    assert {o.reason for o in told if isinstance(o, Cancelled)} == {"merged"}


def test_a_merge_that_is_undone_starts_the_clocks_again_as_reopening_does():
    _, told = lived(
        rules(),
        created(),
        AgentReplied(at=minute(5)),
        Merged(at=minute(10)),
        Unmerged(at=minute(500), category="open"),
        CustomerReplied(at=minute(510)),
    )
    assert said(told, "resolution") == [
        ("started", "resolution", 1, 0),
        ("cancelled", "resolution", 1, 10),
        ("started", "resolution", 1, 500),
    ]
    assert ("started", "next_reply", 1, 510) in said(told, "next_reply")


def test_what_was_not_merged_is_not_unmerged():
    _, told = lived(rules(), created(), Discarded(at=minute(1)), Unmerged(at=minute(2)))
    assert said(told)[2:] == [("cancelled", "first_reply", 1, 1), ("cancelled", "resolution", 1, 1)]


def test_a_message_brought_by_a_merge_opens_next_reply_unless_one_is_open():
    replied = AgentReplied(at=minute(1))
    brought = MergeReceived(at=minute(30), customer_message=True)
    _, told = lived(rules(), created(), replied, brought)
    assert said(told, "next_reply") == [("started", "next_reply", 1, 30)]
    _, told = lived(rules(), created(), replied, CustomerReplied(at=minute(20)), brought)
    assert said(told, "next_reply") == [("started", "next_reply", 1, 20)]


def test_a_merge_without_a_customers_message_changes_nothing():
    _, told = lived(rules(), created(), AgentReplied(at=minute(1)), MergeReceived(at=minute(30)))
    assert said(told, "next_reply") == []


@pytest.mark.parametrize("reason", ["deleted", "spam", "anonymised"])
def test_a_discarded_ticket_is_cancelled_with_its_reason(reason):
    _, told = lived(rules(), created(), Discarded(at=minute(10), reason=reason), until=10_000)
    assert {o.reason for o in told if isinstance(o, Cancelled)} == {reason}
    assert len(said(told)) == 4


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
