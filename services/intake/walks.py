"""Walks from one ticket to others in a transaction: through merges, families, follow-ups, and its own past."""

from uuid import UUID

from services.intake.asking import Asking
from services.intake.domain import Ticket, limits
from services.intake.domain.commands import Relation
from services.intake.domain.refusals import FamilyIsTooDeep, MessageIsNotHere, TicketMeetsItself
from services.intake.domain.status import ENDED
from shared.events.tickets import NoteAdded
from shared.eventstore import EventTransaction

Tx = EventTransaction[Ticket]


def end_of_chain(tx: Tx, ticket_id: UUID) -> Ticket:
    """The ticket that this one lives on as. Merges form no rings (see `domain.bonds`), so the walk ends."""
    while True:
        ticket = tx.state(ticket_id)
        assert ticket is not None, "a merge leads to a ticket that exists"
        if ticket.merged_into is None:
            return ticket
        ticket_id = ticket.merged_into


def refuse_ring(tx: Tx, ticket: Ticket, other: Ticket, relation: Relation) -> None:
    """A ticket is not its own ancestor. Raises TicketMeetsItself or FamilyIsTooDeep."""
    match relation:
        case Relation.PARENT:
            child, ancestor = ticket, other
        case Relation.CHILD:
            child, ancestor = other, ticket
        case _:
            return
    for _ in range(limits.FAMILY_DEPTH_MAX):
        if ancestor.id == child.id:
            raise TicketMeetsItself(child.number)
        parent = ancestor.parent
        if parent is None:
            return
        above = tx.state(parent.ticket_id)
        assert above is not None, "a link leads to a ticket that exists"
        ancestor = above
    raise FamilyIsTooDeep(limits.FAMILY_DEPTH_MAX)


def open_children(tx: Tx, ticket: Ticket) -> tuple[int, ...]:
    """The numbers of its children that have not ended; all are read in one query."""
    tx.prefetch([link.ticket_id for link in ticket.children])
    states = (tx.state(link.ticket_id) for link in ticket.children)
    return tuple(child.number for child in states if child and child.category not in ENDED)


def newest(tx: Tx, ticket: Ticket) -> Ticket:
    """The last of a ticket's follow-ups, itself when it has none: a chain of conversations has one end."""
    seen: set[UUID] = set()
    while ticket.id not in seen:
        seen.add(ticket.id)
        later = [link for link in ticket.links if link.relation == Relation.FOLLOW_UP]
        following = tx.state(later[-1].ticket_id) if later else None
        if following is None or following.requester_id != ticket.requester_id:
            break
        ticket = end_of_chain(tx, following.id)
    return ticket


def refuse_strange_quote(tx: Tx, ticket: Ticket, message_id: UUID, asking: Asking) -> None:
    """Raises MessageIsNotHere unless the ticket has this message, and the caller may read it."""
    for event in tx.history(ticket.id):
        is_hidden = isinstance(event, NoteAdded) and asking.own_tickets_of is not None
        if getattr(event, "message_id", None) == message_id and not is_hidden:
            return
    raise MessageIsNotHere(ticket.number, message_id, field="quotes")
