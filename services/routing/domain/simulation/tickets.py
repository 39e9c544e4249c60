"""The tickets of a scenario: their names, and what intake would say of them."""

from typing import Final
from uuid import UUID

from services.routing.domain.simulation.scenario import Assign, TicketName
from services.routing.domain.ticket import Ticket
from shared.errors import NotFound
from shared.events.base import (
    Actor,
    ActorKind,
    Channel,
    Priority,
    Stamp,
    StatusCategory,
)
from shared.events.sla import SlaWarning
from shared.events.tickets import (
    Person,
    PriorityChanged,
    StatusChanged,
    TicketClosed,
    TicketEvent,
    TicketMerged,
    TicketOpened,
    TicketReopened,
    TicketResolved,
)

INTAKE: Final = Actor(kind=ActorKind.CUSTOMER, id="customer")
VIA: Final = Channel.API
SCENARIO: Final = "scenario"
"""The one promise that a scenario speaks of."""

OVER: Final = frozenset({StatusCategory.SOLVED, StatusCategory.CLOSED})


class Tickets:
    """Names to ids and back. Ids are in the order of coming, as intake's are, for the queue's last tie-breaker (R3)."""

    def __init__(self) -> None:
        self._ids: dict[TicketName, UUID] = {}
        self._names: dict[UUID, TicketName] = {}

    def id_of(self, name: TicketName, *, field: str = "ticket") -> UUID:
        """The id of a ticket that has come; `field` names it.

        Raises:
            NotFound: it has not.
        """
        found = self._ids.get(name)
        if found is None:
            raise NotFound(f"there is no ticket {name}", field=field)
        return found

    def name_of(self, ticket_id: UUID) -> TicketName:
        """The name in the scenario."""
        return self._names[ticket_id]

    def has(self, name: TicketName) -> bool:
        """Whether it has come."""
        return name in self._ids

    def fresh_name(self) -> str:
        """A name for a ticket that was given none."""
        number = len(self._ids) + 1
        while f"ticket-{number}" in self._ids:
            number += 1
        return f"ticket-{number}"

    def next_id(self) -> UUID:
        """The id of the next ticket to come."""
        return UUID(int=len(self._ids) + 1)

    def came(self, name: TicketName, ticket_id: UUID) -> None:
        """It is there from now on."""
        self._ids[name] = ticket_id
        self._names[ticket_id] = name


def opened(ticket_id: UUID, action: Assign, stamp: Stamp) -> TicketOpened:
    """Intake says: it was opened."""
    return TicketOpened(
        **stamp,
        ticket_id=ticket_id,
        number=ticket_id.int,
        subject="",
        message_id=ticket_id,
        body="",
        requester=Person(action.customer or ""),
        priority=action.priority,
        category=StatusCategory.NEW,
    )


def discarded(ticket: Ticket, stamp: Stamp) -> TicketClosed:
    """Intake says: it is spam."""
    return TicketClosed(
        **stamp, ticket_id=ticket.ticket_id, previous_category=ticket.category, reason="spam"
    )


def merged(ticket: Ticket, into: Ticket, stamp: Stamp) -> TicketMerged:
    """Intake says: it went up in another one."""
    return TicketMerged(
        **stamp,
        ticket_id=ticket.ticket_id,
        into_ticket_id=into.ticket_id,
        into_number=into.number or 0,
        previous_category=ticket.category,
    )


def moved(ticket: Ticket, category: StatusCategory, stamp: Stamp) -> TicketEvent:
    """Intake says: it is in another category."""
    previous = ticket.category
    match category:
        case StatusCategory.SOLVED:
            return TicketResolved(
                **stamp,
                ticket_id=ticket.ticket_id,
                summary="",
                previous_category=previous,
                resolution_count=1,
            )
        case StatusCategory.CLOSED:
            return TicketClosed(**stamp, ticket_id=ticket.ticket_id, previous_category=previous)
        case _ if previous in OVER:
            return TicketReopened(
                **stamp,
                ticket_id=ticket.ticket_id,
                category=category,
                previous_category=previous,
                reopen_count=1,
            )
        case _:
            return StatusChanged(
                **stamp, ticket_id=ticket.ticket_id, category=category, previous_category=previous
            )


def reprioritised(ticket: Ticket, priority: Priority, stamp: Stamp) -> PriorityChanged:
    """Intake says: it is more or less urgent."""
    return PriorityChanged(
        **stamp, ticket_id=ticket.ticket_id, priority=priority, previous=ticket.priority
    )


def warned(ticket: Ticket, stamp: Stamp) -> SlaWarning:
    """Sla says: a promise is in danger."""
    moment = stamp["recorded_at"]
    return SlaWarning(
        **stamp,
        ticket_id=ticket.ticket_id,
        metric=SCENARIO,
        cycle=1,
        policy_id=SCENARIO,
        policy_version=1,
        priority=ticket.priority,
        target_seconds=0.0,
        threshold=SCENARIO,
        due_at=ticket.due_at or moment,
        elapsed_seconds=0.0,
        remaining_seconds=0.0,
        detected_at=moment,
    )
