"""What the wire's events say to the engine, and what they leave unsaid."""

from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from services.sla import engine
from services.sla.tickets.facts import catch_up_facts, fact_of, note_assignment
from services.sla.tickets.states import Row
from shared.events import assignments, tickets
from shared.events.base import Actor, ActorKind, Channel, Priority, StatusCategory
from shared.events.tickets import Changed, Person
from shared.identifiers import new_id

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TICKET = new_id()
CARL = Actor(kind=ActorKind.CUSTOMER, id="carl")
ANNA = Actor(kind=ActorKind.AGENT, id="anna")


def stamp(actor: Actor = ANNA) -> dict[str, Any]:
    return {
        "version": 2,
        "occurred_at": NOON,
        "recorded_at": NOON,
        "actor": actor,
        "via": Channel.EMAIL,
        "correlation_id": "c",
        "ticket_id": TICKET,
    }


def opened(**changes: Any) -> tickets.TicketOpened:
    given = {
        "number": 7,
        "subject": "s",
        "message_id": new_id(),
        "body": "b",
        "requester": Person(id="carl", organization="acme"),
        "priority": Priority.HIGH,
        "category": StatusCategory.NEW,
        "fields": {"product": "vpn", "essay": "x" * 201},
        "tags": ("a", "b"),
    }
    return tickets.TicketOpened(**stamp(CARL), **given | changes)


def a_row(**changes: Any) -> Row:
    row = Row(ticket_id=TICKET, **changes)
    fact = fact_of(opened(), row, with_assignments=False)
    assert fact is not None
    row.state, _ = engine.fold(None, fact, engine.Rulebook())
    return row


def said(event: Any, row: Row | None = None, *, with_assignments: bool = True) -> Any:
    return fact_of(event, row or a_row(), with_assignments=with_assignments)


def test_an_opening_tells_what_conditions_may_ask_for_and_who_has_it_already() -> None:
    row = Row(ticket_id=TICKET, group_id="network")
    fact = said(opened(), row)
    assert fact == engine.Created(
        at=NOON,
        direction="inbound",
        category="new",
        priority="high",
        attributes={
            "channel": "email",
            "tags": ["a", "b"],
            "requester.id": "carl",
            "requester.organization": "acme",
            "group": "network",
            "fields.product": "vpn",
        },
    )


def test_an_agent_who_writes_first_owes_no_first_reply() -> None:
    assert said(opened(is_outbound=True), Row(ticket_id=TICKET)).direction == "outbound"


@pytest.mark.parametrize(
    ("actor", "is_automatic", "human", "by_requester"),
    [
        (ANNA, False, True, False),
        (ANNA, True, False, False),
        (Actor(kind=ActorKind.AGENT, id="carl"), False, True, True),
    ],
)
def test_only_a_human_who_is_not_the_requester_replies(
    actor: Actor, is_automatic: bool, human: bool, by_requester: bool
) -> None:
    event = tickets.AgentReplied(
        **stamp(actor), message_id=new_id(), body="b", is_automatic=is_automatic
    )
    assert said(event) == engine.AgentReplied(at=NOON, human=human, by_requester=by_requester)


def test_spam_ends_every_promise_and_an_honest_close_is_a_close() -> None:
    closing = {"previous_category": StatusCategory.OPEN}
    spam = tickets.TicketClosed(**stamp(), **closing, reason="spam")
    honest = tickets.TicketClosed(**stamp(), **closing, reason="confirmed")
    assert said(spam) == engine.Discarded(at=NOON, reason="spam")
    assert said(honest) == engine.Closed(at=NOON)


def test_a_customer_who_reopens_waits_for_a_reply_and_an_agent_who_reopens_does_not() -> None:
    given = {
        "category": StatusCategory.OPEN,
        "previous_category": StatusCategory.SOLVED,
        "reopen_count": 1,
    }
    assert said(tickets.TicketReopened(**stamp(CARL), **given)).by_customer
    assert not said(tickets.TicketReopened(**stamp(ANNA), **given)).by_customer


def test_fields_that_go_are_taken_away_from_the_attributes() -> None:
    event = tickets.FieldsChanged(**stamp(), changes={"product": Changed(None, "vpn")})
    assert said(event) == engine.AttributesChanged(at=NOON, attributes={"fields.product": None})


def test_notes_links_and_subjects_say_nothing() -> None:
    note = tickets.NoteAdded(**stamp(), message_id=new_id(), body="b")
    subject = tickets.SubjectChanged(**stamp(), subject="a", previous="b")
    link = tickets.TicketLinked(
        **stamp(), other_ticket_id=new_id(), other_number=1, relation="related"
    )
    assert [said(event) for event in (note, subject, link)] == [None, None, None]


def test_who_has_it_is_told_only_where_a_promise_asks_and_remembered_always() -> None:
    event = assignments.GroupChanged(
        **stamp(), group_id="vip", previous_group_id=None, mode="rule", why="w"
    )
    row = a_row()
    assert said(event, row, with_assignments=False) is None
    assert said(event, row, with_assignments=True) == engine.GroupChanged(at=NOON, group="vip")
    note_assignment(event, row)
    assert row.group_id == "vip"
    reply = tickets.CustomerReplied(**stamp(CARL), message_id=new_id(), body="b")
    assert catch_up_facts(reply, row) == [engine.GroupChanged(at=NOON, group="vip")]


def test_an_assignment_before_the_opening_waits_in_the_row() -> None:
    event = assignments.GroupChanged(
        **stamp(), group_id="vip", previous_group_id=None, mode="rule", why="w"
    )
    assert said(event, Row(ticket_id=TICKET)) is None


def test_a_thank_you_says_no_more_to_the_engine_than_a_note() -> None:
    message = {"message_id": new_id(), "body": "Thanks!"}
    courtesy = tickets.Courtesy("thanks_after_solved", "en", "thanks")
    thanks = tickets.CustomerReplied(**stamp(CARL), **message, courtesy=courtesy)
    assert said(thanks) == engine.NoteAdded(at=thanks.occurred_at)
    assert said(tickets.CustomerReplied(**stamp(CARL), **message)) == engine.CustomerReplied(
        at=thanks.occurred_at
    )


def test_nobody_waits_for_a_reply_on_an_internal_ticket() -> None:
    fact = fact_of(opened(is_internal=True), Row(ticket_id=TICKET), with_assignments=False)
    assert isinstance(fact, engine.Created)
    assert fact.direction == "outbound"


def test_every_kind_of_ticket_event_was_thought_of() -> None:
    """A new kind fails here until somebody decides what it says to the engine."""
    spoken = {
        "TicketOpened", "CustomerReplied", "AgentReplied", "StatusChanged", "PriorityChanged",
        "TypeChanged", "TagsChanged", "FieldsChanged", "TicketResolved", "TicketClosed",
        "TicketReopened", "TicketMerged", "TicketUnmerged", "MergeReceived",
    }  # fmt: skip
    silent = {
        "NoteAdded", "MessageRecorded", "SubjectChanged", "TicketLinked", "TicketUnlinked", "MergeUndone",
        "MessagesSplit", "SplitUndone", "FamilyRuleChanged", "TaskAdded", "TaskChanged", "TaskRemoved",
        "ParticipantAdded", "ParticipantRemoved", "ActionsApplied", "ActionsUndone", "GroupRequested",
        "MessageSent", "MessageNotDelivered", "SatisfactionOffered", "SatisfactionRated",
        "RuleApplied", "RuleNotApplied", "NoticeRequested",
    }  # fmt: skip
    known = {kind.__name__ for kind in get_args(tickets.TicketEvent)}
    assert known == spoken | silent
