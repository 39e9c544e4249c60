"""The rules: a ticket and a command in, the events that follow out, or a refusal that names the fact."""

from datetime import datetime
from typing import assert_never

from services.intake.domain import attributes, bonds, conversation, life
from services.intake.domain.commands import (
    AddAgentReply,
    AddCustomerReply,
    AddNote,
    ChangeFields,
    ChangePriority,
    ChangeStatus,
    ChangeSubject,
    ChangeTags,
    ChangeType,
    Close,
    Command,
    EndPostponement,
    LinkTo,
    Merge,
    ReceiveMerge,
    RecordMessage,
    Reopen,
    Resolve,
    Together,
    Unlink,
)
from services.intake.domain.context import Context, Stamps
from services.intake.domain.ticket import Ticket, evolve
from shared.events.tickets import TicketEvent


def decide(
    ticket: Ticket, command: Command, *, context: Context, at: datetime
) -> list[TicketEvent]:
    """What follows from the command. No event: it changes nothing.

    `at` is when it happened in the world (aware UTC).

    Raises:
        Refused: one of `refusals`; nothing happens then.
    """
    if isinstance(command, Together):
        return _together(ticket, command, context=context, at=at)
    stamps = Stamps(ticket.id, ticket.version, context, at)
    match command:
        case AddCustomerReply() | AddAgentReply() | AddNote() | RecordMessage():
            return conversation.decide(ticket, command, stamps, at)
        case ChangeStatus() | Resolve() | Close() | Reopen() | EndPostponement():
            return life.decide(ticket, command, stamps, at, is_import=context.is_import)
        case ChangePriority() | ChangeType() | ChangeSubject() | ChangeFields() | ChangeTags():
            return attributes.decide(ticket, command, stamps, is_import=context.is_import)
        case Merge() | ReceiveMerge() | LinkTo() | Unlink():
            return bonds.decide(ticket, command, stamps)
        case _:
            assert_never(command)


def _together(
    ticket: Ticket, command: Together, *, context: Context, at: datetime
) -> list[TicketEvent]:
    events: list[TicketEvent] = []
    for part in command.commands:
        for event in decide(ticket, part, context=context, at=at):
            ticket = evolve(ticket, event)
            events.append(event)
    return events
