"""Who writes what, and how the word moves the status."""

from datetime import datetime
from typing import assert_never

from services.intake.domain import life
from services.intake.domain.commands import (
    AddAgentReply,
    AddCustomerReply,
    AddNote,
    ChangeStatus,
    RecordMessage,
    Resolve,
)
from services.intake.domain.context import Stamps
from services.intake.domain.standing import refuse_closed
from services.intake.domain.status import AFTER_AN_AGENT_SPOKE, AFTER_THE_CUSTOMER_SPOKE
from services.intake.domain.ticket import Ticket
from shared.events import StatusCategory
from shared.events.tickets import (
    AgentReplied,
    CustomerReplied,
    MessageRecorded,
    NoteAdded,
    TicketEvent,
    TicketReopened,
)


def decide(
    ticket: Ticket,
    command: AddCustomerReply | AddAgentReply | AddNote | RecordMessage,
    stamps: Stamps,
    at: datetime,
) -> list[TicketEvent]:
    """The message, and the move of the status that it brings about.

    Raises:
        TicketIsMerged, TicketIsClosed: nobody reads replies there any more. Notes and what is only
            recorded are always taken.
    """
    match command:
        case AddCustomerReply():
            return _customer_reply(ticket, command, stamps)
        case AddAgentReply():
            return _agent_reply(ticket, command, stamps, at)
        case AddNote():
            return [
                NoteAdded(
                    **stamps.next(),
                    message_id=command.message_id,
                    body=command.body,
                    attachments=command.attachments,
                )
            ]
        case RecordMessage():
            return [
                MessageRecorded(
                    **stamps.next(),
                    message_id=command.message_id,
                    body=command.body,
                    kind=command.kind,
                    reason=command.reason,
                    failed_recipients=command.failed_recipients,
                    attachments=command.attachments,
                    mail=command.mail,
                )
            ]
        case _:
            assert_never(command)


def _customer_reply(ticket: Ticket, command: AddCustomerReply, stamps: Stamps) -> list[TicketEvent]:
    refuse_closed(ticket)
    events: list[TicketEvent] = [
        CustomerReplied(
            **stamps.next(),
            message_id=command.message_id,
            body=command.body,
            attachments=command.attachments,
            mail=command.mail,
            is_third_party=command.is_third_party,
        )
    ]
    wanted = AFTER_THE_CUSTOMER_SPOKE[ticket.category]
    if ticket.category is StatusCategory.SOLVED:
        events.append(
            TicketReopened(
                **stamps.next(),
                category=wanted,
                previous_category=ticket.category,
                reopen_count=ticket.reopen_count + 1,
                cause="customer_replied",
            )
        )
    elif wanted is not ticket.category:
        events.append(life.moved(ticket, wanted, stamps, cause="customer_replied"))
    return events


def _agent_reply(
    ticket: Ticket, command: AddAgentReply, stamps: Stamps, at: datetime
) -> list[TicketEvent]:
    refuse_closed(ticket)
    events: list[TicketEvent] = [
        AgentReplied(
            **stamps.next(),
            message_id=command.message_id,
            body=command.body,
            is_automatic=command.is_automatic,
            attachments=command.attachments,
        )
    ]
    match command.then:
        case ChangeStatus() | Resolve() as then:
            events += life.decide(ticket, then, stamps, at, is_import=False)
        case None if not command.is_automatic:
            wanted = AFTER_AN_AGENT_SPOKE[ticket.category]
            if wanted is not ticket.category:
                events.append(life.moved(ticket, wanted, stamps, cause="agent_replied"))
        case None:
            pass
    return events
