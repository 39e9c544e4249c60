"""The status: moved by hand, solved, closed, reopened, and woken when a postponement is over."""

from datetime import UTC, datetime
from typing import assert_never

from services.intake.domain import limits
from services.intake.domain.commands import ChangeStatus, Close, EndPostponement, Reopen, Resolve
from services.intake.domain.context import Stamps
from services.intake.domain.refusals import (
    NewNeverReturns,
    OnlyPostponementHasADate,
    PostponementIsOutOfRange,
    PostponementNeedsADate,
    StatusHasItsOwnVerb,
    TicketIsClosed,
    TicketIsNotSolved,
    TicketIsSolved,
)
from services.intake.domain.standing import refuse_closed, refuse_merged
from services.intake.domain.status import ENDED, REOPENED_AS, SET_BY_HAND
from services.intake.domain.ticket import Ticket
from shared.events import StatusCategory
from shared.events.tickets import (
    StatusChanged,
    TicketClosed,
    TicketEvent,
    TicketReopened,
    TicketResolved,
)


def decide(
    ticket: Ticket,
    command: ChangeStatus | Resolve | Close | Reopen | EndPostponement,
    stamps: Stamps,
    at: datetime,
    *,
    is_import: bool,
) -> list[TicketEvent]:
    """The move, or nothing when the ticket is there already.

    Raises:
        Refused: the move is not one of the legal ones; the message says why.
    """
    match command:
        case ChangeStatus():
            return _change_status(ticket, command, stamps, at)
        case Resolve():
            return _resolve(ticket, command, stamps)
        case Close():
            return _close(ticket, command, stamps)
        case Reopen():
            return _reopen(ticket, command, stamps, is_import=is_import)
        case EndPostponement(until=until):
            if ticket.category is not StatusCategory.POSTPONED or ticket.until != until:
                return []
            return [moved(ticket, StatusCategory.OPEN, stamps, cause="postponement_over")]
        case _:
            assert_never(command)


def moved(
    ticket: Ticket,
    category: StatusCategory,
    stamps: Stamps,
    *,
    cause: str,
    label: str | None = None,
    until: datetime | None = None,
) -> StatusChanged:
    """The event that brings the ticket there; a label stays behind with the status it described."""
    return StatusChanged(
        **stamps.next(),
        category=category,
        previous_category=ticket.category,
        label=label,
        previous_label=ticket.label,
        cause=cause,
        until=until,
    )


def _change_status(
    ticket: Ticket, command: ChangeStatus, stamps: Stamps, at: datetime
) -> list[TicketEvent]:
    refuse_closed(ticket)
    wanted = command.category or ticket.category
    if wanted in ENDED and wanted is not ticket.category:
        raise StatusHasItsOwnVerb(wanted)
    if ticket.category is StatusCategory.SOLVED:
        if wanted is ticket.category and command.label is None and command.until is None:
            return []
        raise TicketIsSolved(ticket.number)
    if wanted is not ticket.category and wanted not in SET_BY_HAND:
        raise NewNeverReturns(ticket.number)
    until = _until(ticket, command, wanted, at)
    if (wanted, command.label, until) == (ticket.category, ticket.label, ticket.until):
        return []
    return [moved(ticket, wanted, stamps, cause="requested", label=command.label, until=until)]


def _until(
    ticket: Ticket, command: ChangeStatus, wanted: StatusCategory, at: datetime
) -> datetime | None:
    if wanted is not StatusCategory.POSTPONED:
        if command.until is not None:
            raise OnlyPostponementHasADate(wanted)
        return None
    if command.until is None:
        if command.category is None:  # only the label changes
            return ticket.until
        raise PostponementNeedsADate
    until = command.until.astimezone(UTC)
    if until == ticket.until:
        return until
    if not at < until <= at + limits.POSTPONED_FOR_MAX:
        raise PostponementIsOutOfRange(limits.POSTPONED_FOR_MAX.days)
    return until


def _resolve(ticket: Ticket, command: Resolve, stamps: Stamps) -> list[TicketEvent]:
    refuse_closed(ticket)
    if ticket.category is StatusCategory.SOLVED:
        if (command.summary, command.code) == (ticket.summary, ticket.code):
            return []
        raise TicketIsSolved(ticket.number)
    return [
        TicketResolved(
            **stamps.next(),
            summary=command.summary,
            code=command.code,
            previous_category=ticket.category,
            resolution_count=ticket.resolution_count + 1,
        )
    ]


def _close(ticket: Ticket, command: Close, stamps: Stamps) -> list[TicketEvent]:
    refuse_merged(ticket)
    if ticket.category is StatusCategory.CLOSED:
        if command.reason in {None, ticket.close_reason}:
            return []
        raise TicketIsClosed(ticket.number)
    return [TicketClosed(**stamps.next(), previous_category=ticket.category, reason=command.reason)]


def _reopen(
    ticket: Ticket, command: Reopen, stamps: Stamps, *, is_import: bool
) -> list[TicketEvent]:
    refuse_merged(ticket)
    if command.category not in REOPENED_AS:
        if command.category is StatusCategory.POSTPONED:
            raise PostponementNeedsADate
        if command.category is StatusCategory.NEW:
            raise NewNeverReturns(ticket.number)
        raise StatusHasItsOwnVerb(command.category)
    if ticket.category is StatusCategory.CLOSED and not is_import:
        raise TicketIsClosed(ticket.number)
    if ticket.category not in ENDED:
        if ticket.category is command.category and ticket.reopen_count:
            return []
        raise TicketIsNotSolved(ticket.number, ticket.category)
    return [
        TicketReopened(
            **stamps.next(),
            category=command.category,
            previous_category=ticket.category,
            reopen_count=ticket.reopen_count + 1,
            cause="imported" if is_import else "requested",
            reason=command.reason,
        )
    ]
