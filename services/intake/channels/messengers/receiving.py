"""A messenger's message becomes a reply in its conversation's ticket, or a ticket: once, in one transaction."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from msgspec.structs import replace

from services.intake import people
from services.intake.app import Asking, Intake, Tx
from services.intake.channels import threads
from services.intake.channels.conversations import outbox
from services.intake.channels.conversations.leaving import Told
from services.intake.channels.counting import received
from services.intake.channels.messengers.kind import Incoming, Messenger
from services.intake.domain import OpenTicket, Ticket, limits
from services.intake.domain.commands import AddCustomerReply, RecordNotDelivered
from shared.errors import Refused
from shared.events import Actor, ActorKind, Channel
from shared.events.messages import AttachedFile
from shared.events.tickets import Person
from shared.eventstore import Claim, Outcome
from shared.identifiers import new_id

log = structlog.get_logger(__name__)

SUBJECT_CHARS: Final = 80
"""Of the first words, for a ticket whose messenger knows no subjects."""

_SYSTEM: Final = Actor(kind=ActorKind.SYSTEM, id="messengers", name="Messengers")


class Received(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a message has come to."""

    done: str
    why: str
    ticket_id: UUID
    number: int
    version: int
    message_id: UUID


class MessengersIn:
    """The way of every messenger's message in.

    Args:
        intake: the verbs.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def receive(
        self,
        messenger: Messenger,
        message: Incoming,
        files: Sequence[AttachedFile],
        correlation_id: str,
    ) -> Outcome[Received]:
        """Store it and return after the commit; the same message again gets the first answer."""

        def work(tx: Tx) -> Received:
            return _Receiving(self._intake, messenger, message, files, tx, correlation_id).work()

        outcome = await self._intake.together(work, Received, claim=claim_of(messenger, message))
        received(Channel.MESSENGER, outcome)
        return outcome

    async def hear(self, messenger: Messenger, told: Told, correlation_id: str) -> None:
        """Note what became of a message of ours; one that never arrived is told on its ticket, once."""

        def work(tx: Tx) -> None:
            row = outbox.told(tx, messenger.source, told)
            if row is None or told.state != "failed":
                return
            self.not_delivered(
                tx,
                row,
                cause="bounced",
                reason=told.reason or "it failed",
                correlation_id=correlation_id,
            )

        claim = Claim.of(messenger.source, f"told\x1f{told.external_id}\x1f{told.state}", b"")
        await self._intake.together(work, type(None), claim=claim)

    def not_delivered(
        self, tx: Tx, row: outbox.Row, *, cause: str, reason: str, correlation_id: str
    ) -> None:
        """A step: say on the ticket that the customer did not get a reply."""
        command = RecordNotDelivered(
            message_id=row.message_id,
            kind=row.kind,
            sent_by=row.sent_by,
            recipients=(row.thread or "",),
            cause=cause,
            reason=reason[: limits.REASON_CHARS_MAX],
        )
        asking = Asking(actor=_SYSTEM, via=Channel.SYSTEM, correlation_id=correlation_id)
        self._intake.changing(tx, row.ticket_id, command, asking)


def claim_of(messenger: Messenger, message: Incoming) -> Claim:
    """Makes a message happen once, however often it is posted."""
    return Claim.of(messenger.source, message.external_id, b"")


class _Receiving:
    """One message in its transaction."""

    def __init__(
        self,
        intake: Intake,
        messenger: Messenger,
        message: Incoming,
        files: Sequence[AttachedFile],
        tx: Tx,
        correlation_id: str,
    ) -> None:
        self._intake, self._messenger, self._message, self._tx = intake, messenger, message, tx
        self._files = tuple(files)
        known = people.find(tx, message.addresses) if message.addresses else None
        self._person = _merged(message.person, known)
        actor = Actor(kind=ActorKind.CUSTOMER, id=self._person.id, name=self._person.name)
        self._asking = Asking(
            actor=actor,
            via=Channel.MESSENGER,
            correlation_id=correlation_id,
            occurred_at=message.sent_at,
        )
        self._message_id = new_id()

    def work(self) -> Received:
        thread = threads.find(self._tx, self._messenger.source, self._message.thread)
        ticket = None if thread is None else self._intake.standing(self._tx, thread.ticket_id)
        if ticket is None:
            return self._done("opened", "the conversation is new", self._open())
        mark = self._tx.mark()
        try:
            after = self._reply(ticket)
        except (
            Refused
        ) as refusal:  # the rules of the ticket say no, and the message must not be lost
            self._tx.rewind(mark)
            why = f"ticket #{ticket.number} does not take it: {refusal.detail}"
            return self._done("opened", why, self._open())
        if after.id != ticket.id:
            why = f"ticket #{ticket.number} has ended, #{after.number} follows it"
            return self._done("opened", why, after)
        return self._done("replied", "the conversation has a ticket", after)

    def _open(self) -> Ticket:
        message, way = self._message, self._messenger.way
        first = " ".join(message.body.split())
        if len(first) > SUBJECT_CHARS:
            first = first[: SUBJECT_CHARS - 1].rsplit(" ", 1)[0] + "…"
        command = OpenTicket(
            ticket_id=new_id(),
            message_id=self._message_id,
            subject=message.subject or first,
            body=message.body,
            requester=self._intake.contacts.introduced(self._tx, self._person),
            priority=way.priority,
            ticket_type=way.ticket_type,
            tags=way.tags,
            fields={**way.fields, "messenger": self._messenger.source},
            language=_language(message.language),
            attachments=self._files,
            asks_nothing=True,
        )
        event = self._intake.opening(self._tx, command, self._asking)
        ticket = self._tx.state(event.ticket_id)
        assert ticket is not None, "it has just been opened"
        return ticket

    def _reply(self, ticket: Ticket) -> Ticket:
        # Known by another of their addresses since the conversation began, they are who they were.
        ids, contacts = (self._person.id, *self._message.addresses), self._intake.contacts
        is_requester = ticket.requester_id == self._person.id or contacts.are_same(
            self._tx, ids, ticket.requester_id
        )
        command = AddCustomerReply(
            message_id=self._message_id,
            body=self._message.body,
            attachments=self._files,
            is_third_party=not is_requester,
        )
        return self._intake.changing(self._tx, ticket.id, command, self._asking)

    def _done(self, done: str, why: str, ticket: Ticket) -> Received:
        heard_at = self._message.sent_at or self._tx.now
        source, thread = self._messenger.source, self._message.thread
        threads.put(self._tx, source, thread, ticket, heard_at=heard_at)
        return Received(
            done=done,
            why=why,
            ticket_id=ticket.id,
            number=ticket.number,
            version=ticket.version,
            message_id=self._message_id,
        )


def _merged(said: Person, known: Person | None) -> Person:
    if known is None:
        return said
    return replace(known, name=known.name or said.name, email=known.email or said.email)


def _language(said: Any) -> str | None:
    return said if isinstance(said, str) and said.replace("-", "").isalnum() else None
