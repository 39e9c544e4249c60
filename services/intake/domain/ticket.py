"""The state of one ticket, as far as the rules need it, and how each event changes it."""

from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

import msgspec
from msgspec.structs import replace

from services.intake.domain.commands import Relation
from shared.events import Priority, StatusCategory
from shared.events.tickets import (
    AgentReplied,
    CustomerReplied,
    FieldsChanged,
    MergeReceived,
    NoteAdded,
    PriorityChanged,
    StatusChanged,
    SubjectChanged,
    TagsChanged,
    TicketClosed,
    TicketEvent,
    TicketLinked,
    TicketMerged,
    TicketOpened,
    TicketReopened,
    TicketResolved,
    TicketUnlinked,
    TypeChanged,
)


class Link(msgspec.Struct, frozen=True, gc=False):
    """Another ticket, and what it is to this one."""

    ticket_id: UUID
    number: int
    relation: str


class Ticket(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the rules look at. Messages are not part of it: no rule reads them.

    Attributes:
        requester_id: whose ticket it is; a customer sees only own tickets.
        until: when postponed, the moment to look again.
        is_waiting_for_us: the customer spoke last and no human has answered.
        summary, code: of the resolution, while solved.
        close_reason: while closed.
        merged_into: the ticket that this one became part of.
    """

    id: UUID
    number: int
    version: int
    requester_id: str
    subject: str
    priority: Priority
    category: StatusCategory
    label: str | None
    ticket_type: str | None
    tags: tuple[str, ...]
    fields: dict[str, Any]
    is_waiting_for_us: bool
    until: datetime | None = None
    resolution_count: int = 0
    reopen_count: int = 0
    summary: str | None = None
    code: str | None = None
    close_reason: str | None = None
    merged_into: UUID | None = None
    merged_into_number: int | None = None
    links: tuple[Link, ...] = ()

    @property
    def parent(self) -> Link | None:
        """The link to the ticket that this one is a part of."""
        return next((link for link in self.links if link.relation == Relation.PARENT), None)

    def link_to(self, other_ticket_id: UUID) -> Link | None:
        """The link to that ticket, if there is one."""
        return next((link for link in self.links if link.ticket_id == other_ticket_id), None)


def evolve(ticket: Ticket | None, event: TicketEvent) -> Ticket:  # noqa: C901, PLR0911, PLR0912 - one arm an event
    """The ticket after the event. Never fails: it has already happened.

    `ticket` is the state before; `None` only before `TicketOpened`.
    """
    if isinstance(event, TicketOpened):
        return _opened(event)
    assert ticket is not None, "a stream begins with TicketOpened"
    version = event.version
    match event:
        case CustomerReplied():
            return replace(ticket, version=version, is_waiting_for_us=True)
        case AgentReplied():
            is_waiting = ticket.is_waiting_for_us and event.is_automatic
            return replace(ticket, version=version, is_waiting_for_us=is_waiting)
        case NoteAdded():
            return replace(ticket, version=version)
        case StatusChanged():
            return replace(
                ticket,
                version=version,
                category=event.category,
                label=event.label,
                until=event.until,
            )
        case PriorityChanged():
            return replace(ticket, version=version, priority=event.priority)
        case TypeChanged():
            return replace(ticket, version=version, ticket_type=event.ticket_type)
        case SubjectChanged():
            return replace(ticket, version=version, subject=event.subject)
        case FieldsChanged():
            return replace(ticket, version=version, fields=_with_changes(ticket.fields, event))
        case TagsChanged():
            return replace(ticket, version=version, tags=event.tags)
        case TicketResolved():
            return replace(
                ticket,
                version=version,
                category=StatusCategory.SOLVED,
                label=None,
                until=None,
                resolution_count=event.resolution_count,
                summary=event.summary,
                code=event.code,
            )
        case TicketClosed():
            return replace(
                ticket,
                version=version,
                category=StatusCategory.CLOSED,
                label=None,
                until=None,
                summary=None,
                code=None,
                close_reason=event.reason,
            )
        case TicketReopened():
            return replace(
                ticket,
                version=version,
                category=event.category,
                label=None,
                until=None,
                reopen_count=event.reopen_count,
                summary=None,
                code=None,
                close_reason=None,
            )
        case TicketMerged():
            return replace(
                ticket,
                version=version,
                category=StatusCategory.CLOSED,
                label=None,
                until=None,
                is_waiting_for_us=False,
                merged_into=event.into_ticket_id,
                merged_into_number=event.into_number,
            )
        case MergeReceived():
            is_waiting = ticket.is_waiting_for_us or event.has_open_customer_message
            return replace(ticket, version=version, is_waiting_for_us=is_waiting)
        case TicketLinked():
            link = Link(event.other_ticket_id, event.other_number, event.relation)
            return replace(ticket, version=version, links=(*ticket.links, link))
        case TicketUnlinked():
            links = tuple(link for link in ticket.links if link.ticket_id != event.other_ticket_id)
            return replace(ticket, version=version, links=links)
        case _:
            assert_never(event)


def _opened(event: TicketOpened) -> Ticket:
    return Ticket(
        id=event.ticket_id,
        number=event.number,
        version=event.version,
        requester_id=event.requester.id,
        subject=event.subject,
        priority=event.priority,
        category=event.category,
        label=event.label,
        ticket_type=event.ticket_type,
        tags=event.tags,
        fields=event.fields,
        is_waiting_for_us=not event.is_outbound,
    )


def _with_changes(fields: dict[str, Any], event: FieldsChanged) -> dict[str, Any]:
    after = fields | {name: changed.value for name, changed in event.changes.items()}
    return {name: value for name, value in after.items() if value is not None}
