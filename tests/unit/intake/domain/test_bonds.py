"""Merges and links: two tickets, two halves."""

import pytest

from services.intake.domain.commands import (
    ChangeStatus,
    LinkTo,
    Merge,
    ReceiveMerge,
    Relation,
    Unlink,
)
from services.intake.domain.refusals import (
    AlreadyLinked,
    TicketIsClosed,
    TicketIsMerged,
    TicketMeetsItself,
    TooManyLinks,
)
from shared.events import StatusCategory as C
from shared.identifiers import new_id
from tests.unit.intake.givens import OTHER, TICKET, a_merged_ticket, a_ticket, in_status, when

MERGE = Merge(into_ticket_id=OTHER, into_number=8)
LINK = LinkTo(other_ticket_id=OTHER, other_number=8, relation=Relation.PARENT)


def receive(*, waiting: bool = False) -> ReceiveMerge:
    return ReceiveMerge(from_ticket_id=OTHER, from_number=8, has_open_customer_message=waiting)


@pytest.mark.parametrize("category", [C.NEW, C.PENDING, C.SOLVED])
def test_a_ticket_that_still_stands_becomes_part_of_another(category):
    assert when(in_status(category), MERGE) == [
        (
            "TicketMerged",
            {"into_ticket_id": OTHER, "into_number": 8, "previous_category": category},
        )
    ]
    assert a_merged_ticket().category is C.CLOSED


def test_merging_into_the_same_ticket_again_changes_nothing():
    assert when(a_merged_ticket(), MERGE) == []


def test_a_merged_ticket_is_not_merged_elsewhere_and_receives_nothing():
    elsewhere = Merge(into_ticket_id=new_id(), into_number=9)
    for command in (elsewhere, receive()):
        with pytest.raises(TicketIsMerged):
            when(a_merged_ticket(), command)


def test_a_closed_ticket_is_neither_merged_nor_receives():
    for command in (MERGE, receive()):
        with pytest.raises(TicketIsClosed):
            when(in_status(C.CLOSED), command)


def test_a_ticket_is_not_joined_with_itself():
    for command in (
        Merge(into_ticket_id=TICKET, into_number=7),
        LinkTo(other_ticket_id=TICKET, other_number=7, relation=Relation.RELATED),
    ):
        with pytest.raises(TicketMeetsItself):
            when(a_ticket(), command)


def test_an_answered_ticket_that_receives_an_unanswered_message_is_open():
    assert when(in_status(C.ANSWERED), receive(waiting=True)) == [
        (
            "MergeReceived",
            {"from_ticket_id": OTHER, "from_number": 8, "has_open_customer_message": True},
        ),
        (
            "StatusChanged",
            {
                "category": C.OPEN,
                "previous_category": C.ANSWERED,
                "cause": "customer_replied",
            },
        ),
    ]


@pytest.mark.parametrize("category", [C.NEW, C.PENDING, C.HOLD, C.SOLVED])
def test_a_status_that_an_agent_chose_survives_a_merge(category):
    names = [name for name, _ in when(in_status(category), receive(waiting=True))]
    assert names == ["MergeReceived"]


def test_a_merge_that_brings_nothing_unanswered_moves_nothing():
    assert [name for name, _ in when(in_status(C.ANSWERED), receive())] == ["MergeReceived"]


@pytest.mark.parametrize("category", [C.NEW, C.CLOSED])
def test_a_link_is_made_also_to_a_closed_ticket(category):
    assert when(in_status(category), LINK) == [
        ("TicketLinked", {"other_ticket_id": OTHER, "other_number": 8, "relation": "parent"})
    ]


def test_the_same_link_again_changes_nothing():
    assert when(a_ticket(LINK), LINK) == []


def test_two_tickets_have_one_relation_at_a_time():
    other = LinkTo(other_ticket_id=OTHER, other_number=8, relation=Relation.CHILD)
    with pytest.raises(AlreadyLinked, match="already has ticket 8 as parent"):
        when(a_ticket(LINK), other)


def test_links_have_a_limit():
    links = [
        LinkTo(other_ticket_id=new_id(), other_number=n, relation=Relation.RELATED)
        for n in range(100)
    ]
    with pytest.raises(TooManyLinks):
        when(a_ticket(*links), LINK)


def test_a_link_is_taken_away_with_the_relation_it_had():
    assert when(a_ticket(LINK), Unlink(other_ticket_id=OTHER)) == [
        ("TicketUnlinked", {"other_ticket_id": OTHER, "other_number": 8, "relation": "parent"})
    ]
    assert a_ticket(LINK, Unlink(other_ticket_id=OTHER)).links == ()


def test_taking_away_what_is_not_there_changes_nothing():
    assert when(a_ticket(), Unlink(other_ticket_id=OTHER)) == []


@pytest.mark.parametrize("relation", Relation)
def test_every_relation_has_a_reverse_whose_reverse_it_is(relation):
    assert relation.reverse.reverse is relation


def test_a_merge_takes_the_postponement_with_it():
    from tests.unit.intake.givens import postpone

    assert a_ticket(postpone(), MERGE).until is None
    assert a_ticket(postpone(), ChangeStatus(category=C.OPEN)).until is None
