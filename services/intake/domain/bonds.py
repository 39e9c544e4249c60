"""What joins two tickets: merges and links. Each half is asked of one ticket; both are stored together."""

from typing import assert_never

from services.intake.domain import life, limits
from services.intake.domain.commands import (
    ForgetMerge,
    LinkTo,
    Merge,
    ReceiveMerge,
    Relation,
    SplitOff,
    UndoSplit,
    Unlink,
    Unmerge,
)
from services.intake.domain.context import Stamps
from services.intake.domain.refusals import (
    AlreadyLinked,
    NothingWasSplit,
    TicketHasAParent,
    TicketIsNotMerged,
    TicketMeetsItself,
    TooManyLinks,
    TooManySplits,
)
from services.intake.domain.standing import refuse_closed
from services.intake.domain.ticket import Ticket
from shared.events import StatusCategory
from shared.events.tickets import (
    MergeReceived,
    MergeUndone,
    MessagesSplit,
    SplitUndone,
    TicketEvent,
    TicketLinked,
    TicketMerged,
    TicketUnlinked,
    TicketUnmerged,
)

BondCommand = Merge | ReceiveMerge | LinkTo | Unlink | Unmerge | ForgetMerge | SplitOff | UndoSplit


def decide(ticket: Ticket, command: BondCommand, stamps: Stamps) -> list[TicketEvent]:  # noqa: PLR0911 - one arm a command
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
        case Unmerge():
            return _unmerge(ticket, stamps)
        case ForgetMerge():
            # Whatever this ticket has become meanwhile: what was undone is told on both.
            return [
                MergeUndone(
                    **stamps.next(),
                    other_ticket_id=command.other_ticket_id,
                    other_number=command.other_number,
                )
            ]
        case SplitOff():
            if len(ticket.splits) >= limits.SPLITS_MAX:
                raise TooManySplits(ticket.number, limits.SPLITS_MAX)
            return [
                MessagesSplit(
                    **stamps.next(),
                    into_ticket_id=command.into_ticket_id,
                    into_number=command.into_number,
                    message_ids=command.message_ids,
                )
            ]
        case UndoSplit():
            return _undo_split(ticket, command, stamps)
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


def _unmerge(ticket: Ticket, stamps: Stamps) -> list[TicketEvent]:
    if ticket.merged_into is None or ticket.merged_into_number is None:
        raise TicketIsNotMerged(ticket.number)
    before = ticket.before_merge or StatusCategory.OPEN
    # A postponement has lost its date, and somebody is at the ticket now.
    category = StatusCategory.OPEN if before is StatusCategory.POSTPONED else before
    return [
        TicketUnmerged(
            **stamps.next(),
            from_ticket_id=ticket.merged_into,
            from_number=ticket.merged_into_number,
            category=category,
            previous_category=ticket.category,
        )
    ]


def _undo_split(ticket: Ticket, command: UndoSplit, stamps: Stamps) -> list[TicketEvent]:
    split = ticket.split_into(command.into_ticket_id)
    if split is None:
        raise NothingWasSplit(ticket.number)
    return [
        SplitUndone(
            **stamps.next(),
            into_ticket_id=split.ticket_id,
            into_number=split.number,
            message_ids=split.message_ids,
        )
    ]


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
