"""The sender: takes replies out of the outbox, hands them to their messenger, and notes what became of each."""

import asyncio
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import structlog
from msgspec.structs import replace

from services.intake.app import Asking, Intake, Tx
from services.intake.channels.conversations import outbox
from services.intake.channels.conversations.leaving import Leaving, NotNow, Rejected, Sends
from services.intake.channels.conversations.outbox import Row
from services.intake.channels.messengers.files import FilesOut
from services.intake.channels.messengers.receiving import MessengersIn
from services.intake.domain import Ticket
from services.intake.domain.commands import RecordSent
from shared.database import TRANSIENT
from shared.events import Actor, ActorKind, Channel
from shared.eventstore import EventStore
from shared.observability import metrics
from shared.observability.correlation import new_correlation_id

log = structlog.get_logger(__name__)
R = TypeVar("R")

LOOK_SECONDS: Final = 0.5
"""How long a reply may go unnoticed: a conversation by messenger is quick."""

TOGETHER_MAX: Final = 16
"""Under way at once: a file that takes minutes must not hold up everybody's words."""

STOP_SECONDS_MAX: Final = 10.0
"""For what is under way when the process ends; a service has 20 s for everything."""

PAUSE_SECONDS: Final = 2.0
PAUSE_SECONDS_MAX: Final = 900.0
_SENDER: Final = Actor(kind=ActorKind.SYSTEM, id="messengers", name="Messengers")


class MessengerSender:
    """Any number of processes may run one; no message is with two of them at once.

    Args:
        intake: the verbs, to note on the ticket what became of a reply.
        store: where the outbox is.
        messengers: what sends, by source: messengers and the chat.
        files: what replies enclose.
        give_up: how long a reply is tried.
        spread: gives 0..1 for the jitter of pauses.
    """

    def __init__(
        self,
        intake: Intake,
        store: EventStore[Ticket],
        messengers: Mapping[str, Sends],
        files: FilesOut,
        *,
        give_up: timedelta,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._intake = intake
        self._in = MessengersIn(intake)
        self._store = store
        self._messengers = messengers
        self._files = files
        self._give_up = give_up
        self._spread = spread

    async def run(self) -> None:
        """Until cancelled: then what is under way is finished, because cut off it would be sent once more."""
        under_way: set[asyncio.Task[None]] = set()
        try:
            while True:
                room = TOGETHER_MAX - len(under_way)
                under_way |= {asyncio.create_task(self._try(row)) for row in await self._due(room)}
                if under_way:
                    _, under_way = await asyncio.wait(
                        under_way, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
                    )
                else:
                    await asyncio.sleep(LOOK_SECONDS)
        finally:
            if under_way:
                await asyncio.wait(under_way, timeout=STOP_SECONDS_MAX)

    async def _due(self, count_max: int) -> list[Row]:
        """What is now ours. A database that is away is waited for."""
        if not count_max:
            return []
        try:
            return await self._transact(lambda tx: outbox.claim(tx, count_max=count_max))
        except TRANSIENT as error:
            log.warning("messenger_outbox_waits", error=type(error).__name__)
            return []

    async def _try(self, row: Row) -> None:
        try:
            await self._send(row)
        except TRANSIENT as error:
            log.warning("messenger_outbox_waits", error=type(error).__name__)
        except Exception as error:
            # One message that trips over our own mistake must not stop all the others: loud, and for a person.
            log.exception("messenger_not_sent", ticket_id=row.ticket_id, source=row.source)
            await self._dead(row, "refused", f"it could not be sent ({type(error).__name__})")

    async def _send(self, row: Row) -> None:
        messenger = self._messengers.get(row.source or "")
        if messenger is None or row.thread is None:
            await self._dead(
                row, "refused", f"there is no messenger {row.source or 'for this ticket'}"
            )
            return
        now = datetime.now(UTC)
        file = None
        if row.file is not None:
            file = await self._files.enclosed(row.ticket_id, row.file, now)
        leaving = Leaving(
            id=row.id,
            ticket_id=row.ticket_id,
            message_id=row.message_id,
            thread=row.thread,
            text=row.text,
            author=row.author,
            heard_at=row.heard_at,
            file=file,
        )
        try:
            # Well before it would be somebody else's: it must not be with two at once.
            async with asyncio.timeout(row.lease.total_seconds() * 0.8):
                external_id = await self._hand_over(messenger, leaving, now)
        except TimeoutError:
            await self._later(row, NotNow("it took too long"), now)
        except Rejected as refusal:
            await self._dead(row, "refused", str(refusal))
        except NotNow as refusal:
            await self._later(row, refusal, now)
        else:
            await self._transact(lambda tx: self._sent(tx, row, external_id))
            metrics.INTAKE_MESSAGES_OUT.labels(row.sent_by, "sent").inc()
            log.info("messenger_sent", ticket_id=row.ticket_id, source=row.source)

    async def _hand_over(self, messenger: Sends, leaving: Leaving, now: datetime) -> str | None:
        """As it is; a file that the messenger never takes, as a link. Raises Rejected, NotNow."""
        try:
            return await messenger.send(leaving, now)
        except Rejected as refusal:
            file = leaving.file
            if file is None:
                raise
            if file.link is None:
                why = f"{file.name}: {refusal}; for a link TICKETING_PUBLIC_URL has to be set"
                raise Rejected(why) from None
            log.info("messenger_file_as_link", ticket_id=leaving.ticket_id, why=str(refusal))
            try:
                return await messenger.send(replace(leaving, file=None, text=file.as_words), now)
            except Rejected as second:
                raise Rejected(f"{file.name}: {refusal}; as a link: {second}") from None

    def _sent(self, tx: Tx, row: Row, external_id: str | None) -> None:
        outbox.sent(tx, row, external_id)
        if row.part and row.finished_at is None:
            return  # the first part has told it, and nobody has told otherwise since
        command = RecordSent(
            message_id=row.message_id,
            kind=row.kind,
            sent_by=row.sent_by,
            recipients=(row.thread or "",),
        )
        asking = Asking(actor=_SENDER, via=Channel.SYSTEM, correlation_id=new_correlation_id())
        self._intake.changing(tx, row.ticket_id, command, asking)

    async def _later(self, row: Row, refusal: NotNow, now: datetime) -> None:
        if now - row.created_at >= self._give_up:
            await self._dead(row, "given_up", f"tried {row.attempts} times; {refusal}")
            return
        pause = min(PAUSE_SECONDS * 2 ** min(row.attempts - 1, 12), PAUSE_SECONDS_MAX)
        pause = max(pause * (0.75 + self._spread() / 2), refusal.seconds or 0.0)
        at = now + timedelta(seconds=pause)
        await self._transact(lambda tx: outbox.later(tx, row, str(refusal), at))
        metrics.INTAKE_MESSAGES_OUT.labels(row.sent_by, "later").inc()
        log.warning("messenger_tries_later", source=row.source, reason=str(refusal))

    async def _dead(self, row: Row, cause: str, reason: str) -> None:
        def work(tx: Tx) -> None:
            outbox.dead(tx, row, reason)
            self._in.not_delivered(
                tx, row, cause=cause, reason=reason, correlation_id=new_correlation_id()
            )

        await self._transact(work)
        metrics.INTAKE_MESSAGES_OUT.labels(row.sent_by, "dead").inc()
        log.warning("messenger_gave_up", ticket_id=row.ticket_id, source=row.source, cause=cause)

    async def _transact(self, work: Callable[[Tx], R]) -> R:
        return await asyncio.to_thread(self._store.transact, work)
