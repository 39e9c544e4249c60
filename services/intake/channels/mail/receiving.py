"""A raw mail becomes a ticket, a reply, a record on a ticket, or a refusal that is kept: once, in one transaction."""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec
import structlog

from services.intake.app import Asking, Intake, Tx
from services.intake.attachments.store import AttachmentStore
from services.intake.channels.counting import received
from services.intake.channels.email_message import EmailMessage, parse
from services.intake.channels.mail import files, guard, refusals, threading
from services.intake.channels.mail.addresses import Mailbox
from services.intake.channels.mail.guard import Kind, Pace, Verdict
from services.intake.channels.mail.letters import Letter, clues_of, person_of, write_letter
from services.intake.channels.mail.mailboxes import Mailboxes, OwnMailbox
from services.intake.channels.mail.out import outbox
from services.intake.domain import OpenTicket, Ticket
from services.intake.domain.commands import (
    AddCustomerReply,
    AddNote,
    AddParticipant,
    ParticipantRole,
    RecordMessage,
    RecordNotDelivered,
)
from services.intake.secrets import Secret
from shared.errors import NotFound, Refused
from shared.events import Actor, Channel, StatusCategory
from shared.eventstore import Claim, EventStore, Outcome
from shared.identifiers import new_id

log = structlog.get_logger(__name__)

COPIES_MAX: Final = 20
"""Those in Cc who take part; far fewer than a ticket may have, so that people can add others."""

READ_TOGETHER_MAX: Final = 2
"""Mails taken apart at once; each holds some four times its size meanwhile."""

Done = Literal["opened", "replied", "recorded", "refused"]


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """How a mail reached us.

    Attributes:
        recipients: of the envelope, where there was one.
        mailbox: whose it is; None: its recipients say so.
        arrived_at: when it reached the mailbox, if that was before now (aware UTC).
    """

    correlation_id: str
    recipients: Sequence[str] = ()
    mailbox: OwnMailbox | None = None
    arrived_at: datetime | None = None


