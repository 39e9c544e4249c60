"""The outbox of conversations: written with the event, taken by one sender at a time, in the order of each of them.

waiting → claimed → sent | dead; claimed → waiting when it failed for now, or when whoever had it has died. Messengers
know no idempotency key, so a process that dies between the hand-over and its note sends one message a second time.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from services.intake.channels.conversations.leaving import TEXT_CHARS_MAX, Told
from services.intake.domain import Ticket
from services.intake.domain.survey_policy import SurveyPolicy
from services.intake.outgoing import Reader, Standing
from services.intake.secrets import Secret
from services.intake.surveys import links
from services.intake.surveys.words import invitation
from shared.database import Transaction
from shared.errors import NotFound
from shared.events import Channel
from shared.events.messages import AttachedFile
from shared.events.satisfaction import SatisfactionOffered
from shared.events.tickets import AgentReplied, TicketOpened
from shared.eventstore import EventStore
from shared.identifiers import new_id

NAME: Final = "messenger"
CHAT: Final = "chat"
LISTED_MAX: Final = 200
LEASE: Final = timedelta(seconds=60)
FILE_LEASE: Final = timedelta(minutes=10)
"""Whoever has words, or a file, for longer has died. Ten minutes carry 100 MB on a line of 1.5 Mbit/s."""

_COLUMNS: Final = (
    "id, ticket_id, message_id, part, source, thread, text, author, heard_at, attempts, created_at,"
    " finished_at, file, kind"
)
Kind = Literal["reply", "survey"]
_Part = tuple[str, str | None]
"""Words, or a file's name and the file as the event has it (JSON)."""

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
    kind: Kind = "reply"

    @property
    def sent_by(self) -> str:
        """What `MessageSent` calls the way."""
        return CHAT if self.source == CHAT else NAME

    @property
    def lease(self) -> timedelta:
        """For so long it is with whoever has taken it."""
        return LEASE if self.file is None else FILE_LEASE


class Conversation(msgspec.Struct, frozen=True):
    """Where a ticket's customer reads. `source`: which messenger; `heard_at`: when they last wrote."""

    source: str
    thread: str
    heard_at: datetime


class MessengerOutbox:
    """Takes what is written on tickets that came by a messenger (see `outgoing.Outgoing`), and surveys.

    Args:
        public_url: where customers reach us; only questions need it.
    """

    name = NAME

    def __init__(self, public_url: str | None) -> None:
        self._public_url = public_url
        self._secret = Secret("mail")

    def takes(self, reader: Reader) -> bool:
        """Whether the ticket came by a messenger."""
        return reader.via is Channel.MESSENGER and not reader.is_outbound

    def conversation(self, tx: Transaction, ticket_id: UUID) -> Conversation | None:
        """The one in which the customer wrote last."""
        tx.cursor.execute(
            "SELECT source, thread, heard_at FROM channel_threads WHERE ticket_id = %s"
            " ORDER BY heard_at DESC LIMIT 1",
            (ticket_id,),
        )
        row = tx.cursor.fetchone()
        return None if row is None else Conversation(**row)

    def put(self, tx: Transaction, ticket: Ticket, event: AgentReplied | TicketOpened) -> None:
        """Keep the reply for its conversation; one that has none is told by the sender."""
        leaving: list[_Part] = [(one, None) for one in parts(event.body.strip())]
        leaving += [
            (one.name, msgspec.json.encode(one).decode())
            for one in event.attachments
            if one.withheld is None
        ]
        self._keep(tx, ticket, "reply", event.message_id, leaving, event.actor.signature)

    def standing(self, tx: Transaction) -> Standing:
        """See `Outgoing`; what has no conversation is counted here too."""
        return Standing.read(tx, "messenger_outbox", "source IS DISTINCT FROM 'chat'")

    def ask(
        self, tx: Transaction, ticket: Ticket, event: SatisfactionOffered, policy: SurveyPolicy
    ) -> None:
        """See `surveys.desk.SurveyChannel`: the words of the policy, with a link for each answer."""
        assert self._public_url is not None, "who builds us asks nobody then"
        asked = links.Asked(ticket.id, event.survey_id)
        answers = links.answers(self._secret.key(tx), asked, self._public_url)
        words = invitation(policy, ticket.number, answers)
        self._keep(tx, ticket, "survey", event.survey_id, [(words, None)], None)

    def _keep(
        self,
        tx: Transaction,
        ticket: Ticket,
        kind: Kind,
        message_id: UUID,
        leaving: Sequence[_Part],
        author: str | None,
    ) -> None:
        at = self.conversation(tx, ticket.id)
        where = (None, None, None) if at is None else (at.source, at.thread, at.heard_at)
        tx.cursor.executemany(
            "INSERT INTO messenger_outbox (id, ticket_id, kind, message_id, part, text, file, author,"
            " source, thread, heard_at, state, next_attempt_at, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'waiting', %s, %s)",
            [
                (
                    new_id(), ticket.id, kind, message_id, part, words, file, author, *where,
                    tx.now, tx.now,
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


def decide(tx: Transaction, id_: UUID, state: Literal["waiting", "discarded"]) -> UUID:
    """Somebody lets a dead one try again, or lays it aside. Returns its ticket.

    Raises:
        NotFound: there is no dead one of this id.
    """
    tx.cursor.execute(
        "UPDATE messenger_outbox SET state = %s, next_attempt_at = %s, created_at = %s"
        " WHERE state = 'dead' AND message_id = (SELECT message_id FROM messenger_outbox WHERE id = %s)"
        " RETURNING ticket_id",
        (state, tx.now, tx.now, id_),
    )
    row = tx.cursor.fetchone()
    if row is None:
        raise NotFound("there is no dead message of this id")
    ticket_id: UUID = row["ticket_id"]
    return ticket_id


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
