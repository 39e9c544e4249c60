"""What starts, meets and ends a clock: rules S1-S5, and the metrics that are only data."""

import pytest

from services.sla.engine import (
    AgentReplied,
    Assigned,
    Breached,
    Closed,
    Created,
    CustomerReplied,
    GroupChanged,
    Met,
    NoteAdded,
    Reopened,
    Resolved,
    Started,
    StatusChanged,
    TicketNotCreated,
    advance,
    fold,
    next_due,
)
from tests.unit.sla.givens import a_policy, created, lived, minute, rules, said, targets, the


def test_creation_by_a_customer_starts_first_reply_and_resolution():
    _, told = lived(rules(), created())
    assert said(told) == [("started", "first_reply", 1, 0), ("started", "resolution", 1, 0)]


def test_a_public_human_reply_meets_the_first_reply():
    _, told = lived(rules(), created(), AgentReplied(at=minute(20)))
    met = the(Met, told)
    assert (met.metric, met.met_at, met.elapsed_seconds, met.margin_seconds) == (
        "first_reply",
        minute(20),
        1200,
        2400,
    )
    assert met.breached_at is None


@pytest.mark.parametrize(
    "fact",
    [
        NoteAdded(at=minute(20)),
        AgentReplied(at=minute(20), human=False),
        AgentReplied(at=minute(20), public=False),
        AgentReplied(at=minute(20), by_requester=True),
        StatusChanged(at=minute(20), category="answered"),
        Assigned(at=minute(20), assignee="ada"),
    ],
)
def test_notes_bots_requesters_and_status_changes_do_not_meet_the_first_reply(fact):
    _, told = lived(rules(), created(), fact)
    assert said(told, "first_reply") == [("started", "first_reply", 1, 0)]


def test_an_outbound_ticket_promises_no_first_reply_and_the_answer_starts_next_reply():
    _, told = lived(rules(), created(direction="outbound"), CustomerReplied(at=minute(9)))
    assert said(told, "first_reply", "next_reply") == [("started", "next_reply", 1, 9)]


def test_next_reply_starts_at_the_oldest_unanswered_message_and_later_ones_do_not_move_it():
    _, told = lived(
        rules(),
        created(),
        AgentReplied(at=minute(5)),
        CustomerReplied(at=minute(10)),
        CustomerReplied(at=minute(20)),
        until=41,
    )
    assert said(told, "next_reply") == [
        ("started", "next_reply", 1, 10),
        ("breached", "next_reply", 1, 40),
    ]


def test_next_reply_does_not_start_before_the_first_reply_is_given():
    _, told = lived(rules(), created(), CustomerReplied(at=minute(10)), until=50)
    assert said(told, "next_reply") == []


def test_a_policy_may_start_next_reply_at_the_first_message():
    book = rules(a_policy(metrics={"next_reply": {"starts": "first_message"}}))
    _, told = lived(book, created(), CustomerReplied(at=minute(10)), AgentReplied(at=minute(20)))
    assert said(told, "next_reply") == [
        ("started", "next_reply", 1, 0),
        ("met", "next_reply", 1, 20),
    ]


def test_each_answered_question_is_a_cycle_of_its_own():
    facts = [created(), AgentReplied(at=minute(5))]
    for turn in (10, 30):
        facts += [CustomerReplied(at=minute(turn)), AgentReplied(at=minute(turn + 5))]
    _, told = lived(rules(), *facts)
    assert said(told, "next_reply") == [
        ("started", "next_reply", 1, 10),
        ("met", "next_reply", 1, 15),
        ("started", "next_reply", 2, 30),
        ("met", "next_reply", 2, 35),
    ]


def test_a_second_agent_message_in_a_row_says_nothing():
    _, told = lived(rules(), created(), AgentReplied(at=minute(5)), AgentReplied(at=minute(6)))
    assert said(told)[2:] == [("met", "first_reply", 1, 5)]


def test_solved_meets_the_resolution_and_closing_afterwards_says_nothing():
    _, told = lived(rules(), created(), Resolved(at=minute(100)), Closed(at=minute(500)))
    assert said(told, "resolution")[1:] == [("met", "resolution", 1, 100)]


