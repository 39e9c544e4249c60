"""Whether a ticket can still be worked on."""

from services.intake.domain.refusals import TicketIsClosed, TicketIsMerged
from services.intake.domain.ticket import Ticket
from shared.events import StatusCategory


def refuse_merged(ticket: Ticket) -> None:
    """Raises TicketIsMerged when the ticket lives on as another one."""
    if ticket.merged_into is not None and ticket.merged_into_number is not None:
        raise TicketIsMerged(ticket.number, ticket.merged_into, ticket.merged_into_number)


def refuse_closed(ticket: Ticket) -> None:
    """Raises TicketIsMerged or TicketIsClosed when the ticket has ended for good."""
    refuse_merged(ticket)
    if ticket.category is StatusCategory.CLOSED:
        raise TicketIsClosed(ticket.number)
