"""Events of intake about who read what it alone gives out: files of sensitive tickets."""

from typing import ClassVar
from uuid import UUID

from shared.events.base import Event, Owner
from shared.identifiers import derived_id


class ReadingRecorded(Event, frozen=True, kw_only=True, tag="reading.recorded.v1"):
    """Somebody who works here fetched a file of a sensitive ticket. It was stored before the first byte was given.

    Attributes:
        ticket_id, number, ticket_version: the ticket as it was then.
        attachment_id, name: which file.
        is_original: the mail itself, as it came.
        reasons: why the ticket was sensitive: `internal`, `tag:vip`, `type:hr`, `field:iban`.
    """

    OWNER: ClassVar[Owner] = Owner.INTAKE

    ticket_id: UUID
    number: int
    ticket_version: int
    attachment_id: UUID
    name: str
    is_original: bool
    reasons: tuple[str, ...]

    @property
    def stream_id(self) -> UUID:
        return readings_stream(self.ticket_id)


def readings_stream(ticket_id: UUID) -> UUID:
    """The stream of who fetched files of one ticket; beside the ticket's own, whose version readers do not move."""
    return derived_id("readings", str(ticket_id))


ReadingEvent = ReadingRecorded
