"""The rules: a ticket and a command in, the events that follow out, or a refusal that names the fact."""

from datetime import datetime
from typing import assert_never

from services.intake.domain import (
    attributes,
    bonds,
    conversation,
    delivery,
    life,
    notices,
    participants,
    satisfaction,
    tasks,
)
from services.intake.domain.commands import (
    AddAgentReply,
    AddCustomerReply,
    AddNote,
    AddParticipant,
    AddTask,
    ChangeFields,
    ChangePriority,
    ChangeStatus,
    ChangeSubject,
    ChangeTags,
    ChangeTask,
    ChangeType,
    Close,
    CloseWhenDue,
    Command,
    Confirm,
    EndPostponement,
    ForgetMerge,
    LinkTo,
    Merge,
    OfferSurvey,
    RateSatisfaction,
    ReceiveMerge,
    RecordMessage,
    RecordNotDelivered,
    RecordSent,
    RemoveParticipant,
    RemoveTask,
    Reopen,
    RequestGroup,
    RequestNotice,
    Resolve,
    SetFamilyRule,
    SplitOff,
    Together,
    UndoSplit,
    Unlink,
    Unmerge,
)
from services.intake.domain.context import Context, Stamps
from services.intake.domain.standing import refuse_closed
from services.intake.domain.ticket import Ticket, evolve
from shared.events.steps import GroupRequested
from shared.events.tickets import TicketEvent


def decide(  # noqa: PLR0911 - one arm a room
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
            return conversation.decide(ticket, command, stamps, at, context)
        case RecordSent() | RecordNotDelivered():
            return delivery.decide(command, stamps)
        case (
            ChangeStatus()
            | Resolve()
            | Close()
            | Reopen()
            | EndPostponement()
            | Confirm()
            | CloseWhenDue()
            | SetFamilyRule()
        ):
            return life.decide(ticket, command, stamps, at, context)
        case ChangePriority() | ChangeType() | ChangeSubject() | ChangeFields() | ChangeTags():
            return attributes.decide(ticket, command, stamps, context)
        case (
            Merge()
            | ReceiveMerge()
            | LinkTo()
            | Unlink()
            | Unmerge()
            | ForgetMerge()
            | SplitOff()
            | UndoSplit()
        ):
            return bonds.decide(ticket, command, stamps)
        case AddTask() | ChangeTask() | RemoveTask():
            return tasks.decide(ticket, command, stamps)
        case AddParticipant() | RemoveParticipant():
            return participants.decide(ticket, command, stamps)
        case OfferSurvey() | RateSatisfaction():
            return satisfaction.decide(ticket, command, stamps, at, context)
        case RequestNotice():
            return [*notices.decide(command, stamps, context)]
        case RequestGroup():
            refuse_closed(ticket)
            return [
                GroupRequested(
                    **stamps.next(),
                    group_id=command.group_id,
                    previous_group_id=command.previous_group_id,
                )
            ]
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
