"""The status: by hand, solved, closed, reopened, postponed and woken."""

from datetime import timedelta

import pytest

from services.intake.domain.commands import (
    ChangeStatus,
    Close,
    EndPostponement,
    Reopen,
    Resolve,
)
from services.intake.domain.refusals import (
    NewNeverReturns,
    OnlyPostponementHasADate,
    PostponementIsOutOfRange,
    PostponementNeedsADate,
    StatusHasItsOwnVerb,
    TicketIsClosed,
    TicketIsMerged,
    TicketIsNotSolved,
    TicketIsSolved,
)
from shared.events import StatusCategory as C
from tests.unit.intake.givens import (
    IMPORT,
    NOW,
    a_merged_ticket,
    a_ticket,
    in_status,
    postpone,
    when,
)

WORKABLE = [C.NEW, C.OPEN, C.ANSWERED, C.PENDING, C.HOLD, C.POSTPONED]
UNTIL = NOW + timedelta(days=3)


@pytest.mark.parametrize("wanted", [C.OPEN, C.ANSWERED, C.PENDING, C.HOLD])
@pytest.mark.parametrize("category", WORKABLE)
def test_an_agent_moves_a_ticket_between_open_categories(category, wanted):
    expected = [
        (
            "StatusChanged",
            {"category": wanted, "previous_category": category, "cause": "requested"},
        )
    ]
    if wanted is category:
        expected = []
    assert when(in_status(category), ChangeStatus(category=wanted)) == expected


def test_a_label_alone_can_change_even_while_new():
    assert when(in_status(C.NEW), ChangeStatus(label="Triage")) == [
        (
            "StatusChanged",
            {
                "category": C.NEW,
                "previous_category": C.NEW,
                "label": "Triage",
                "cause": "requested",
            },
        )
    ]


def test_a_label_stays_behind_with_the_status_it_described():
    ticket = a_ticket(ChangeStatus(category=C.PENDING, label="Invoice"))
    [(_, told)] = when(ticket, ChangeStatus(category=C.OPEN))
    assert told["previous_label"] == "Invoice"
    assert "label" not in told


def test_the_same_status_and_label_again_changes_nothing():
    ticket = a_ticket(ChangeStatus(category=C.PENDING, label="Invoice"))
    assert when(ticket, ChangeStatus(category=C.PENDING, label="Invoice")) == []
    assert when(a_ticket(postpone()), postpone()) == []
    assert when(in_status(C.SOLVED), ChangeStatus(category=C.SOLVED)) == []


@pytest.mark.parametrize("category", [C.OPEN, C.ANSWERED, C.PENDING, C.HOLD, C.POSTPONED])
def test_new_never_returns(category):
    with pytest.raises(NewNeverReturns):
        when(in_status(category), ChangeStatus(category=C.NEW))


@pytest.mark.parametrize("wanted", [C.SOLVED, C.CLOSED])
def test_solved_and_closed_are_asked_for_by_their_own_verbs(wanted):
    with pytest.raises(StatusHasItsOwnVerb):
        when(in_status(C.OPEN), ChangeStatus(category=wanted))


def test_a_solved_ticket_is_not_moved_by_a_status():
    with pytest.raises(TicketIsSolved, match="reopen it first"):
        when(in_status(C.SOLVED), ChangeStatus(category=C.OPEN))


def test_a_closed_ticket_is_not_moved():
    with pytest.raises(TicketIsClosed):
        when(in_status(C.CLOSED), ChangeStatus(category=C.OPEN))


def test_a_postponement_keeps_its_moment():
    assert when(in_status(C.OPEN), postpone(UNTIL)) == [
        (
            "StatusChanged",
            {
                "category": C.POSTPONED,
                "previous_category": C.OPEN,
                "cause": "requested",
                "until": UNTIL,
            },
        )
    ]


def test_a_postponed_ticket_gets_a_label_without_losing_its_date():
    [(_, told)] = when(a_ticket(postpone(UNTIL)), ChangeStatus(label="After the fair"))
    assert (told["label"], told["until"]) == ("After the fair", UNTIL)


def test_a_postponement_without_a_date_is_refused():
    with pytest.raises(PostponementNeedsADate):
        when(in_status(C.OPEN), ChangeStatus(category=C.POSTPONED))


def test_a_date_without_a_postponement_is_refused():
    with pytest.raises(OnlyPostponementHasADate):
        when(in_status(C.OPEN), ChangeStatus(category=C.PENDING, until=UNTIL))


@pytest.mark.parametrize("until", [NOW, NOW - timedelta(seconds=1), NOW + timedelta(days=367)])
def test_a_postponement_into_the_past_or_out_of_sight_is_refused(until):
    with pytest.raises(PostponementIsOutOfRange):
        when(in_status(C.OPEN), postpone(until))