def test_solved_told_twice_is_one_solution():
    solved = StatusChanged(at=minute(100), category="solved")
    _, told = lived(rules(), created(), solved, Resolved(at=minute(101)))
    assert said(told, "resolution")[1:] == [("met", "resolution", 1, 100)]


def test_closed_without_being_solved_cancels_the_open_promises():
    _, told = lived(rules(), created(), Closed(at=minute(10)), until=10_000)
    assert said(told)[2:] == [
        ("cancelled", "first_reply", 1, 10),
        ("cancelled", "resolution", 1, 10),
    ]


def test_a_policy_may_stop_the_resolution_at_closed():
    book = rules(a_policy(metrics={"resolution": {"stops_at": "closed"}}))
    _, told = lived(book, created(), Resolved(at=minute(100)), Closed(at=minute(200)))
    assert said(told, "resolution")[1:] == [("met", "resolution", 1, 200)]


def test_a_reply_exactly_at_due_is_in_time():
    _, told = lived(rules(), created(), AgentReplied(at=minute(60)), until=61)
    met = the(Met, told)
    assert (met.margin_seconds, met.breached_at) == (0, None)
    assert not [outcome for outcome in told if isinstance(outcome, Breached)]


def test_a_reply_after_due_is_met_late_and_the_breach_is_told_at_the_deadline():
    _, told = lived(rules(), created(), AgentReplied(at=minute(61)))
    assert said(told, "first_reply")[1:] == [
        ("breached", "first_reply", 1, 60),
        ("met", "first_reply", 1, 61),
    ]
    assert the(Met, told).breached_at == minute(60)
    assert the(Met, told).margin_seconds == -60


def test_time_says_nothing_at_the_deadline_and_speaks_right_after_it():
    book = rules()
    state, _ = lived(book, created())
    same, told = advance(state, minute(60), book)
    assert same is state
    assert told == []
    timer = next_due(state)
    assert timer is not None
    _, told = advance(state, timer, book)
    assert said(told) == [("breached", "first_reply", 1, 60)]


def test_long_after_every_overdue_promise_is_told_once_in_order_with_its_own_time():
    book = rules()
    state, _ = lived(book, created(), AgentReplied(at=minute(1)), CustomerReplied(at=minute(2)))
    state, told = advance(state, minute(100_000), book)
    assert said(told) == [("breached", "next_reply", 1, 32), ("breached", "resolution", 1, 240)]
    assert advance(state, minute(200_000), book) == (state, [])
    assert next_due(state) is None


def test_a_customers_reply_does_not_reopen_a_solved_ticket():
    _, told = lived(rules(), created(), Resolved(at=minute(9)), CustomerReplied(at=minute(10)))
    assert said(told, "resolution")[1:] == [("met", "resolution", 1, 9)]


def test_nobody_is_warned_about_the_replies_of_a_solved_ticket_and_reopening_goes_on():
    _, told = lived(
        rules(), created(), Resolved(at=minute(50)), Reopened(at=minute(500)), until=511
    )
    assert said(told, "first_reply")[1:] == [
        ("paused", "first_reply", 1, 50),
        ("resumed", "first_reply", 1, 500),
        ("breached", "first_reply", 1, 510),
    ]


def test_a_priority_without_a_target_is_not_promised():
    book = rules(a_policy(targets=[{"metric": "resolution", "seconds": 60, "priority": "high"}]))
    state, told = lived(book, created(priority="low"), until=10_000)
    assert said(told) == []
    assert next_due(state) is None


def test_a_fact_before_the_creation_is_refused():
    with pytest.raises(TicketNotCreated):
        fold(None, AgentReplied(at=minute(1)), rules())


def test_a_ticket_is_created_once():
    book = rules()
    state, _ = lived(book, created())
    assert fold(state, created(5), book) == (state, [])


def test_a_moment_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        fold(None, Created(at=minute(0).replace(tzinfo=None)), rules())


