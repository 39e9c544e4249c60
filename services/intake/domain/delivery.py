"""What became of a message on its way out."""

from typing import assert_never

from services.intake.domain.commands import RecordNotDelivered, RecordSent
from services.intake.domain.context import Stamps
from shared.events.tickets import MessageNotDelivered, MessageSent, TicketEvent


def decide(command: RecordSent | RecordNotDelivered, stamps: Stamps) -> list[TicketEvent]:
    """The fact; it moves nothing, and no rule of the ticket can undo what has happened to a mail."""
    match command:
        case RecordSent():
            return [
                MessageSent(
                    **stamps.next(),
                    message_id=command.message_id,
                    kind=command.kind,
                    sent_by=command.sent_by,
                    recipients=command.recipients,
                    mail_id=command.mail_id,
                )
            ]
        case RecordNotDelivered():
            return [
                MessageNotDelivered(
                    **stamps.next(),
                    message_id=command.message_id,
                    kind=command.kind,
                    sent_by=command.sent_by,
                    recipients=command.recipients,
                    cause=command.cause,
                    reason=command.reason,
                    code=command.code,
                )
            ]
        case _:
            assert_never(command)