def test_a_postponement_that_is_over_opens_the_ticket():
    assert when(a_ticket(postpone(UNTIL)), EndPostponement(until=UNTIL), at=UNTIL) == [
        (
            "StatusChanged",
            {
                "category": C.OPEN,
                "previous_category": C.POSTPONED,
                "cause": "postponement_over",
            },
        )
    ]


@pytest.mark.parametrize(
    "ticket",
    [
        in_status(C.OPEN),
        in_status(C.SOLVED),
        in_status(C.CLOSED),
        a_ticket(postpone(UNTIL), postpone(UNTIL + timedelta(days=1))),
    ],
)
def test_a_postponement_that_was_given_up_or_renewed_does_not_end(ticket):
    assert when(ticket, EndPostponement(until=UNTIL), at=UNTIL) == []


@pytest.mark.parametrize("category", WORKABLE)
def test_a_ticket_is_solved_with_a_summary(category):
    assert when(in_status(category), Resolve(summary="Put it out", code="fixed")) == [
        (
            "TicketResolved",
            {
                "summary": "Put it out",
                "code": "fixed",
                "previous_category": category,
                "resolution_count": 1,
            },
        )
    ]


def test_solving_it_again_in_the_same_words_changes_nothing():
    assert when(in_status(C.SOLVED), Resolve(summary="Put it out")) == []


def test_solving_a_solved_ticket_in_other_words_is_refused_rather_than_dropped():
    with pytest.raises(TicketIsSolved):
        when(in_status(C.SOLVED), Resolve(summary="Bought a new one"))


def test_a_closed_ticket_is_not_solved():
    with pytest.raises(TicketIsClosed):
        when(in_status(C.CLOSED), Resolve(summary="Put it out"))


@pytest.mark.parametrize("category", [*WORKABLE, C.SOLVED])
def test_any_ticket_can_be_closed(category):
    assert when(in_status(category), Close(reason="spam")) == [
        ("TicketClosed", {"previous_category": category, "reason": "spam"})
    ]


def test_closing_it_again_changes_nothing():
    assert when(in_status(C.CLOSED), Close(reason="confirmed")) == []
    assert when(in_status(C.CLOSED), Close()) == []


def test_closing_a_closed_ticket_for_another_reason_is_refused_rather_than_dropped():
    with pytest.raises(TicketIsClosed):
        when(in_status(C.CLOSED), Close(reason="spam"))


def test_a_solved_ticket_is_reopened_and_counted():
    ticket = a_ticket(Resolve(summary="a"), Reopen(), Resolve(summary="b"))
    assert when(ticket, Reopen(reason="It smokes")) == [
        (
            "TicketReopened",
            {
                "category": C.OPEN,
                "previous_category": C.SOLVED,
                "reopen_count": 2,
                "keeps_owner": True,
                "cause": "requested",
                "reason": "It smokes",
            },
        )
    ]


def test_resolutions_are_counted():
    ticket = a_ticket(Resolve(summary="a"), Reopen())
    [(_, told)] = when(ticket, Resolve(summary="b"))
    assert told["resolution_count"] == 2


def test_reopening_a_reopened_ticket_changes_nothing():
    assert when(a_ticket(Resolve(summary="a"), Reopen()), Reopen()) == []


@pytest.mark.parametrize("category", WORKABLE)
def test_there_is_nothing_to_reopen_on_a_ticket_that_was_not_solved(category):
    with pytest.raises(TicketIsNotSolved, match=f"is {category}"):
        when(in_status(category), Reopen())


def test_a_closed_ticket_stays_closed():
    with pytest.raises(TicketIsClosed):
        when(in_status(C.CLOSED), Reopen())


def test_imported_history_may_tell_that_a_closed_ticket_was_reopened():
    [(name, told)] = when(in_status(C.CLOSED), Reopen(category=C.PENDING), context=IMPORT)
    assert name == "TicketReopened"
    assert (told["category"], told["previous_category"], told["cause"]) == (
        C.PENDING,
        C.CLOSED,
        "imported",
    )


@pytest.mark.parametrize(
    ("category", "refusal"),
    [
        (C.NEW, NewNeverReturns),
        (C.POSTPONED, PostponementNeedsADate),
        (C.SOLVED, StatusHasItsOwnVerb),
        (C.CLOSED, StatusHasItsOwnVerb),
    ],
)
def test_a_ticket_is_not_reopened_as_just_anything(category, refusal):
    with pytest.raises(refusal):
        when(in_status(C.SOLVED), Reopen(category=category))


@pytest.mark.parametrize(
    "command",
    [ChangeStatus(category=C.OPEN), Resolve(summary="a"), Close(), Reopen()],
)
def test_a_merged_ticket_has_no_life_of_its_own(command):
    with pytest.raises(TicketIsMerged):
        when(a_merged_ticket(), command, context=IMPORT)