class Received(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a mail has come to. Of a refusal there is no ticket, but a `refusal_id`."""

    done: Done
    why: str
    ticket_id: UUID | None = None
    number: int | None = None
    version: int | None = None
    category: StatusCategory | None = None
    message_id: UUID | None = None
    refusal_id: UUID | None = None


class MailIn:
    """The way of every mail in, whatever brought it: HTTP, SMTP, LMTP, IMAP.

    Args:
        intake: the verbs.
        store: is asked whether a mail is known before its files are stored again.
        contents: where files go, before the transaction that names them.
        mailboxes: ours.
        pace: how many mails of one sender are taken for what they are.
        out: takes acknowledgements, and knows what a bounce speaks of; None: no mail leaves.
    """

    def __init__(
        self,
        intake: Intake,
        store: EventStore[Ticket],
        contents: AttachmentStore,
        mailboxes: Mailboxes,
        *,
        pace: Pace,
        out: outbox.MailOutbox | None = None,
    ) -> None:
        self.mailboxes = mailboxes
        self._out = out
        self._intake = intake
        self._store = store
        self._contents = contents
        self._pace = pace
        self._secret = Secret("mail")
        self._readers = asyncio.Semaphore(READ_TOGETHER_MAX)

    async def receive(self, raw: bytes, arrival: Arrival) -> Outcome[Received]:
        """Store what the mail says and return after the commit; the same mail again gets the first answer.

        Two mails are the same when Message-ID, author and date are: a copy in a second mailbox has them all, while a
        program that uses one id twice, or a stranger who has seen an id, suppresses nothing.

        Raises:
            psycopg.OperationalError: the database is away; it may be sent again.
            StoreIsAway: the same of the store of attachments.
        """
        async with self._readers:
            message = await asyncio.to_thread(parse, raw)
        incoming = _Incoming(self, message, raw, arrival)
        if not await self._store.is_claimed(incoming.claim):
            await files.put_all(self._contents, incoming.files)
        outcome = await self._intake.together(incoming.work, Received, claim=incoming.claim)
        received(Channel.EMAIL, outcome)
        done = outcome.result
        log.info(
            "mail_received",
            done=done.done,
            ticket_id=done.ticket_id,
            refusal_id=done.refusal_id,
            replayed=outcome.replayed,
        )
        return outcome

    async def refuse_unread(
        self, arrival: Arrival, *, kind: Kind, reason: str, uid: int, raw: bytes | None = None
    ) -> None:
        """Write down a mail that could not be taken at all, so that somebody sees it; once for each `uid` and mailbox.

        Raises:
            psycopg.OperationalError, StoreIsAway: as `receive`.
        """
        sha256 = "" if raw is None else hashlib.sha256(raw).hexdigest()
        if raw is not None:
            await self._contents.put(sha256, raw)
        box = arrival.mailbox.name if arrival.mailbox else None

        def work(tx: Tx) -> Received:
            refusal_id = refusals.keep(
                tx, Verdict(kind, reason), sha256=sha256, size=len(raw or b""), mailbox=box
            )
            return Received(done="refused", why=f"{kind}: {reason}", refusal_id=refusal_id)

        moment = "" if arrival.arrived_at is None else arrival.arrived_at.isoformat()
        claim = Claim.of("email", f"unread\x1f{box}\x1f{uid}\x1f{moment}", b"")
        await self._intake.together(work, Received, claim=claim)

    async def open_refused(
        self, refusal_id: UUID, by: Actor, correlation_id: str
    ) -> Outcome[Received]:
        """Open a ticket of a mail that was refused, because a person says so; asked again, the same ticket.

        Nobody is told by mail: what wrote it may be a program.

        Raises:
            NotFound: there is no such refusal, or the mail was too large to keep.
        """
        refusal = await refusals.one(self._store, refusal_id)
        if refusal is None or not refusal.sha256:
            raise NotFound("there is no such refused mail that is kept")
        raw = b"".join([piece async for piece in await self._contents.read(refusal.sha256)])
        async with self._readers:
            message = await asyncio.to_thread(parse, raw)
        box = None if refusal.mailbox is None else self.mailboxes.named(refusal.mailbox)
        incoming = _Incoming(
            self, message, raw, Arrival(correlation_id=correlation_id, mailbox=box)
        )
        await files.put_all(self._contents, incoming.files)
        claim = Claim.of("email", f"opened\x1f{refusal_id}", b"")

        def work(tx: Tx) -> Received:
            return incoming.open_refused(tx, refusal, by)

        outcome = await self._intake.together(work, Received, claim=claim)
        log.info("refused_mail_opened", refusal_id=refusal_id, ticket_id=outcome.result.ticket_id)
        return outcome


class _Incoming:
    """One mail on its way; `work` runs in the transaction, perhaps more than once."""

    def __init__(self, mail: MailIn, message: EmailMessage, raw: bytes, arrival: Arrival) -> None:
        ours = mail.mailboxes.is_ours
        self._intake, self._pace, self._secret = mail._intake, mail._pace, mail._secret  # noqa: SLF001
        self._out = mail._out  # noqa: SLF001
        self._message, self._raw = message, raw
        self._author = guard.author_of(message, ours)
        self._mailbox = arrival.mailbox or mail.mailboxes.first_of(_recipients(message, arrival))
        self._verdict = guard.judge(message, self._author, ours)
        self._clues = clues_of(message, arrival.recipients)
        self.files = files.of_mail(message, raw)
        self._letter = write_letter(
            message,
            self._author,
            message_id=new_id(),
            attachments=tuple(one.facts for one in self.files),
            mailbox=self._mailbox.name if self._mailbox else None,
            is_ours=ours,
        )
        self._key = _key(message, self._letter, raw)
        self.claim = Claim.of("email", self._key, b"")
        self._asking = Asking(
            actor=self._letter.actor,
            via=Channel.EMAIL,
            correlation_id=arrival.correlation_id,
            occurred_at=arrival.arrived_at,
        )

    def work(self, tx: Tx) -> Received:
        """Decide first, write last: in a group commit a refusal must leave no row behind."""
        thread = threading.find(tx, self._secret.key(tx), self._clues)
        ticket = None if thread is None else self._intake.standing(tx, thread.ticket_id)
        is_requester = ticket is not None and self._is_requester(tx, ticket)
        if thread is not None and thread.evidence in threading.ONLY_OF_THE_REQUESTER:
            ticket = ticket if is_requester else None
        verdict = self._verdict
        if verdict.kind == "person" or (verdict.may_open and ticket is None):
            sent = guard.lately(tx, self._letter.sender, self._pace)
            if flood := guard.too_many(sent, self._pace):
                verdict = flood
                if ticket is None and sent.ticket_id is not None:
                    ticket = self._intake.standing(tx, sent.ticket_id)
        if ticket is None:
            return self._open(tx) if verdict.may_open else self._refuse(tx, verdict)
        if verdict.kind != "person":
            return self._record(tx, ticket, verdict)
        if ticket.category is StatusCategory.CLOSED and not is_requester:
            return self._open(
                tx, f"ticket #{ticket.number} is closed, and its sender a third party"
            )
        assert thread is not None, "the ticket was found by it"
        return self._reply(tx, ticket, thread.words, is_requester=is_requester)

    def _open(self, tx: Tx, why: str = "it belongs to no ticket yet") -> Received:
        letter, box = self._letter, self._mailbox
        command = OpenTicket(
            ticket_id=new_id(),
            message_id=letter.message_id,
            subject=letter.subject,
            body=letter.body,
            requester=self._intake.contacts.introduced(tx, letter.person),
            attachments=letter.attachments,
            mail=letter.headers,
        )
        if box is not None:
            command = msgspec.structs.replace(
                command,
                priority=box.priority,
                ticket_type=box.ticket_type,
                tags=box.tags,
                fields=box.fields,
            )
        event = self._intake.opening(tx, command, self._asking)
        ticket = tx.state(event.ticket_id)
        assert ticket is not None, "it has just been opened"
        ticket = self._add_copies(tx, ticket)
        self._acknowledge(tx, ticket)
        return self._received(tx, ticket, "opened", why)

    def open_refused(self, tx: Tx, refusal: refusals.Refusal, by: Actor) -> Received:
        """The work of `MailIn.open_refused`: the ticket, and a note that says how it came to be."""
        self._out = None
        done = self._open(tx, "a person opened it")
        assert done.ticket_id is not None, "it has just been opened"
        said = f"This mail was refused ({refusal.kind}: {refusal.reason}). {by.name or by.id} opened a ticket of it."
        asking = msgspec.structs.replace(self._asking, actor=by, via=Channel.AGENT)
        note = AddNote(message_id=new_id(), body=said)
        after = self._intake.changing(tx, done.ticket_id, note, asking)
        refusals.note_ticket(tx, refusal.id, done.ticket_id)
        return msgspec.structs.replace(done, version=after.version)

    def _add_copies(self, tx: Tx, ticket: Ticket) -> Ticket:
        """Whoever the requester put in Cc of the opening mail is written to as well.

        Of the opening mail only: a later one with a forged From would have the whole ticket sent to its author.
        """
        box = self._mailbox
        if self._verdict.kind != "person" or box is None or not box.copies:
            return ticket
        for address in self._letter.headers.cc[:COPIES_MAX]:
            if address.lower() == self._letter.sender:
                continue
            command = AddParticipant(
                person=person_of(Mailbox(name="", address=address)), role=ParticipantRole.CC
            )
            ticket = self._intake.changing(tx, ticket.id, command, self._asking)
        return ticket

    def _acknowledge(self, tx: Tx, ticket: Ticket) -> None:
        """RFC 3834: a person wrote, and nothing in the mail says that no program may answer."""
        box = self._mailbox
        if self._out is None or box is None or box.acknowledgement is None:
            return
        if self._verdict.kind == "person" and self._letter.headers.no_answer_reason is None:
            self._out.acknowledge(tx, ticket, self._letter.message_id)

    def _reply(self, tx: Tx, ticket: Ticket, why: str, *, is_requester: bool) -> Received:
        letter = self._letter
        command = AddCustomerReply(
            message_id=letter.message_id,
            body=letter.new_words,
            attachments=letter.attachments,
            mail=letter.headers,
            is_third_party=not is_requester,
        )
        mark = tx.mark()
        try:
            after = self._intake.changing(tx, ticket.id, command, self._asking)
        except Refused as refusal:  # the rules of the ticket say no, and the mail must not be lost
            tx.rewind(mark)
            return self._open(tx, f"ticket #{ticket.number} does not take it: {refusal.detail}")
        if not is_requester:
            self._add_participant(tx, after)
            why = f"{why}; its sender is a third party"
        if after.id != ticket.id:
            why = f"{why}; ticket #{ticket.number} has ended, #{after.number} follows it"
            return self._received(tx, after, "opened", why)
        return self._received(tx, after, "replied", why)

    def _is_requester(self, tx: Tx, ticket: Ticket) -> bool:
        """Whether the mail comes from the person the ticket is of, from whichever of their addresses."""
        letter, email = self._letter, ticket.requester_email
        if letter.sender is None:
            return False
        if email is not None and email.lower() == letter.sender:
            return True
        return self._intake.contacts.are_same(tx, (letter.person.id,), ticket.requester_id)

    def _add_participant(self, tx: Tx, ticket: Ticket) -> None:
        """Let people see who else writes here; until one of them says so, nobody trusts them."""
        if self._letter.sender is None:
            return
        command = AddParticipant(
            person=self._letter.person, role=ParticipantRole.CC, is_trusted=False
        )
        try:
            self._intake.changing(tx, ticket.id, command, self._asking)
        except Refused as refusal:  # there are as many as there may be; the message says who wrote
            log.info("third_party_not_added", ticket_id=ticket.id, reason=refusal.code)

    def _record(self, tx: Tx, ticket: Ticket, verdict: Verdict) -> Received:
        letter, message = self._letter, self._message
        command = RecordMessage(
            message_id=letter.message_id,
            body=letter.body,
            kind=verdict.kind,
            reason=verdict.reason,
            failed_recipients=tuple(message.failed_recipients),
            attachments=letter.attachments,
            mail=letter.headers,
        )
        after = self._intake.changing(tx, ticket.id, command, self._asking)
        if verdict.kind == "bounce":
            after = self._bounced(tx, after)
        return self._received(tx, after, "recorded", f"{verdict.kind}: {verdict.reason}")

    def _bounced(self, tx: Tx, ticket: Ticket) -> Ticket:
        """Say of the message that it did not arrive; nothing, when the report speaks of no mail of ours."""
        message = self._message
        failed = tuple(message.failed_recipients)
        mail = outbox.find_sent(tx, ticket.id, message.bounced_message_id, failed)
        if mail is None:
            return ticket
        reason = message.bounce_reason or self._verdict.reason
        command = RecordNotDelivered(
            message_id=mail.message_id,
            kind=mail.kind,
            sent_by=outbox.MailOutbox.name,
            recipients=failed,
            cause="bounced",
            reason=reason,
        )
        after = self._intake.changing(tx, ticket.id, command, self._asking)
        outbox.note_bounce(tx, mail, failed, reason)
        return after

    def _refuse(self, tx: Tx, verdict: Verdict) -> Received:
        letter = self._letter
        refusal_id = refusals.keep(
            tx,
            verdict,
            sha256=self.files[-1].facts.sha256,
            size=len(self._raw),
            subject=letter.subject,
            sender=letter.sender,
            message_id=letter.headers.message_id,
            mailbox=letter.headers.mailbox,
        )
        why = f"{verdict.kind}: {verdict.reason}; it belongs to no ticket"
        return Received(done="refused", why=why, refusal_id=refusal_id)

    def _received(self, tx: Tx, ticket: Ticket, done: Done, why: str) -> Received:
        threading.remember(
            tx,
            self._message.message_id or self._key,
            ticket_id=ticket.id,
            number=ticket.number,
            sender=self._letter.sender,
        )
        return Received(
            done=done,
            why=why,
            ticket_id=ticket.id,
            number=ticket.number,
            version=ticket.version,
            category=ticket.category,
            message_id=self._letter.message_id,
        )


def _recipients(message: EmailMessage, arrival: Arrival) -> list[str]:
    named = [one.address for one in (*message.to, *message.cc)]
    return [*arrival.recipients, *message.delivered_to, *named]


def _key(message: EmailMessage, letter: Letter, raw: bytes) -> str:
    """What makes two mails the same one."""
    if message.message_id is not None:
        date = message.date.isoformat() if message.date else ""
        return "\x1f".join(("id", message.message_id, letter.sender or "", date))
    return "\x1f".join(("content", _content_hash(message, raw)))


def _content_hash(message: EmailMessage, raw: bytes) -> str:
    """Of what the author wrote: a copy that took another way has other headers of delivery."""
    said = (
        message.from_.address.lower() if message.from_ else "",
        message.date.isoformat() if message.date else "",
        message.subject,
        message.text or "",
        message.html or "",
        *(one.sha256 for one in message.attachments),
    )
    if not any(said):
        return hashlib.sha256(raw).hexdigest()
    return hashlib.sha256("\x1f".join(said).encode("utf-8", "surrogatepass")).hexdigest()
