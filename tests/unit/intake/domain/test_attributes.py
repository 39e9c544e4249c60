"""What is said about a ticket, each change with the value before."""

import pytest

from services.intake.domain.commands import (
    ChangeFields,
    ChangePriority,
    ChangeStatus,
    ChangeSubject,
    ChangeTags,
    ChangeType,
    Together,
)
from services.intake.domain.refusals import (
    NewNeverReturns,
    TicketIsClosed,
    TicketIsMerged,
    TooManyFields,
    TooManyTags,
)
from shared.events import Priority
from shared.events import StatusCategory as C
from shared.events.tickets import Changed
from tests.unit.intake.givens import (
    IMPORT,
    a_merged_ticket,
    a_ticket,
    after,
    circumstances,
    in_status,
    when,
)

EVERY = [
    ChangePriority(priority=Priority.URGENT),
    ChangeType(ticket_type="incident"),
    ChangeSubject(subject="Fire in room 7"),
    ChangeFields(fields={"site": "Berlin"}),
    ChangeTags(add=("fire",)),
]


def test_every_change_carries_the_value_before():
    ticket = a_ticket(ticket_type="question", fields={"site": "Bonn"}, tags=("old",))
    assert [when(ticket, command) for command in EVERY] == [
        [("PriorityChanged", {"priority": Priority.URGENT, "previous": Priority.NORMAL})],
        [("TypeChanged", {"ticket_type": "incident", "previous": "question"})],
        [("SubjectChanged", {"subject": "Fire in room 7", "previous": "Printer on fire"})],
        [("FieldsChanged", {"changes": {"site": Changed("Berlin", "Bonn")}})],
        [("TagsChanged", {"tags": ("fire", "old"), "added": ("fire",), "removed": ()})],
    ]


@pytest.mark.parametrize("command", EVERY)
def test_the_same_again_changes_nothing(command):
    assert when(a_ticket(command), command) == []


@pytest.mark.parametrize("command", EVERY)
def test_a_solved_ticket_can_still_be_described_better(command):
    assert len(when(in_status(C.SOLVED), command)) == 1


@pytest.mark.parametrize("command", EVERY)
def test_a_closed_ticket_is_described_for_good(command):
    with pytest.raises(TicketIsClosed):
        when(in_status(C.CLOSED), command)


@pytest.mark.parametrize("command", EVERY)
def test_imported_history_still_changes_a_closed_ticket_but_not_a_merged_one(command):
    assert len(when(in_status(C.CLOSED), command, context=IMPORT)) == 1
    with pytest.raises(TicketIsMerged):
        when(a_merged_ticket(), command, context=IMPORT)


def test_a_field_is_removed_by_null_and_the_others_stay():
    ticket = a_ticket(fields={"site": "Bonn", "room": 7})
    change = ChangeFields(fields={"site": None, "floor": None})
    assert when(ticket, change) == [("FieldsChanged", {"changes": {"site": Changed(None, "Bonn")}})]
    assert a_ticket(change, fields={"site": "Bonn", "room": 7}).fields == {"room": 7}


@pytest.mark.parametrize(("before", "wanted"), [(1, True), (0, False), (1, 1.0), ([1], [True])])
def test_values_that_differ_in_json_differ(before, wanted):
    [(_, told)] = when(a_ticket(fields={"x": before}), ChangeFields(fields={"x": wanted}))
    assert told["changes"] == {"x": Changed(wanted, before)}


def test_fields_and_tags_have_a_limit_that_counts_what_is_there():
    many = {f"f{n}": n for n in range(100)}
    ticket = a_ticket(fields=many, tags=tuple(f"t{n}" for n in range(50)))
    with pytest.raises(TooManyFields, match="at most 100"):
        when(ticket, ChangeFields(fields={"one-more": 1}))
    with pytest.raises(TooManyTags, match="at most 50"):
        when(ticket, ChangeTags(add=("one-more",)))
    assert len(when(ticket, ChangeFields(fields={"one-more": 1, "f0": None}))) == 1
    assert len(when(ticket, ChangeTags(add=("one-more",), remove=("t0",)))) == 1


def test_tags_are_replaced_added_and_removed_in_this_order():
    ticket = a_ticket(tags=("a", "b"))
    assert when(ticket, ChangeTags(tags=("c", "d"), add=("e",), remove=("d",))) == [
        ("TagsChanged", {"tags": ("c", "e"), "added": ("c", "e"), "removed": ("a", "b")})
    ]


def test_changes_that_belong_together_happen_in_order_with_consecutive_versions():
    from services.intake.domain import decide
    from tests.unit.intake.givens import NOW

    ticket = a_ticket()
    together = Together(
        commands=(
            ChangePriority(priority=Priority.HIGH),
            ChangePriority(priority=Priority.URGENT),
            ChangeStatus(category=C.OPEN),
        )
    )
    events = decide(ticket, together, context=circumstances(), at=NOW)
    assert [event.version for event in events] == [2, 3, 4]
    assert events[1].previous is Priority.HIGH
    assert after(ticket, events).category is C.OPEN


def test_changes_that_belong_together_are_refused_together():
    together = Together(
        commands=(ChangePriority(priority=Priority.HIGH), ChangeStatus(category=C.NEW))
    )
    with pytest.raises(NewNeverReturns):
        when(in_status(C.OPEN), together)
