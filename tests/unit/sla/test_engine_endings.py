"""Reopening, merging, the end: rules S14-S16."""

import pytest

from services.sla.engine import (
    AgentReplied,
    Breached,
    Cancelled,
    Closed,
    CustomerReplied,
    Discarded,
    Merged,
    MergeReceived,
    Met,
    Reopened,
    Resolved,
    Resumed,
    Unmerged,
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
    the,
)


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
