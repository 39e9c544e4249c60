"""Who writes what, and how the word moves the status."""

from datetime import datetime
from typing import assert_never

from services.intake.domain import courtesy, life
from services.intake.domain.commands import (
    AddAgentReply,
    AddCustomerReply,
    AddNote,
    ChangeStatus,
    RecordMessage,
    Resolve,
)
from services.intake.domain.context import Context, Stamps
from services.intake.domain.refusals import (
    AnswerCrossed,
    ReopenWindowIsOver,
    TicketIsClosed,
    TicketIsInternal,
)
from services.intake.domain.standing import refuse_closed, refuse_merged
from services.intake.domain.status import AFTER_AN_AGENT_SPOKE, AFTER_THE_CUSTOMER_SPOKE, ENDED
from services.intake.domain.ticket import Ticket
from shared.events import StatusCategory
from shared.events.tickets import (
    AgentReplied,
    Courtesy,
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
    context: Context,
) -> list[TicketEvent]:
    """The message, and the move of the status that it brings about.

    Raises:
        TicketIsMerged, TicketIsClosed: nobody reads replies there any more. Notes, what is only
            recorded, and a bare "thank you" from the customer are always taken.
        ReopenWindowIsOver: the customer's reply is a follow-up (see `is_follow_up`).
        TicketIsInternal: there is no customer to write to, and none who writes.
    """
    match command:
        case AddCustomerReply():
            return _customer_reply(ticket, command, stamps, at, context)
        case AddAgentReply():
            return _agent_reply(ticket, command, stamps, at, context)
        case AddNote():
            return [
                NoteAdded(
                    **stamps.next(),
                    message_id=command.message_id,
                    body=command.body,
                    attachments=command.attachments,
                    quotes=command.quotes,
                    copied=command.copied,
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


def refuse_crossing(ticket: Ticket, seen_version: int | None, writer_id: str) -> None:
    """Refuse what was written without having read somebody else's answer; one's own is known.

    Raises:
        AnswerCrossed: with who and when.
    """
    answer = ticket.last_answer
    if seen_version is None or answer is None or answer.by_id == writer_id:
        return
    if answer.version > seen_version:
        raise AnswerCrossed(ticket.number, answer, seen_version)


def is_follow_up(ticket: Ticket, command: AddCustomerReply, at: datetime, context: Context) -> bool:
    """Whether the customer's reply comes too late to be taken up here: it opens a ticket of its own."""
    if context.is_import or ticket.merged_into is not None or ticket.is_internal:
        return False
    if not _is_over(ticket, at):
        return False
    return _courtesy(ticket, command, context) is None


def _is_over(ticket: Ticket, at: datetime) -> bool:
    if ticket.category is StatusCategory.SOLVED:
        return ticket.reopen_until is not None and at > ticket.reopen_until
    return ticket.category is StatusCategory.CLOSED


def _courtesy(ticket: Ticket, command: AddCustomerReply, context: Context) -> Courtesy | None:
    if ticket.category not in ENDED or context.is_import or command.copied is not None:
        return None
    if not context.terms.policy.courtesy:
        return None
    names = (ticket.solved_by, ticket.requester.name, context.actor.name)
    return courtesy.thank_you(command.body, names=[name for name in names if name])


def _customer_reply(
    ticket: Ticket, command: AddCustomerReply, stamps: Stamps, at: datetime, context: Context
) -> list[TicketEvent]:
    refuse_merged(ticket)
    if ticket.is_internal:
        raise TicketIsInternal(ticket.number)
    thanks = _courtesy(ticket, command, context)
    if thanks is None and not context.is_import and _is_over(ticket, at):
        if ticket.category is StatusCategory.SOLVED and ticket.reopen_until is not None:
            raise ReopenWindowIsOver(ticket.number, ticket.reopen_until)
        raise TicketIsClosed(ticket.number)
    if thanks is None:
        refuse_closed(ticket)
    events: list[TicketEvent] = [
        CustomerReplied(
            **stamps.next(),
            message_id=command.message_id,
            body=command.body,
            attachments=command.attachments,
            mail=command.mail,
            is_third_party=command.is_third_party,
            courtesy=thanks,
            quotes=command.quotes,
            written_to=command.written_to,
            copied=command.copied,
        )
    ]
    if thanks is not None:
        return events
    wanted = AFTER_THE_CUSTOMER_SPOKE[ticket.category]
    if ticket.category is StatusCategory.SOLVED:
        events.append(
            TicketReopened(
                **stamps.next(),
                category=wanted,
                previous_category=ticket.category,
                reopen_count=ticket.reopen_count + 1,
                cause="customer_replied",
                keeps_owner=context.terms.keeps_owner,
            )
        )
    elif wanted is not ticket.category:
        events.append(life.moved(ticket, wanted, stamps, cause="customer_replied"))
    return events


def _agent_reply(
    ticket: Ticket, command: AddAgentReply, stamps: Stamps, at: datetime, context: Context
) -> list[TicketEvent]:
    refuse_closed(ticket)
    if ticket.is_internal:
        raise TicketIsInternal(ticket.number)
    refuse_crossing(ticket, command.seen_version, context.actor.id)
    events: list[TicketEvent] = [
        AgentReplied(
            **stamps.next(),
            message_id=command.message_id,
            body=command.body,
            is_automatic=command.is_automatic,
            attachments=command.attachments,
            quotes=command.quotes,
            written_to=command.written_to,
            copied=command.copied,
            leaves_by=None if command.copied is not None else context.leaves_by,
            sources=command.sources,
        )
    ]
    match command.then:
        case ChangeStatus() | Resolve() as then:
            events += life.decide(ticket, then, stamps, at, context)
        case None if not command.is_automatic:
            wanted = AFTER_AN_AGENT_SPOKE[ticket.category]
            if wanted is not ticket.category:
                events.append(life.moved(ticket, wanted, stamps, cause="agent_replied"))
        case None:
            pass
    return events
