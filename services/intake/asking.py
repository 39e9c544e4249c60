"""Who asks, of which ticket, and the receipt for it."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from services.intake.domain import Context, Ticket
from shared.events import Actor, Channel, Stamp, StatusCategory
from shared.eventstore import Claim

_OPENING_VERSIONS: Final = 2
"""A follow-up has just been opened: its first event, and perhaps the link."""


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, through what, and on which conditions.

    Attributes:
        occurred_at: when it happened in the world; `None`: now.
        own_tickets_of: a customer's id: other people's tickets do not exist for them.
        own_addresses: further ids that the customer's token answers for.
        expected_version: the version that the caller has looked at.
        claim: makes the request happen once.
        causation_id: the event of another service that made this one happen.
    """

    actor: Actor
    via: Channel
    correlation_id: str
    occurred_at: datetime | None = None
    own_tickets_of: str | None = None
    own_addresses: tuple[str, ...] = ()
    expected_version: int | None = None
    claim: Claim | None = None
    causation_id: str | None = None

    def at(self, now: datetime) -> datetime:
        """When it happened."""
        return now if self.occurred_at is None else self.occurred_at

    def context(self, now: datetime) -> Context:
        """The circumstances as events name them."""
        return Context(
            actor=self.actor,
            via=self.via,
            correlation_id=self.correlation_id,
            recorded_at=now,
            causation_id=self.causation_id,
        )

    def stamp(self, now: datetime) -> Stamp:
        """The stamp of an event that is no ticket's; its version is still to be said."""
        return {
            "version": 0,
            "occurred_at": self.at(now),
            "recorded_at": now,
            "actor": self.actor,
            "via": self.via,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
        }


class ByExternalId(msgspec.Struct, frozen=True):
    """A ticket named by the id of another system under which it was opened."""

    external_id: str


Reference = UUID | ByExternalId


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a command has come to: the ticket as it is now.

    Attributes:
        hint: for an agent who opened it: why its subject tells nobody anything.
        follow_up_of: the number of the ended ticket that was written to: this one was opened for what it says.
        written_to: the number of the ticket that was written to, which has become part of this one.
    """

    ticket_id: UUID
    number: int
    version: int
    category: StatusCategory
    message_id: UUID | None = None
    task_id: UUID | None = None
    hint: str | None = None
    follow_up_of: int | None = None
    written_to: int | None = None

    @classmethod
    def of(
        cls, ticket: Ticket, message_id: UUID | None = None, *, asked_of: Ticket | None = None
    ) -> "Receipt":
        """The receipt for a command; `asked_of` is the ticket that was named, when it went to another one."""
        named = None if asked_of is None or asked_of.id == ticket.id else asked_of.number
        is_new = named is not None and ticket.version <= _OPENING_VERSIONS
        return cls(
            ticket_id=ticket.id,
            number=ticket.number,
            version=ticket.version,
            category=ticket.category,
            message_id=message_id,
            follow_up_of=named if is_new else None,
            written_to=None if is_new else named,
        )
