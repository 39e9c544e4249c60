"""The outbox of messengers: written with the event, taken by one sender at a time, in the order of each conversation.

waiting → claimed → sent | dead; claimed → waiting when it failed for now, or when whoever had it has died. Messengers
know no idempotency key, so a process that dies between the hand-over and its note sends one message a second time.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from services.intake.channels.messengers.kind import TEXT_CHARS_MAX, Told
from services.intake.domain import Ticket
from shared.database import Transaction
from shared.errors import NotFound
from shared.events import Channel
from shared.events.messages import AttachedFile
from shared.events.tickets import AgentReplied, Person, TicketOpened
from shared.eventstore import EventStore
from shared.identifiers import new_id

NAME: Final = "messenger"
LISTED_MAX: Final = 200
LEASE: Final = timedelta(seconds=60)
FILE_LEASE: Final = timedelta(minutes=10)
"""Whoever has words, or a file, for longer has died. Ten minutes carry 100 MB on a line of 1.5 Mbit/s."""

_COLUMNS: Final = (
    "id, ticket_id, message_id, part, source, thread, text, author, heard_at, attempts, created_at,"
    " finished_at, file, kind"
)
State = Literal["waiting", "claimed", "sent", "dead", "discarded"]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One message that leaves.

    Attributes:
        part: a long reply leaves in several, its files behind the words, one by one.
        finished_at: it was given up then, and somebody has let it try again.
        file: what is sent; None: `text` is.
    """

    id: UUID
    ticket_id: UUID
    message_id: UUID
    part: int
    source: str | None
    thread: str | None
    text: str
    author: str | None
    heard_at: datetime | None
    attempts: int
    created_at: datetime
    finished_at: datetime | None = None
    file: AttachedFile | None = None
    kind: Literal["reply", "survey"] = "reply"

    @property
    def lease(self) -> timedelta:
        """For so long it is with whoever has taken it."""
        return LEASE if self.file is None else FILE_LEASE


class MessengerOutbox:
    """Takes replies on tickets that came by a messenger (see `outgoing.Outgoing`)."""

    name = NAME

    def takes(self, requester: Person, via: Channel, *, is_outbound: bool) -> bool:  # noqa: ARG002
        """Whether the ticket came by a messenger."""
        return via is Channel.MESSENGER and not is_outbound

    def put(self, tx: Transaction, ticket: Ticket, event: AgentReplied | TicketOpened) -> None:
        """Keep the reply for its conversation; one that has none is told by the sender."""
        tx.cursor.execute(
            "SELECT source, thread, heard_at FROM channel_threads WHERE ticket_id = %s"
            " ORDER BY heard_at DESC LIMIT 1",
            (ticket.id,),
        )
        row = tx.cursor.fetchone() or {"source": None, "thread": None, "heard_at": None}
        files = [one for one in event.attachments if one.withheld is None]
        leaving: list[tuple[str, str | None]] = [(one, None) for one in parts(event.body.strip())]
        leaving += [(one.name, msgspec.json.encode(one).decode()) for one in files]
        tx.cursor.executemany(
            "INSERT INTO messenger_outbox (id, ticket_id, message_id, part, source, thread, text,"
            " file, author, heard_at, state, next_attempt_at, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'waiting', %s, %s)",
            [
                (
                    new_id(), ticket.id, event.message_id, part, row["source"], row["thread"],
                    words, file, event.actor.signature, row["heard_at"], tx.now, tx.now,
                )
                for part, (words, file) in enumerate(leaving)
            ],
        )  # fmt: skip


def parts(text: str) -> list[str]:
    """The text in pieces that messengers take, cut between words where there are any."""
    found = []
    while len(text) > TEXT_CHARS_MAX:
        piece = text[:TEXT_CHARS_MAX]
        cut = max(piece.rfind("\n"), piece.rfind(" "))
        cut = cut if cut > TEXT_CHARS_MAX // 2 else TEXT_CHARS_MAX
        found.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*found, text]


