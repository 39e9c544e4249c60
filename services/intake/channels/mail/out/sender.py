"""The sender: takes mails out of the outbox, makes them, hands them over, and writes down what became of each."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final, TypeVar

import msgspec
import structlog

from services.intake.app import Asking, Intake, Tx
from services.intake.attachments.store import AttachmentStore, ContentIsMissing, StoreIsAway
from services.intake.channels.mail.mailboxes import Mailboxes
from services.intake.channels.mail.out import composing, outbox
from services.intake.channels.mail.out.composing import Content, Withheld
from services.intake.channels.mail.out.outbox import Item
from services.intake.domain import Ticket
from services.intake.domain.commands import RecordNotDelivered, RecordSent
from services.intake.secrets import Secret
from shared.database import TRANSIENT
from shared.events import Actor, ActorKind, Channel
from shared.eventstore import EventStore
from shared.mail import Connection, Failure, Handed, Parcel, ServerIsAway, Transport
from shared.observability import metrics
from shared.observability.correlation import new_correlation_id

log = structlog.get_logger(__name__)
R = TypeVar("R")

LOOK_SECONDS: Final = 1.0
"""How long a mail that another process put in may go unnoticed."""

TOGETHER_MAX: Final = 20
"""Mails claimed at once: few enough to be handed over well within the lease."""

CONNECTIONS_MAX: Final = 4
"""Connections to the mail server at once, from one process."""

STOP_SECONDS_MAX: Final = 10.0
"""For the mails under way when the process ends; a service has 20 s for everything."""

IN_DOUBT: Final = "the process ended while it was handed over, so it may have arrived: retry it only if it has not"

_AWAY_SECONDS_MAX: Final = 60.0
_SENDER: Final = Actor(kind=ActorKind.SYSTEM, id="mail", name="Mail")


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How mails are tried, times in seconds.

    Attributes:
        pause_seconds: before the second attempt; each further pause doubles, up to `pause_seconds_max`.
        give_up_seconds: from the first attempt on; then the mail is dead.
        lease_seconds: for one round of attempts; a sender that has died is followed by another after it.
        per_domain_max: mails under way to one domain, over all senders.
        bytes_max: of the files of one mail; more is named in it and not attached.
    """

    pause_seconds: float = 30.0
    pause_seconds_max: float = 3_600.0
    give_up_seconds: float = 172_800.0
    lease_seconds: float = 300.0
    per_domain_max: int = 4
    bytes_max: int = 18_000_000


