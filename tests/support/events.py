"""Builders of events: say what matters, the rest is ordinary."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from shared.events import Actor, ActorKind, Channel, Priority, StatusCategory
from shared.events.tickets import NoteAdded, Person, TicketOpened
from shared.identifiers import new_id

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ANNA = Actor(ActorKind.AGENT, "anna", "Anna")
CARL = Actor(ActorKind.CUSTOMER, "carl", "Carl")


def stamp(version: int, at: datetime = NOON, actor: Actor = CARL) -> dict[str, Any]:
    """The common fields of an event."""
    return {
        "version": version,
        "occurred_at": at,
        "recorded_at": at,
        "actor": actor,
        "via": Channel.API,
        "correlation_id": "test",
    }


def opened(ticket_id: UUID, **changes: Any) -> TicketOpened:
    """An ordinary ticket was opened."""
    return TicketOpened(
        **{
            **stamp(1),
            "ticket_id": ticket_id,
            "number": 1,
            "subject": "Printer is on fire",
            "message_id": new_id(),
            "body": "It really is.",
            "requester": Person("carl", "Carl", "carl@example.org"),
            "priority": Priority.NORMAL,
            "category": StatusCategory.NEW,
            **changes,
        }
    )


def noted(ticket_id: UUID, version: int, body: str = "a note") -> NoteAdded:
    """An agent wrote a note."""
    return NoteAdded(
        **stamp(version, actor=ANNA), ticket_id=ticket_id, message_id=new_id(), body=body
    )
