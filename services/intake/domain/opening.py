"""How a ticket begins."""

from datetime import datetime

from services.intake.domain import limits
from services.intake.domain.commands import OpenTicket
from services.intake.domain.context import Context, Stamps
from services.intake.domain.refusals import (
    NobodyOutsideToWriteTo,
    OpeningStatusIsNotPossible,
    TooManyTags,
)
from services.intake.domain.status import OPENING
from shared.events import StatusCategory
from shared.events.tickets import TicketOpened


def open_ticket(
    command: OpenTicket, *, number: int, context: Context, at: datetime
) -> TicketOpened:
    """The first event of a ticket.

    `number` is the one for people, drawn for this ticket; `at` is when the request came, in the world.

    Raises:
        Refused: what `check_opening` says.
    """
    check_opening(command, context)
    return TicketOpened(
        **Stamps(command.ticket_id, 0, context, at).next(),
        number=number,
        subject=command.subject,
        message_id=command.message_id,
        body=command.body,
        requester=command.requester,
        priority=command.priority,
        category=_category(command),
        label=command.label,
        ticket_type=command.ticket_type,
        tags=tuple(sorted(set(command.tags))),
        fields={name: value for name, value in command.fields.items() if value is not None},
        language=command.language,
        is_outbound=command.is_outbound,
        external_id=command.external_id,
        attachments=command.attachments,
        mail=command.mail,
        is_internal=command.is_internal,
        form=command.form,
        origin=command.origin,
        leaves_by=context.leaves_by if command.is_outbound else None,
    )


def check_opening(command: OpenTicket, context: Context) -> None:
    """Whether a ticket may begin like this; asked before a number is drawn for it.

    Raises:
        OpeningStatusIsNotPossible: it would begin postponed, solved or closed.
        TooManyTags: more than a ticket may have.
        NobodyOutsideToWriteTo: it would be internal and outbound.
        Invalid: a field is not what its definition says, or is missing; imported history and mails may be so.
    """
    if command.category is not None and command.category not in OPENING:
        raise OpeningStatusIsNotPossible(command.category)
    if len(set(command.tags)) > limits.TAGS_MAX:
        raise TooManyTags(limits.TAGS_MAX)
    if command.is_internal and command.is_outbound:
        raise NobodyOutsideToWriteTo
    # A mail or a call answers no questions: what it lacks is for agents to ask, and no reason to turn it away.
    is_asked = command.mail is None and not command.asks_nothing
    if not context.is_import and command.origin is None and is_asked:
        context.definitions.check_opening(command.ticket_type, command.fields)


def _category(command: OpenTicket) -> StatusCategory:
    if command.category is not None:
        return command.category
    # An agent who writes first has spoken last.
    return StatusCategory.ANSWERED if command.is_outbound else StatusCategory.NEW
