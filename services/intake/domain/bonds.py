"""What joins two tickets: merges and links. Each half is asked of one ticket; both are stored together."""

from typing import assert_never

from services.intake.domain import life, limits
from services.intake.domain.commands import LinkTo, Merge, ReceiveMerge, Relation, Unlink
from services.intake.domain.context import Stamps
from services.intake.domain.refusals import (
    AlreadyLinked,
    TicketHasAParent,
    TicketMeetsItself,
    TooManyLinks,
)
from services.intake.domain.standing import refuse_closed
from services.intake.domain.ticket import Ticket
from shared.events import StatusCategory
from shared.events.tickets import (
    MergeReceived,
    TicketEvent,
    TicketLinked,
    TicketMerged,
    TicketUnlinked,
)


def decide(
    ticket: Ticket, command: Merge | ReceiveMerge | LinkTo | Unlink, stamps: Stamps
) -> list[TicketEvent]:
    """This ticket's half.

    A chain of merges cannot close into a ring: a merged ticket is refused on both sides, so every
    merge leads from a ticket that still stands to another one that still stands.

    Raises:
        TicketMeetsItself: the other ticket is this one.
        TicketIsMerged, TicketIsClosed: a merge needs two tickets that still stand. Links do not: a
            follow-up is linked to a closed ticket.
        AlreadyLinked, TicketHasAParent, TooManyLinks: see there.
    """
    match command:
        case Merge():
            return _merge(ticket, command, stamps)
        case ReceiveMerge():
            return _receive_merge(ticket, command, stamps)
        case LinkTo():
            return _link(ticket, command, stamps)
        case Unlink(other_ticket_id=other):
            link = ticket.link_to(other)
            if link is None:
                return []
            return [
                TicketUnlinked(
                    **stamps.next(),
                    other_ticket_id=other,
                    other_number=link.number,
                    relation=link.relation,
                )
            ]
        case _:
            assert_never(command)


def _merge(ticket: Ticket, command: Merge, stamps: Stamps) -> list[TicketEvent]:
    if ticket.id == command.into_ticket_id:
        raise TicketMeetsItself(ticket.number)
    if ticket.merged_into == command.into_ticket_id:
        return []
    refuse_closed(ticket)
    return [
        TicketMerged(
            **stamps.next(),
            into_ticket_id=command.into_ticket_id,
            into_number=command.into_number,
            previous_category=ticket.category,
        )
    ]


def _receive_merge(ticket: Ticket, command: ReceiveMerge, stamps: Stamps) -> list[TicketEvent]:
    refuse_closed(ticket)
    events: list[TicketEvent] = [
        MergeReceived(
            **stamps.next(),
            from_ticket_id=command.from_ticket_id,
            from_number=command.from_number,
            has_open_customer_message=command.has_open_customer_message,
        )
    ]
    # `answered` says that we spoke last, which is no longer so. Any other status was chosen by
    # somebody who knew what they were doing, as does the one who merges now.
    if command.has_open_customer_message and ticket.category is StatusCategory.ANSWERED:
        events.append(life.moved(ticket, StatusCategory.OPEN, stamps, cause="customer_replied"))
    return events


def _link(ticket: Ticket, command: LinkTo, stamps: Stamps) -> list[TicketEvent]:
    if ticket.id == command.other_ticket_id:
        raise TicketMeetsItself(ticket.number)
    link = ticket.link_to(command.other_ticket_id)
    if link is not None:
        if link.relation == command.relation:
            return []
        raise AlreadyLinked(ticket.number, link.number, link.relation)
    if command.relation is Relation.PARENT and (parent := ticket.parent):
        raise TicketHasAParent(ticket.number, parent.number)
    if len(ticket.links) >= limits.LINKS_MAX:
        raise TooManyLinks(ticket.number, limits.LINKS_MAX)
    return [
        TicketLinked(
            **stamps.next(),
            other_ticket_id=command.other_ticket_id,
            other_number=command.other_number,
            relation=command.relation,
        )
    ]