# -- the metrics that are only data


def the_story_of(metric: str, *facts, until: float | None = None):
    book = rules(a_policy(targets=targets(**{metric: 30})))
    return said(lived(book, *facts, until=until)[1], metric)


def test_periodic_update_asks_for_an_agents_message_every_so_often():
    story = the_story_of(
        "periodic_update",
        created(),
        AgentReplied(at=minute(10)),
        StatusChanged(at=minute(11), category="pending"),
        AgentReplied(at=minute(30)),
        until=61,
    )
    assert story == [
        ("started", "periodic_update", 1, 10),
        ("met", "periodic_update", 1, 30),
        ("started", "periodic_update", 2, 30),
        ("breached", "periodic_update", 2, 60),
    ]


def test_pausable_update_stands_still_while_pending():
    story = the_story_of(
        "pausable_update",
        created(),
        AgentReplied(at=minute(10)),
        StatusChanged(at=minute(20), category="pending"),
        StatusChanged(at=minute(90), category="open"),
        until=111,
    )
    assert [entry[0] for entry in story] == ["started", "paused", "resumed", "breached"]
    assert story[-1][-1] == 110


def test_requester_wait_counts_only_while_the_requester_waits():
    story = the_story_of(
        "requester_wait",
        created(),
        StatusChanged(at=minute(10), category="answered"),
        StatusChanged(at=minute(100), category="hold"),
        until=121,
    )
    assert story[-1] == ("breached", "requester_wait", 1, 120)


def test_agent_work_counts_only_while_an_agent_has_to_work():
    story = the_story_of(
        "agent_work",
        created(),
        StatusChanged(at=minute(10), category="hold"),
        StatusChanged(at=minute(100), category="open"),
        Resolved(at=minute(110)),
    )
    assert story[-1] == ("met", "agent_work", 1, 110)


def test_total_resolution_counts_the_time_between_solved_and_reopened():
    book = rules(a_policy(targets=targets(total_resolution=60, first_resolution=60)))
    _, told = lived(
        book,
        created(),
        Resolved(at=minute(10)),
        Reopened(at=minute(40)),
        until=100,
    )
    assert said(told, "total_resolution")[1:] == [
        ("met", "total_resolution", 1, 10),
        ("resumed", "total_resolution", 1, 40),
        ("breached", "total_resolution", 1, 60),
    ]
    assert said(told, "first_resolution")[1:] == [("met", "first_resolution", 1, 10)]


def test_each_groups_ownership_is_a_cycle():
    story = the_story_of(
        "group_ownership",
        created(attributes={"group": "first-line"}),
        GroupChanged(at=minute(10), group="network"),
        until=41,
    )
    assert story == [
        ("started", "group_ownership", 1, 0),
        ("met", "group_ownership", 1, 10),
        ("started", "group_ownership", 2, 10),
        ("breached", "group_ownership", 2, 40),
    ]


def test_first_assign_is_met_by_the_first_assignee_only():
    story = the_story_of(
        "first_assign",
        created(),
        Assigned(at=minute(5), assignee="ada"),
        Assigned(at=minute(6), assignee=None),
        Assigned(at=minute(7), assignee="ben"),
        until=100,
    )
    assert story == [("started", "first_assign", 1, 0), ("met", "first_assign", 1, 5)]


def test_a_ticket_created_with_an_assignee_is_assigned_at_once():
    story = the_story_of("speed_of_answer", created(attributes={"assignee": "ada"}))
    assert story == [("started", "speed_of_answer", 1, 0), ("met", "speed_of_answer", 1, 0)]


def test_the_start_carries_what_a_reader_needs():
    started = the(Started, lived(rules(), created(priority="high"))[1], "resolution")
    assert (started.started_at, started.due_at) == (minute(0), minute(240))
    assert (started.target_seconds, started.remaining_seconds) == (14_400, 14_400)
    assert (started.policy_id, started.policy_version, started.priority) == ("standard", 1, "high")
    assert (started.calendar_id, started.calendar_version, started.cause) == (None, None, "created")
