"""Whatever is asked of a ticket, in whatever order, its history stays whole."""

from datetime import timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.domain import Ticket, decide, evolve, open_ticket
from services.intake.domain import commands as c
from services.intake.domain.parts import Link
from shared.errors import Refused
from shared.events import Channel, Priority, StatusCategory, codec
from shared.events import tickets as e
from shared.events.tickets import Person
from shared.identifiers import derived_id
from tests.unit.intake.givens import MESSAGE, NOW, TICKET, circumstances, to_open

others = st.sampled_from([TICKET, *(derived_id("test", n) for n in range(3))])
untils = st.sampled_from([None, *(NOW + timedelta(hours=h) for h in (-1, 1, 2, 24 * 500))])
words = st.sampled_from(["a", "b", "c"])
values = st.sampled_from([None, 0, False, "x", 1.5, [1, "x"]])
statuses = st.builds(
    c.ChangeStatus,
    category=st.sampled_from([None, *StatusCategory]),
    label=st.none() | words,
    until=untils,
)
resolutions = st.builds(c.Resolve, summary=words, code=st.none() | words)
simple = st.one_of(
    statuses,
    resolutions,
    st.builds(c.AddCustomerReply, message_id=st.just(MESSAGE), body=words),
    st.builds(
        c.AddAgentReply,
        message_id=st.just(MESSAGE),
        body=words,
        is_automatic=st.booleans(),
        then=st.none() | statuses | resolutions,
    ),
    st.builds(c.AddNote, message_id=st.just(MESSAGE), body=words),
    st.builds(c.ChangePriority, priority=st.sampled_from(Priority)),
    st.builds(c.ChangeType, ticket_type=st.none() | words),
    st.builds(c.ChangeSubject, subject=words),
    st.builds(c.ChangeFields, fields=st.dictionaries(words, values)),
    st.builds(
        c.ChangeTags,
        tags=st.none() | st.lists(words).map(tuple),
        add=st.lists(words).map(tuple),
        remove=st.lists(words).map(tuple),
    ),
    st.builds(c.Close, reason=st.none() | words),
    st.builds(c.Reopen, category=st.sampled_from(StatusCategory)),
    st.builds(c.Merge, into_ticket_id=others, into_number=st.just(8)),
    st.builds(
        c.ReceiveMerge,
        from_ticket_id=others,
        from_number=st.just(8),
        has_open_customer_message=st.booleans(),
    ),
    st.builds(
        c.LinkTo,
        other_ticket_id=others,
        other_number=st.just(8),
        relation=st.sampled_from(c.Relation),
    ),
    st.builds(c.Unlink, other_ticket_id=others),
    st.builds(c.EndPostponement, until=untils.filter(bool)),
    st.just(c.Confirm()),
    st.builds(c.CloseWhenDue, close_at=untils.filter(bool)),
    st.just(c.Unmerge()),
    st.builds(c.ForgetMerge, other_ticket_id=others, other_number=st.just(8)),
    st.builds(
        c.SplitOff,
        into_ticket_id=others,
        into_number=st.just(8),
        message_ids=st.just((MESSAGE,)),
    ),
    st.builds(c.UndoSplit, into_ticket_id=others),
    st.builds(c.SetFamilyRule, waits_for_children=st.booleans()),
    st.builds(c.AddTask, task_id=others, title=words, due_at=untils),
    st.builds(
        c.ChangeTask,
        task_id=others,
        changes=st.fixed_dictionaries(
            {}, optional={"title": words, "is_done": st.booleans(), "due_at": untils}
        ),
    ),
    st.builds(c.RemoveTask, task_id=others),
    st.builds(
        c.AddParticipant,
        person=st.builds(Person, id=words),
        role=st.sampled_from(c.ParticipantRole),
    ),
    st.builds(c.RemoveParticipant, person_id=words),
)
commands = simple | st.lists(simple, max_size=4).map(lambda some: c.Together(commands=tuple(some)))
sequences = st.lists(
    st.tuples(commands, st.sampled_from([Channel.AGENT, Channel.IMPORT])), max_size=25
)