def claim(tx: Transaction, *, count_max: int) -> list[Row]:
    """What is due and now ours: of each conversation the first that has not left."""
    tx.cursor.execute(
        "UPDATE messenger_outbox SET state = 'claimed', attempts = attempts + 1,"  # noqa: S608
        " claimed_until = CASE WHEN file IS NULL THEN %s ELSE %s END"
        " WHERE id IN (SELECT id FROM messenger_outbox AS one"
        "  WHERE (state = 'waiting' AND next_attempt_at <= %s"
        "   OR state = 'claimed' AND claimed_until <= %s)"
        "  AND NOT EXISTS (SELECT 1 FROM messenger_outbox AS earlier"
        "   WHERE earlier.state IN ('waiting', 'claimed') AND earlier.id < one.id"
        "   AND earlier.source = one.source AND earlier.thread = one.thread)"
        f"  ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING {_COLUMNS}",
        (tx.now + LEASE, tx.now + FILE_LEASE, tx.now, tx.now, count_max),
    )
    found = [msgspec.convert(row, Row) for row in tx.cursor.fetchall()]
    return sorted(found, key=lambda row: row.id)


def sent(tx: Transaction, row: Row, external_id: str | None) -> None:
    """It has left."""
    tx.cursor.execute(
        "UPDATE messenger_outbox SET state = 'sent', finished_at = %s, external_id = %s,"
        " last_error = NULL WHERE id = %s",
        (tx.now, external_id, row.id),
    )


def later(tx: Transaction, row: Row, reason: str, at: datetime) -> None:
    """It is tried again at this moment."""
    tx.cursor.execute(
        "UPDATE messenger_outbox SET state = 'waiting', next_attempt_at = %s, last_error = %s"
        " WHERE id = %s",
        (at, reason, row.id),
    )


def dead(tx: Transaction, row: Row, reason: str) -> None:
    """Nobody tries any more. What is behind words does not leave either, or half a reply would; files go each alone."""
    tx.cursor.execute(
        "UPDATE messenger_outbox SET state = 'dead', finished_at = %s, last_error = %s"
        " WHERE id = %s OR (message_id = %s AND part > %s AND state = 'waiting' AND %s)",
        (tx.now, reason, row.id, row.message_id, row.part, row.file is None),
    )


def told(tx: Transaction, source: str, one: Told) -> Row | None:
    """Note what the messenger says of it; a word that comes late does not take back a later state."""
    tx.cursor.execute(
        "UPDATE messenger_outbox SET delivery = %s, last_error = coalesce(%s, last_error)"  # noqa: S608
        " WHERE source = %s AND external_id = %s"
        " AND array_position(ARRAY['sent', 'delivered', 'read', 'failed'], coalesce(delivery, 'sent'))"
        "  <= array_position(ARRAY['sent', 'delivered', 'read', 'failed'], %s)"
        f" RETURNING {_COLUMNS}",
        (one.state, one.reason, source, one.external_id, one.state),
    )
    row = tx.cursor.fetchone()
    return None if row is None else msgspec.convert(row, Row)


def decide(tx: Transaction, id_: UUID, state: Literal["waiting", "discarded"]) -> None:
    """Somebody lets a dead one try again, or lays it aside.

    Raises:
        NotFound: there is no dead one of this id.
    """
    tx.cursor.execute(
        "UPDATE messenger_outbox SET state = %s, next_attempt_at = %s, created_at = %s"
        " WHERE state = 'dead' AND message_id = (SELECT message_id FROM messenger_outbox WHERE id = %s)",
        (state, tx.now, tx.now, id_),
    )
    if tx.cursor.rowcount == 0:
        raise NotFound("there is no dead message of this id")


async def listed(
    store: EventStore[Any], *, state: State | None, ticket_id: UUID | None, limit: int
) -> Sequence[dict[str, Any]]:
    """Messages, newest first."""
    pool = await store.pool()
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT id, ticket_id, message_id, part, source, state, delivery, attempts,"
            " next_attempt_at, created_at, finished_at, last_error FROM messenger_outbox"
            " WHERE (%(state)s::text IS NULL OR state = %(state)s)"
            " AND (%(ticket)s::uuid IS NULL OR ticket_id = %(ticket)s)"
            " ORDER BY id DESC LIMIT %(limit)s",
            {"state": state, "ticket": ticket_id, "limit": limit},
        )
        return await found.fetchall()