class MailSender:
    """Any number of processes may run one; no mail is with two of them at once.

    Args:
        intake: the verbs, to note on the ticket what became of a mail.
        store: where outbox and events are.
        contents: where the files are.
        mailboxes: ours.
        transport: the way out.
        patience: how mails are tried.
        public_url: where customers reach us, for the links of surveys.
        spread: gives 0..1 for the jitter of pauses.
    """

    def __init__(
        self,
        intake: Intake,
        store: EventStore[Ticket],
        contents: AttachmentStore,
        mailboxes: Mailboxes,
        transport: Transport,
        *,
        patience: Patience,
        public_url: str | None = None,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._intake = intake
        self._store = store
        self._contents = contents
        self._mailboxes = mailboxes
        self._transport = transport
        self._patience = patience
        self._public_url = public_url
        self._spread = spread
        self._secret = Secret("mail")
        self._away_count = 0
        self._is_stopping = False

    async def run(self) -> None:
        """Until cancelled: then the mails under way are finished, because cut off they would be in doubt."""
        while True:
            work = asyncio.ensure_future(self.send_due())
            try:
                seconds = await asyncio.shield(work)
            except asyncio.CancelledError:
                self._is_stopping = True
                await asyncio.wait([work], timeout=STOP_SECONDS_MAX)
                raise
            except TRANSIENT as error:
                log.warning("mail_outbox_waits", error=type(error).__name__)
                seconds = LOOK_SECONDS
            if seconds > 0:
                await asyncio.sleep(seconds)

    async def send_due(self) -> float:
        """Try what is due now; returns after how many seconds to look again (0: at once)."""
        lease = timedelta(seconds=self._patience.lease_seconds)
        items = await self._transact(
            lambda tx: outbox.claim(
                tx,
                count_max=1 if self._away_count else TOGETHER_MAX,
                per_domain_max=self._patience.per_domain_max,
                lease=lease,
            )
        )
        if not items:
            return LOOK_SECONDS
        shares = [items[start::CONNECTIONS_MAX] for start in range(CONNECTIONS_MAX)]
        # Well before the lease is over, what is left is given back: it must not be with two at once.
        try:
            async with asyncio.timeout(self._patience.lease_seconds * 0.8):
                reached = await asyncio.gather(*(self._share(one) for one in shares if one))
        except TimeoutError:
            reached = [False]
            log.warning("mails_took_too_long", count=len(items))
        if all(reached):
            self._away_count = 0
            return 0.0
        self._away_count += 1
        pause = min(self._patience.pause_seconds, 2.0 ** min(self._away_count, 10) / 2)
        return self._jittered(min(pause, _AWAY_SECONDS_MAX))

    async def _share(self, items: Sequence[Item]) -> bool:
        """Hand these over on one connection; False: the server is away, and what is left waits."""
        left = list(items)
        for doubtful in (item for item in items if item.is_in_doubt):
            left.remove(doubtful)
            await self._give_up(doubtful, "in_doubt", IN_DOUBT)
        try:
            ready = [(item, await self._parcel(item)) for item in left]
            left = [item for item, parcel in ready if parcel is not None]
            if not left:
                return True
            async with self._transport.connect() as connection:
                for item, parcel in ready:
                    if parcel is None:
                        continue
                    if self._is_stopping:
                        break
                    left.remove(item)
                    await self._attempt(connection, item, parcel)
            if left:
                await self._transact(lambda tx: self._later(tx, left, "the sender was ending"))
        except (ServerIsAway, StoreIsAway) as error:
            reason = str(error)
            log.warning("mail_server_away", reason=reason, count=len(left))
            metrics.INTAKE_MESSAGES_OUT.labels("email", "away").inc(len(left))
            await self._transact(lambda tx: self._later(tx, left, reason))
            return False
        return True

    def _later(self, tx: Tx, items: Sequence[Item], reason: str) -> None:
        outbox.put_back(tx, items, at=tx.now, reason=reason)

    async def _parcel(self, item: Item) -> Parcel | None:
        """The mail; None: it will not be sent, and that is written down."""
        try:
            return await self._made(item)
        except Withheld as refusal:
            reason = str(refusal)
        except ContentIsMissing:
            reason = "a file of the message is not in the store of attachments"
        except Exception as error:
            # One mail that trips over our own mistake must not stop all the others: loud, and for a person.
            log.exception("mail_not_made", mail=str(item.id))
            reason = f"it could not be made ({type(error).__name__})"
        await self._give_up(item, "withheld", reason)
        return None

    async def _give_up(self, item: Item, cause: str, reason: str) -> None:
        await self._transact(lambda tx: self._dead(tx, item, cause, reason))

    async def _made(self, item: Item) -> Parcel:
        if item.kind == "notice":
            item = msgspec.structs.replace(item, recipient=await self._address(item.recipient))
        history = await asyncio.to_thread(self._store.history, item.ticket_id)
        story = composing.read_story(history, item)
        contents: list[Content] = []
        room = self._patience.bytes_max
        for file in composing.files_of(story, item):
            if file.size > room:
                contents.append(Content(file, None))
                continue
            room -= file.size
            pieces = await self._contents.read(file.sha256)
            contents.append(Content(file, b"".join([piece async for piece in pieces])))
        key = await self._secret.load(self._store)
        return await asyncio.to_thread(
            composing.compose,
            story,
            item,
            self._mailboxes,
            key,
            contents,
            public_url=self._public_url,
        )

    async def _address(self, recipient: str) -> str:
        """The mail address of `agent:<id>` or `lead:<group>`, as the contact with that login has it now.

        Raises:
            Withheld: nobody has said it; once somebody has, `retry` finds it.
        """
        if not recipient.startswith(("agent:", "lead:")):
            return recipient
        login = recipient.removeprefix("agent:")
        known = await self._intake.known_as((login,))
        if known is None or known.email is None:
            raise Withheld(f"no contact with the login {login} has a mail address")
        return known.email

    async def _attempt(self, connection: Connection, item: Item, parcel: Parcel) -> None:
        broken: ServerIsAway | None = None
        if not await self._transact(lambda tx: outbox.begin(tx, item)):
            return
        try:
            handed = await connection.hand_over(str(item.id), parcel)
        except ServerIsAway as error:
            # Counts for this one only: should it be what breaks connections, it must not stand before the others.
            broken = error
            handed = Handed(
                later=tuple(Failure(one, None, str(error)) for one in parcel.recipients)
            )
        outcome = await self._transact(lambda tx: self._settle(tx, item, handed))
        metrics.INTAKE_MESSAGES_OUT.labels("email", outcome).inc()
        log.info("mail_out", mail=str(item.id), ticket_id=str(item.ticket_id), outcome=outcome)
        if broken is not None:
            raise broken

    def _dead(self, tx: Tx, item: Item, cause: str, reason: str) -> None:
        if not outbox.is_still_claimed(tx, item):
            return
        outbox.settle(tx, item, state="dead", reached=(), failed=(), error=reason)
        ticket = tx.state(item.ticket_id)
        address = None if ticket is None else ticket.requester_email
        if item.kind == "notice":
            address = item.recipient
        self._note_failures(tx, item, cause, [Failure(address or "", None, reason)])
        metrics.INTAKE_MESSAGES_OUT.labels("email", "dead").inc()

    def _settle(self, tx: Tx, item: Item, handed: Handed) -> str:
        """Row and ticket in one transaction, unless another sender has the mail by now."""
        if not outbox.is_still_claimed(tx, item):
            return "lost"
        give_up_at = item.give_up_at or tx.now + timedelta(seconds=self._patience.give_up_seconds)
        next_at = tx.now + timedelta(seconds=self._pause(item.attempts))
        later = handed.later
        given_up: tuple[Failure, ...] = ()
        if later and next_at >= give_up_at:
            later, given_up = (), handed.later
        lost = (*handed.refused, *given_up)
        worst = (*lost, *later)
        state: outbox.State = "waiting" if later else "dead" if lost else "sent"
        outbox.settle(
            tx,
            item,
            state=state,
            reached=[one.lower() for one in handed.reached],
            failed=[one.address.lower() for one in lost],
            next_attempt_at=next_at if later else None,
            give_up_at=give_up_at,
            error=worst[0].reason if worst else None,
            code=worst[0].code if worst else None,
        )
        if handed.reached:
            self._note_sent(tx, item, handed.reached)
            delay = (tx.now - item.created_at).total_seconds()
            metrics.INTAKE_MAIL_DELAY_SECONDS.observe(max(delay, 0.0))
        self._note_failures(tx, item, "refused", handed.refused)
        self._note_failures(tx, item, "given_up", given_up)
        return {"waiting": "later", "dead": "dead"}.get(state, "sent")

    def _note_sent(self, tx: Tx, item: Item, recipients: tuple[str, ...]) -> None:
        command = RecordSent(
            message_id=item.message_id,
            kind=item.kind,
            sent_by="email",
            recipients=recipients,
            mail_id=item.mail_id,
        )
        self._intake.changing(tx, item.ticket_id, command, _asking())

    def _note_failures(self, tx: Tx, item: Item, cause: str, failures: Sequence[Failure]) -> None:
        """One event for each reason: usually there is one."""
        said = {(one.code, one.reason) for one in failures}
        for code, reason in sorted(said, key=str):
            alike = tuple(
                one.address for one in failures if (one.code, one.reason) == (code, reason)
            )
            command = RecordNotDelivered(
                message_id=item.message_id,
                kind=item.kind,
                sent_by="email",
                recipients=tuple(one for one in alike if one),
                cause=cause,
                reason=reason,
                code=code,
            )
            self._intake.changing(tx, item.ticket_id, command, _asking())

    def _pause(self, attempts: int) -> float:
        doubled = self._patience.pause_seconds * 2.0 ** min(attempts - 1, 30)
        return self._jittered(min(doubled, self._patience.pause_seconds_max))

    def _jittered(self, seconds: float) -> float:
        """Between the half and the whole: many that failed together do not come back together."""
        return seconds * (0.5 + self._spread() / 2)

    async def _transact(self, work: Callable[[Tx], R]) -> R:
        return await asyncio.to_thread(self._store.transact, work)


def _asking() -> Asking:
    return Asking(actor=_SENDER, via=Channel.EMAIL, correlation_id=new_correlation_id())