@settings(max_examples=300, deadline=None)
@given(sequences)
def test_any_sequence_of_commands_leaves_a_whole_history(sequence):
    first = open_ticket(to_open(), number=7, context=circumstances(), at=NOW)
    ticket = evolve(None, first)
    history: list[e.TicketEvent] = [first]
    for command, via in sequence:
        context = circumstances(via=via)
        try:
            events = decide(ticket, command, context=context, at=NOW)
        except Refused:
            continue
        for event in events:
            assert event.version == ticket.version + 1
            assert event.ticket_id == ticket.id
            assert _previous_is_right(ticket, event), event
            assert ticket.category is not StatusCategory.CLOSED or _may_follow_the_end(event, via)
            ticket = evolve(ticket, event)
            history.append(event)
        _is_consistent(ticket)
        assert _kept(ticket) == ticket
    assert _replayed(history) == ticket


def _is_consistent(ticket: Ticket) -> None:
    assert (ticket.until is not None) == (ticket.category is StatusCategory.POSTPONED)
    assert (ticket.summary is not None) <= (
        ticket.category is StatusCategory.SOLVED or ticket.merged_into is not None
    )
    assert (ticket.merged_into is None) or ticket.category is StatusCategory.CLOSED
    assert ticket.merged_into != ticket.id
    assert list(ticket.tags) == sorted(set(ticket.tags))
    assert None not in ticket.fields.values()
    assert len({link.ticket_id for link in ticket.links}) == len(ticket.links)


def _may_follow_the_end(event: e.TicketEvent, via: Channel) -> bool:  # noqa: PLR0911
    match event:
        case e.NoteAdded() | e.TicketLinked() | e.TicketUnlinked() | e.TicketUnmerged():
            return True
        case e.MergeUndone() | e.MessagesSplit() | e.SplitUndone():
            return True
        case e.TaskAdded() | e.TaskChanged() | e.TaskRemoved():
            return True
        case e.CustomerReplied():
            return event.courtesy is not None
        case e.TicketReopened() | e.PriorityChanged() | e.TypeChanged() | e.SubjectChanged():
            return via is Channel.IMPORT
        case e.FieldsChanged() | e.TagsChanged():
            return via is Channel.IMPORT
        case _:
            return False


def _previous_is_right(ticket: Ticket, event: e.TicketEvent) -> bool:  # noqa: PLR0911
    match event:
        case e.StatusChanged():
            return (event.previous_category, event.previous_label) == (
                ticket.category,
                ticket.label,
            )
        case e.TicketResolved() | e.TicketClosed() | e.TicketReopened() | e.TicketMerged():
            return event.previous_category is ticket.category
        case e.TicketUnmerged():
            return event.previous_category is ticket.category and event.from_ticket_id == (
                ticket.merged_into
            )
        case e.TaskChanged():
            task = ticket.task(event.task_id)
            return task is not None and all(
                getattr(task, name) == change.previous != change.value
                for name, change in event.changes.items()
            )
        case e.FamilyRuleChanged():
            return event.previous is ticket.waits_for_children is not event.waits_for_children
        case e.PriorityChanged():
            return event.previous is ticket.priority is not event.priority
        case e.TypeChanged():
            return event.previous == ticket.ticket_type != event.ticket_type
        case e.SubjectChanged():
            return event.previous == ticket.subject != event.subject
        case e.FieldsChanged():
            return all(ticket.fields.get(n) == v.previous for n, v in event.changes.items())
        case e.TagsChanged():
            before = (set(event.tags) - set(event.added)) | set(event.removed)
            return before == set(ticket.tags) and not set(event.added) & set(ticket.tags)
        case e.TicketUnlinked():
            link = Link(event.other_ticket_id, event.other_number, event.relation)
            return link in ticket.links
        case _:
            return True


def _replayed(history: list[e.TicketEvent]) -> Ticket:
    """The state again, from the bytes that would be stored."""
    state: Ticket | None = None
    for event in history:
        again = codec.decode(event.wire_type, codec.encode(event))
        state = evolve(state, again)
    assert state is not None
    return state


def _kept(ticket: Ticket) -> Ticket:
    """As a snapshot gives it back."""
    return msgspec.json.decode(msgspec.json.encode(ticket), type=Ticket)
