"""Time rules: due by the calendar, once for each moment they count from, gone when their condition is."""

from datetime import UTC, datetime, timedelta

import pytest

from services.intake.domain import decide, evolve, open_ticket
from services.intake.domain.commands import (
    AddAgentReply,
    AddCustomerReply,
    ChangeStatus,
    ChangeTags,
    Close,
    Resolve,
)
from services.intake.domain.rules.chain import look_again, next_moment
from shared.calendar import parse_calendar
from shared.events import Channel, Priority, StatusCategory
from shared.events.steps import RuleApplied, RuleNotApplied
from tests.unit.intake.givens import MESSAGE, NOW, after, circumstances, to_open
from tests.unit.intake.rules.play import a_book, ground, names, passed

HOUR = timedelta(hours=1)
OFFICE = parse_calendar(
    {
        "id": "office",
        "version": 1,
        "timezone": "UTC",
        "hours": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
    }
)


def a_live_ticket(**said):
    """A ticket that was opened here on a Monday at half past nine."""
    return evolve(None, open_ticket(to_open(**said), number=7, context=circumstances(), at=NOW))


def then(ticket, at, *commands):
    for command in commands:
        events = decide(ticket, command, context=circumstances(recorded_at=at), at=at)
        ticket = after(ticket, events)
    return ticket


def a_rule(since="created", **after_):
    return {"after": {"since": since} | (after_ or {"hours": 2}), "actions": {"priority": "high"}}


REPLY = AddAgentReply(message_id=MESSAGE, body="Hi")
QUESTION = AddCustomerReply(message_id=MESSAGE, body="?")
SOLVE = Resolve(summary="done")


@pytest.mark.parametrize(
    ("since", "commands", "expected"),
    [
        ("created", [], 0),
        ("first_reply", [], None),
        ("first_reply", [REPLY, REPLY], 1),
        ("last_agent_reply", [REPLY, REPLY], 2),
        ("last_customer_reply", [], 0),
        ("last_customer_reply", [REPLY, QUESTION], 2),
        ("last_reply", [QUESTION, REPLY], 2),
        ("solved", [REPLY], None),
        ("solved", [SOLVE], 1),
    ],
)
def test_it_counts_from_the_moment_that_it_names(since, commands, expected):
    ticket = a_live_ticket()
    for place, command in enumerate(commands, start=1):
        ticket = then(ticket, NOW + place * HOUR, command)
    moment = next_moment(ticket, a_book(a_rule(since)), NOW)
    assert moment == (None if expected is None else NOW + expected * HOUR + 2 * HOUR)


def test_it_runs_at_its_moment_not_before_and_once():
    book, ticket = a_book(a_rule()), a_live_ticket()
    due_at = NOW + 2 * HOUR
    assert passed(ticket, book, due_at - timedelta(microseconds=1))[0] == []
    made, ticket = passed(ticket, book, due_at)
    assert names(made) == ["RuleApplied", "PriorityChanged"]
    run = made[0]
    assert (run.cause, run.anchor_at, run.due_at, run.causation_id) == ("time", NOW, due_at, None)
    assert passed(ticket, book, due_at + HOUR)[0] == []
    assert next_moment(ticket, book, due_at) is None


def test_a_new_moment_to_count_from_is_a_new_turn_unless_it_is_once_a_ticket():
    often, once = a_rule("last_customer_reply"), a_rule("last_customer_reply") | {"once": True}
    for rule, count in ((often, 2), (once, 1)):
        book, ticket, ran = a_book(rule | {"actions": {"note": "Waits."}}), a_live_ticket(), 0
        for place in range(2):
            at = NOW + place * 24 * HOUR
            ticket = then(ticket, at, QUESTION)
            made, ticket = passed(ticket, book, at + 2 * HOUR)
            ran += names(made).count("RuleApplied")
        assert ran == count


def test_business_hours_pass_while_the_calendar_is_open():
    rule = a_rule("created", hours=10, calendar="office")
    book = a_book(rule, calendars={"office": OFFICE})
    moment = next_moment(a_live_ticket(), book, NOW)  # Monday 09:30, ten hours of 09-17
    assert moment == datetime(2026, 3, 3, 11, 30, tzinfo=UTC)


def test_it_is_called_off_when_its_condition_ends_and_comes_back_with_it():
    rule = a_rule() | {"when": [{"field": "status", "op": "is", "value": "pending"}]}
    book, ticket = a_book(rule), a_live_ticket()
    assert next_moment(ticket, book, NOW) is None
    ticket = then(ticket, NOW, ChangeStatus(category=StatusCategory.PENDING))
    assert next_moment(ticket, book, NOW) == NOW + 2 * HOUR
    ticket = then(ticket, NOW, ChangeStatus(category=StatusCategory.OPEN))
    assert next_moment(ticket, book, NOW) is None
    assert passed(ticket, book, NOW + 3 * HOUR)[0] == []


def test_a_condition_on_hours_waits_for_them():
    rule = a_rule() | {"when": [{"field": "hours.office", "op": "is", "value": "open"}]}
    book, ticket = a_book(rule, calendars={"office": OFFICE}), a_live_ticket()
    night = NOW + 12 * HOUR
    assert passed(ticket, book, night)[0] == []
    morning = look_again(ticket, ground(book, now=night))
    assert morning == datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
    assert names(passed(ticket, book, morning)[0])[0] == "RuleApplied"


def test_a_condition_on_the_group_waits_for_routing_and_not_for_time():
    rule = a_rule() | {"when": [{"field": "group", "op": "is", "value": "billing"}]}
    book, ticket = a_book(rule), a_live_ticket()
    at = NOW + 3 * HOUR
    assert next_moment(ticket, book, NOW) == NOW + 2 * HOUR
    assert passed(ticket, book, at, group="sales")[0] == []
    assert look_again(ticket, ground(book, now=at, group="sales")) is None
    assert names(passed(ticket, book, at, group="billing")[0])[0] == "RuleApplied"


def test_what_is_refused_or_so_already_had_its_turn():
    solving = a_rule() | {"actions": {"status": "open"}}
    ticket = then(a_live_ticket(), NOW, SOLVE)
    made, ticket = passed(ticket, a_book(solving), NOW + 2 * HOUR)
    assert [(type(one), one.why) for one in made] == [(RuleNotApplied, "refused")]
    assert next_moment(ticket, a_book(solving), NOW) is None
    urgent = a_live_ticket(priority=Priority.HIGH)
    made, urgent = passed(urgent, a_book(a_rule()), NOW + 2 * HOUR)
    assert [(type(one), one.changes) for one in made] == [(RuleApplied, ())]
    assert next_moment(urgent, a_book(a_rule()), NOW) is None


def test_time_leaves_closed_tickets_and_imported_history_alone():
    book = a_book(a_rule())
    assert next_moment(then(a_live_ticket(), NOW, Close()), book, NOW) is None
    history = circumstances(via=Channel.IMPORT)
    old = evolve(None, open_ticket(to_open(), number=8, context=history, at=NOW))
    assert next_moment(old, book, NOW) is None
    assert next_moment(then(old, NOW, ChangeTags(add=("seen",))), book, NOW) == NOW + 2 * HOUR


def test_time_starts_a_chain_like_an_event():
    marked = {"events": ["priority_changed"], "actions": {"add_tags": ["late"]}}
    made, ticket = passed(a_live_ticket(), a_book(a_rule(), marked), NOW + 2 * HOUR)
    assert [one.after for one in made if isinstance(one, RuleApplied)] == [(), ("r0",)]
    assert ticket.tags == ("late",)
