"""The status: moved by hand, solved, closed, reopened, and woken when a postponement is over."""

from datetime import UTC, datetime
from typing import Final, assert_never

from services.intake.domain import limits
from services.intake.domain.commands import (
    ChangeStatus,
    Close,
    CloseWhenDue,
    Confirm,
    EndPostponement,
    Reopen,
    Resolve,
    SetFamilyRule,
)
from services.intake.domain.context import Context, Stamps
from services.intake.domain.life_policy import EVERYBODY, NO_TERMS
from services.intake.domain.refusals import (
    ChildrenAreOpen,
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
    FamilyRuleChanged,
    StatusChanged,
    TicketClosed,
    TicketEvent,
    TicketReopened,
    TicketResolved,
)

CONFIRMED: Final = "confirmed_by_customer"
TIME_PASSED: Final = "time_passed"

LifeCommand = (
    ChangeStatus
    | Resolve
    | Close
    | Reopen
    | EndPostponement
    | Confirm
    | CloseWhenDue
    | SetFamilyRule
)


def decide(  # noqa: PLR0911 - one arm a command
    ticket: Ticket,
    command: LifeCommand,
    stamps: Stamps,
    at: datetime,
    context: Context,
) -> list[TicketEvent]:
    """The move, or nothing when the ticket is there already.

    Raises:
        Refused: the move is not one of the legal ones; the message says why.
    """
    match command:
        case ChangeStatus():
            return _change_status(ticket, command, stamps, at)
        case Resolve():
            return _resolve(ticket, command, stamps, at, context)
        case Close():
            return _close(ticket, command, stamps, context)
        case Confirm():
            return _confirm(ticket, stamps, context)
        case CloseWhenDue():
            return _close_when_due(ticket, command, stamps, context)
        case SetFamilyRule(waits_for_children=waits):
            refuse_closed(ticket)
            if waits == ticket.waits_for_children:
                return []
            return [
                FamilyRuleChanged(
                    **stamps.next(), waits_for_children=waits, previous=ticket.waits_for_children
                )
            ]
        case Reopen():
            return _reopen(ticket, command, stamps, context)
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


def _refuse_open_children(ticket: Ticket, context: Context) -> None:
    if context.open_children and not context.is_import:
        raise ChildrenAreOpen(ticket.number, context.open_children)


def _resolve(
    ticket: Ticket, command: Resolve, stamps: Stamps, at: datetime, context: Context
) -> list[TicketEvent]:
    refuse_closed(ticket)
    if ticket.category is StatusCategory.SOLVED:
        if (command.summary, command.code) == (ticket.summary, ticket.code):
            return []
        raise TicketIsSolved(ticket.number)
    _refuse_open_children(ticket, context)
    if not context.is_import:
        context.definitions.check_solving(ticket.ticket_type, ticket.fields)
    terms = NO_TERMS if context.is_import else context.terms
    return [
        TicketResolved(
            **stamps.next(),
            summary=command.summary,
            code=command.code,
            previous_category=ticket.category,
            resolution_count=ticket.resolution_count + 1,
            reopen_until=terms.reopen_until(at),
            close_at=terms.close_at(at),
            life_group=terms.group,
            life_version=terms.version,
            survey_at=None if context.is_import else context.survey.survey_at(ticket, at),
        )
    ]


def _confirm(ticket: Ticket, stamps: Stamps, context: Context) -> list[TicketEvent]:
    refuse_merged(ticket)
    if ticket.category is StatusCategory.CLOSED and ticket.close_reason == CONFIRMED:
        return []
    if ticket.category is StatusCategory.CLOSED:
        raise TicketIsClosed(ticket.number)
    if ticket.category is not StatusCategory.SOLVED:
        raise TicketIsNotSolved(ticket.number, ticket.category)
    _refuse_open_children(ticket, context)
    return [TicketClosed(**stamps.next(), previous_category=ticket.category, reason=CONFIRMED)]


def _close_when_due(
    ticket: Ticket, command: CloseWhenDue, stamps: Stamps, context: Context
) -> list[TicketEvent]:
    if ticket.category is not StatusCategory.SOLVED or ticket.close_at != command.close_at:
        return []
    _refuse_open_children(ticket, context)
    return [
        TicketClosed(
            **stamps.next(),
            previous_category=ticket.category,
            reason=TIME_PASSED,
            rule=_rule(ticket),
        )
    ]


def _rule(ticket: Ticket) -> str:
    where = "all groups" if ticket.life_group in {None, EVERYBODY} else f"group {ticket.life_group}"
    until = f"{ticket.close_at:%Y-%m-%d %H:%M} UTC"
    return f"nobody wrote until {until} (life policy of {where}, version {ticket.life_version})"


def _close(ticket: Ticket, command: Close, stamps: Stamps, context: Context) -> list[TicketEvent]:
    refuse_merged(ticket)
    if ticket.category is StatusCategory.CLOSED:
        if command.reason in {None, ticket.close_reason}:
            return []
        raise TicketIsClosed(ticket.number)
    _refuse_open_children(ticket, context)
    return [TicketClosed(**stamps.next(), previous_category=ticket.category, reason=command.reason)]


def _reopen(ticket: Ticket, command: Reopen, stamps: Stamps, context: Context) -> list[TicketEvent]:
    is_import = context.is_import
    refuse_merged(ticket)
    if command.category not in REOPENED_AS:
        if command.category is StatusCategory.POSTPONED:
            raise PostponementNeedsADate
        if command.category is StatusCategory.NEW:
            raise NewNeverReturns(ticket.number)
        raise StatusHasItsOwnVerb(command.category)
    is_overruled = ticket.has_courtesy and ticket.category in ENDED
    if ticket.category is StatusCategory.CLOSED and not (is_import or is_overruled):
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
            cause="imported"
            if is_import
            else "courtesy_overruled"
            if is_overruled
            else "requested",
            reason=command.reason,
            keeps_owner=context.terms.keeps_owner,
        )
    ]
