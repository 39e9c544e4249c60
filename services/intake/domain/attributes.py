"""What is said about a ticket: priority, type, subject, custom fields, tags."""

from typing import Any, assert_never

from services.intake.domain import limits
from services.intake.domain.commands import (
    ChangeFields,
    ChangePriority,
    ChangeSubject,
    ChangeTags,
    ChangeType,
)
from services.intake.domain.context import Context, Stamps
from services.intake.domain.refusals import TooManyFields, TooManyTags
from services.intake.domain.standing import refuse_closed, refuse_merged
from services.intake.domain.ticket import Ticket
from shared.events.tickets import (
    Changed,
    FieldsChanged,
    PriorityChanged,
    SubjectChanged,
    TagsChanged,
    TicketEvent,
    TypeChanged,
)


def decide(  # noqa: PLR0911 - one arm a command
    ticket: Ticket,
    command: ChangePriority | ChangeType | ChangeSubject | ChangeFields | ChangeTags,
    stamps: Stamps,
    context: Context,
) -> list[TicketEvent]:
    """The change with the value before, or nothing when it says so already.

    Raises:
        TicketIsMerged, TicketIsClosed: it has ended; only imported history still changes a closed one.
        TooManyTags, TooManyFields: the result would be larger than a ticket may be.
        Invalid: a field is not what its definition says.
    """
    if context.is_import:
        refuse_merged(ticket)
    else:
        refuse_closed(ticket)
    match command:
        case ChangePriority(priority=priority):
            if priority is ticket.priority:
                return []
            return [PriorityChanged(**stamps.next(), priority=priority, previous=ticket.priority)]
        case ChangeType(ticket_type=ticket_type):
            if ticket_type == ticket.ticket_type:
                return []
            return [
                TypeChanged(**stamps.next(), ticket_type=ticket_type, previous=ticket.ticket_type)
            ]
        case ChangeSubject(subject=subject):
            if subject == ticket.subject:
                return []
            return [SubjectChanged(**stamps.next(), subject=subject, previous=ticket.subject)]
        case ChangeFields():
            if not context.is_import:
                context.definitions.check_change(ticket.ticket_type, ticket.fields, command.fields)
            return _change_fields(ticket, command, stamps)
        case ChangeTags():
            return _change_tags(ticket, command, stamps)
        case _:
            assert_never(command)


def _change_fields(ticket: Ticket, command: ChangeFields, stamps: Stamps) -> list[TicketEvent]:
    changes = {
        name: Changed(value=value, previous=ticket.fields.get(name))
        for name, value in command.fields.items()
        if not _is_same(value, ticket.fields.get(name))
    }
    if not changes:
        return []
    named = ticket.fields.keys() | changes.keys()
    removed = [name for name, changed in changes.items() if changed.value is None]
    if len(named) - len(removed) > limits.FIELDS_MAX:
        raise TooManyFields(limits.FIELDS_MAX)
    return [FieldsChanged(**stamps.next(), changes=changes)]


def _is_same(value: Any, previous: Any) -> bool:
    """Equal in JSON: Python alone would take `true` for `1` and `1` for `1.0`."""
    if isinstance(value, list) and isinstance(previous, list):
        return len(value) == len(previous) and all(map(_is_same, value, previous))
    return type(value) is type(previous) and bool(value == previous)


def _change_tags(ticket: Ticket, command: ChangeTags, stamps: Stamps) -> list[TicketEvent]:
    before = set(ticket.tags)
    after = before if command.tags is None else set(command.tags)
    after = (after | set(command.add)) - set(command.remove)
    if after == before:
        return []
    if len(after) > limits.TAGS_MAX:
        raise TooManyTags(limits.TAGS_MAX)
    return [
        TagsChanged(
            **stamps.next(),
            tags=tuple(sorted(after)),
            added=tuple(sorted(after - before)),
            removed=tuple(sorted(before - after)),
        )
    ]
