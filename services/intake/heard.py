"""What is heard of routing and sla and kept: who has a ticket, and which calendars there are."""

from collections.abc import Sequence
from uuid import UUID

from services.intake.configuration import CALENDAR, put
from services.intake.owners import NOBODY, Owner, note_owners, owners_of
from shared.database import Transaction
from shared.events import Event
from shared.events.assignments import GroupChanged, TicketAssigned, TicketUnassigned
from shared.events.policies import CalendarDefined


def take_note(tx: Transaction, events: Sequence[Event]) -> None:
    """Keep what the life of tickets depends on elsewhere: two statements a batch, whatever is in it."""
    moved: dict[UUID, list[GroupChanged | TicketAssigned | TicketUnassigned]] = {}
    for event in events:
        match event:
            case CalendarDefined():
                put(tx, CALENDAR, event.calendar_id, event.version, event.definition)
            case GroupChanged() | TicketAssigned() | TicketUnassigned():
                moved.setdefault(event.ticket_id, []).append(event)
            case _:
                pass
    if not moved:
        return
    before = owners_of(tx, sorted(moved))
    note_owners(
        tx,
        {
            ticket_id: _after(before.get(ticket_id, NOBODY), events)
            for ticket_id, events in moved.items()
        },
    )


def _after(
    owner: Owner, events: Sequence[GroupChanged | TicketAssigned | TicketUnassigned]
) -> Owner:
    for event in events:
        match event:
            case GroupChanged():
                owner = Owner(event.group_id, owner.agent_id)
            case TicketAssigned():
                owner = Owner(event.group_id, event.agent_id)
            case TicketUnassigned():
                owner = Owner(owner.group_id, None)
    return owner
