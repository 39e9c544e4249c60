"""The sender: takes replies out of the outbox, hands them to their messenger, and notes what became of each."""

import asyncio
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import structlog

from services.intake.app import Asking, Intake, Tx
from services.intake.channels.messengers import outbox
from services.intake.channels.messengers.kind import Leaving, Messenger, NotNow, Rejected
from services.intake.channels.messengers.outbox import Row
from services.intake.channels.messengers.receiving import MessengersIn
from services.intake.domain import Ticket
from services.intake.domain.commands import RecordSent
from shared.database import TRANSIENT
from shared.events import Actor, ActorKind, Channel
from shared.eventstore import EventStore
from shared.observability.correlation import new_correlation_id

log = structlog.get_logger(__name__)
R = TypeVar("R")

LOOK_SECONDS: Final = 0.5
"""How long a reply may go unnoticed: a conversation by messenger is quick."""

TOGETHER_MAX: Final = 16
PAUSE_SECONDS: Final = 2.0
PAUSE_SECONDS_MAX: Final = 900.0
_SENDER: Final = Actor(kind=ActorKind.SYSTEM, id="messengers", name="Messengers")


class MessengerSender:
    """Any number of processes may run one; no message is with two of them at once.

    Args:
        intake: the verbs, to note on the ticket what became of a reply.
        store: where the outbox is.
        messengers: by source.
        give_up: how long a reply is tried.
        spread: gives 0..1 for the jitter of pauses.
    """

    def __init__(
        self,
        intake: Intake,
        store: EventStore[Ticket],
        messengers: Mapping[str, Messenger],
        *,
        give_up: timedelta,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._intake = intake
        self._in = MessengersIn(intake)
        self._store = store
        self._messengers = messengers
        self._give_up = give_up
        self._spread = spread

    async def run(self) -> None:
        """Until cancelled. A database that is away is waited for."""
        try:
            while True:
                try:
                    count = await self.send_due()
                except TRANSIENT as error:
                    log.warning("messenger_outbox_waits", error=type(error).__name__)
                    count = 0
                if not count:
                    await asyncio.sleep(LOOK_SECONDS)
        finally:
            for one in self._messengers.values():
                await one.close()

    async def send_due(self) -> int:
        """Try what is due now; returns how many were tried."""
        rows = await self._transact(lambda tx: outbox.claim(tx, count_max=TOGETHER_MAX))
        await asyncio.gather(*map(self._send, rows))
        return len(rows)

    async def _send(self, row: Row) -> None:
        messenger = self._messengers.get(row.source or "")
        if messenger is None or row.thread is None:
            await self._dead(
                row, "refused", f"there is no messenger {row.source or 'for this ticket'}"
            )
            return
        now = datetime.now(UTC)
        leaving = Leaving(
            id=row.id,
            ticket_id=row.ticket_id,
            message_id=row.message_id,
            thread=row.thread,
            text=row.text,
            author=row.author,
            heard_at=row.heard_at,
        )
        try:
            external_id = await messenger.send(leaving, now)
        except Rejected as refusal:
            await self._dead(row, "refused", str(refusal))
        except NotNow as refusal:
            await self._later(row, refusal, now)
        else:
            await self._transact(lambda tx: self._sent(tx, row, external_id))
            log.info("messenger_sent", ticket_id=row.ticket_id, source=row.source)

    def _sent(self, tx: Tx, row: Row, external_id: str | None) -> None:
        outbox.sent(tx, row, external_id)
        if row.part:
            return  # the first part has told it
        command = RecordSent(
            message_id=row.message_id,
            kind="reply",
            sent_by=outbox.NAME,
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
        log.warning("messenger_tries_later", source=row.source, reason=str(refusal))

    async def _dead(self, row: Row, cause: str, reason: str) -> None:
        def work(tx: Tx) -> None:
            outbox.dead(tx, row, reason)
            self._in.not_delivered(
                tx, row, cause=cause, reason=reason, correlation_id=new_correlation_id()
            )

        await self._transact(work)
        log.warning("messenger_gave_up", ticket_id=row.ticket_id, source=row.source, cause=cause)

    async def _transact(self, work: Callable[[Tx], R]) -> R:
        return await asyncio.to_thread(self._store.transact, work)
