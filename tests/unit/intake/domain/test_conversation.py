"""Who speaks moves the status."""

import pytest

from services.intake.domain import open_ticket
from services.intake.domain.commands import AddNote, ChangeStatus, Resolve
from services.intake.domain.refusals import (
    OpeningStatusIsNotPossible,
    TicketIsClosed,
    TicketIsMerged,
    TooManyTags,
)
from shared.events import StatusCategory as C
from tests.unit.intake.givens import (
    IMPORT,
    MESSAGE,
    NOW,
    OTHER,
    a_merged_ticket,
    a_ticket,
    after,
    agent_writes,
    circumstances,
    customer_writes,
    in_status,
    to_open,
    when,
)


def moved(previous: C, category: C, cause: str):
    return (
        "StatusChanged",
        {"category": category, "previous_category": previous, "cause": cause},
    )


@pytest.mark.parametrize("category", [C.NEW, C.OPEN, C.PENDING])
def test_an_agents_reply_answers_a_ticket_that_waited_for_a_word(category):
    assert when(in_status(category), agent_writes()) == [
        ("AgentReplied", {"body": "Use water", "is_automatic": False}),
        moved(category, C.ANSWERED, "agent_replied"),
    ]


@pytest.mark.parametrize("category", [C.ANSWERED, C.HOLD, C.POSTPONED, C.SOLVED])
def test_an_agents_reply_leaves_what_an_agent_has_chosen(category):
    assert when(in_status(category), agent_writes()) == [
        ("AgentReplied", {"body": "Use water", "is_automatic": False})
    ]


@pytest.mark.parametrize("category", [C.NEW, C.OPEN, C.PENDING])
def test_a_robots_reply_moves_nothing(category):
    assert when(in_status(category), agent_writes(is_automatic=True)) == [
        ("AgentReplied", {"body": "Use water", "is_automatic": True})
    ]


def test_what_the_agent_says_about_the_status_with_the_reply_replaces_the_rule():
    ticket = in_status(C.OPEN)
    said = ChangeStatus(category=C.PENDING, label="Waiting for the invoice")
    assert when(ticket, agent_writes(then=said)) == [
        ("AgentReplied", {"body": "Use water", "is_automatic": False}),
        (
            "StatusChanged",
            {
                "category": C.PENDING,
                "previous_category": C.OPEN,
                "cause": "requested",
                "label": "Waiting for the invoice",
            },
        ),
    ]


def test_a_reply_may_resolve_the_ticket_in_the_same_breath():
    names = [
        name for name, _ in when(in_status(C.OPEN), agent_writes(then=Resolve(summary="Done")))
    ]
    assert names == ["AgentReplied", "TicketResolved"]


@pytest.mark.parametrize("category", [C.ANSWERED, C.PENDING, C.HOLD, C.POSTPONED])
def test_the_customers_reply_opens_a_ticket_that_waited(category):
    assert when(in_status(category), customer_writes()) == [
        ("CustomerReplied", {"body": "Still burning"}),
        moved(category, C.OPEN, "customer_replied"),
    ]


@pytest.mark.parametrize("category", [C.NEW, C.OPEN])
def test_the_customers_reply_changes_nothing_when_it_is_our_turn_already(category):
    assert when(in_status(category), customer_writes()) == [
        ("CustomerReplied", {"body": "Still burning"})
    ]


def test_the_customers_reply_reopens_a_solved_ticket():
    assert when(in_status(C.SOLVED), customer_writes()) == [
        ("CustomerReplied", {"body": "Still burning"}),
        (
            "TicketReopened",
            {
                "category": C.OPEN,
                "previous_category": C.SOLVED,
                "reopen_count": 1,
                "keeps_owner": True,
                "cause": "customer_replied",
            },
        ),
    ]


@pytest.mark.parametrize("reply", [customer_writes(), agent_writes()])
def test_a_reply_to_a_closed_ticket_is_refused_with_what_to_do_instead(reply):
    with pytest.raises(TicketIsClosed, match="ticket 7 is closed for good; open a new ticket"):
        when(in_status(C.CLOSED), reply)


@pytest.mark.parametrize("reply", [customer_writes(), agent_writes()])
def test_a_reply_to_a_merged_ticket_is_refused_with_the_number_of_the_other(reply):
    with pytest.raises(TicketIsMerged, match=f"merged into ticket 8 \\({OTHER}\\)"):
        when(a_merged_ticket(), reply)


@pytest.mark.parametrize("ticket", [in_status(C.NEW), in_status(C.CLOSED), a_merged_ticket()])
def test_a_note_is_always_taken_and_moves_nothing(ticket):
    note = AddNote(message_id=MESSAGE, body="Look at the log")
    assert when(ticket, note) == [("NoteAdded", {"body": "Look at the log"})]


def test_the_customer_waits_until_a_human_answers():
    ticket = a_ticket()
    assert ticket.is_waiting_for_us
    assert a_ticket(agent_writes(is_automatic=True)).is_waiting_for_us
    assert not a_ticket(agent_writes()).is_waiting_for_us
    assert a_ticket(agent_writes(), customer_writes()).is_waiting_for_us


def test_a_ticket_begins_new_with_sorted_tags_and_without_empty_fields():
    command = to_open(tags=("b", "a", "b"), fields={"product": "printer", "site": None})
    event = open_ticket(command, number=7, context=circumstances(), at=NOW)
    assert (event.version, event.number, event.category) == (1, 7, C.NEW)
    assert (event.tags, event.fields) == (("a", "b"), {"product": "printer"})


def test_a_ticket_in_which_an_agent_writes_first_begins_answered_and_nobody_waits():
    event = open_ticket(to_open(is_outbound=True), number=7, context=circumstances(), at=NOW)
    assert event.category is C.ANSWERED
    assert not a_ticket(is_outbound=True).is_waiting_for_us


def test_the_moment_in_the_world_and_the_moment_of_storing_are_kept_apart():
    event = open_ticket(to_open(), number=7, context=IMPORT, at=NOW)
    assert event.occurred_at == NOW
    assert event.recorded_at == IMPORT.recorded_at > NOW


@pytest.mark.parametrize("category", [C.POSTPONED, C.SOLVED, C.CLOSED])
def test_a_ticket_cannot_begin_at_its_end(category):
    with pytest.raises(OpeningStatusIsNotPossible, match=f"cannot begin as {category}"):
        open_ticket(to_open(category=category), number=7, context=IMPORT, at=NOW)


def test_a_ticket_cannot_begin_with_more_tags_than_it_may_have():
    tags = tuple(f"t{n}" for n in range(51))
    with pytest.raises(TooManyTags):
        open_ticket(to_open(tags=tags), number=7, context=IMPORT, at=NOW)


def test_versions_follow_one_another_within_one_command():
    ticket = in_status(C.PENDING)
    after_reply = after(ticket, _events(ticket))
    assert after_reply.version == ticket.version + 2


def _events(ticket):
    from services.intake.domain import decide

    return decide(ticket, customer_writes(), context=circumstances(), at=NOW)
