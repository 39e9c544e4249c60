"""The way of an agent's words to where the customer reads them: each channel that sends has an outbox behind this."""

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString, Protocol

import msgspec

from services.intake.domain import Ticket
from shared.database import Transaction
from shared.events import Channel
from shared.events.steps import NoticeRequested
from shared.events.tickets import AgentReplied, Person, TicketEvent, TicketOpened


class Reader(msgspec.Struct, frozen=True):
    """Whom an agent's words are for, and where their ticket came from.

    Attributes:
        requester: the customer.
        via: how the ticket came.
        fields: its custom fields, in which channels write what it came from.
        is_outbound: an agent wrote first.
    """

    requester: Person
    via: Channel
    fields: Mapping[str, Any]
    is_outbound: bool = False

    @classmethod
    def of(cls, ticket: Ticket) -> "Reader":
        """The requester of this ticket."""
        return cls(ticket.requester, ticket.via, ticket.fields, ticket.is_outbound)


class Standing(msgspec.Struct, frozen=True):
    """How an outbox stands: what is to leave yet, what was given up, how long ago the oldest that waits was written."""

    waiting: int
    dead: int
    oldest_seconds: float

    @classmethod
    def read(cls, tx: Transaction, outbox: LiteralString, of: LiteralString = "true") -> "Standing":
        """Of this table, whose states are those of all outboxes; `of`: a condition."""
        # Two questions, each answered by an index that holds nothing else: what was sent is most of the table.
        tx.cursor.execute(
            f"SELECT count(*) AS waiting, (SELECT count(*) FROM {outbox} WHERE state = 'dead' AND {of}) AS dead,"  # noqa: S608
            " coalesce(extract(epoch FROM %s - min(created_at)), 0)::float8 AS oldest"
            f" FROM {outbox} WHERE state IN ('waiting', 'claimed') AND {of}",
            (tx.now,),
        )
        row = tx.cursor.fetchone()
        assert row is not None, "an aggregate has a row"
        return cls(row["waiting"], row["dead"], max(row["oldest"], 0.0))


class Outgoing(Protocol):
    """A channel that sends.

    Attributes:
        name: what `leaves_by` of the events says.
    """

    name: str

    def takes(self, reader: Reader) -> bool:
        """Whether what is written on this reader's ticket leaves by this channel."""
        ...

    def put(self, tx: Transaction, ticket: Ticket, event: AgentReplied | TicketOpened) -> None:
        """Keep the message for sending, in the transaction of its event. Cheap, and refuses nothing."""
        ...

    def standing(self, tx: Transaction) -> Standing:
        """How its outbox stands."""
        ...


class NoticeChannel(Protocol):
    """A channel that brings what a rule says to people who work here.

    Attributes:
        name: what `leaves_by` of the event says.
    """

    name: str

    def notify(self, tx: Transaction, ticket: Ticket, event: NoticeRequested) -> None:
        """Keep it for sending, in the transaction of its event. Refuses nothing."""
        ...


def carrier(outgoing: Sequence[Outgoing], reader: Reader) -> str | None:
    """The channel that carries what is written to this customer; None: they read it here."""
    for channel in outgoing:
        if channel.takes(reader):
            return channel.name
    return None


def hand_over(
    outgoing: Sequence[Outgoing], tx: Transaction, ticket: Ticket, events: Sequence[TicketEvent]
) -> None:
    """Put the messages among these events into the outbox that they name; nothing for all others."""
    for event in events:
        if isinstance(event, AgentReplied | TicketOpened) and event.leaves_by is not None:
            for channel in outgoing:
                if channel.name == event.leaves_by:
                    channel.put(tx, ticket, event)
