"""What all events of a ticket have in common: its stream."""

from typing import ClassVar
from uuid import UUID

from shared.events.base import Event, Owner


class OfTicket(Event, frozen=True, kw_only=True):
    """A fact about one ticket."""

    OWNER: ClassVar[Owner] = Owner.INTAKE

    ticket_id: UUID

    @property
    def stream_id(self) -> UUID:
        return self.ticket_id
