"""Chats as the database keeps them: a message is stored before anybody is told that it is."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from services.intake.channels.chat.sessions import Visitor
from shared.database import Transaction
from shared.errors import NotFound, Refused
from shared.eventstore import EventStore
from shared.identifiers import new_id

Side = Literal["visitor", "agent", "system"]
State = Literal["waiting", "open", "ended"]

READ_MAX: Final = 500
"""Messages read at once; a longer chat is read in pieces."""

_CHAT: Final = (
    "id, visitor_id, name, email, is_identified, page, state, agent_id, agent_name, last_sequence,"
    " opened_at, joined_at, heard_at, ended_at, ended_by"
)
_MESSAGE: Final = "sequence, id, side, author_id, author, text, at"


class ChatHasEnded(Refused):
    """Nobody writes in an ended chat any more; the visitor begins another one."""


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation."""

    id: UUID
    visitor_id: str
    name: str | None
    email: str | None
    is_identified: bool
    page: str | None
    state: State
    agent_id: str | None
    agent_name: str | None
    last_sequence: int
    opened_at: datetime
    joined_at: datetime | None
    heard_at: datetime
    ended_at: datetime | None
    ended_by: str | None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message. `id` is the writer's, `sequence` ours."""

    sequence: int
    id: UUID
    side: Side
    author_id: str
    author: str | None
    text: str
    at: datetime


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket, and the messages that it was made of."""

    ticket_id: UUID
    number: int
    first_sequence: int
    last_sequence: int
    made_by: str
    made_at: datetime


class Writing(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody writes."""

    id: UUID
    side: Side
    author_id: str
    author: str | None
    text: str


def chat_of_visitor(tx: Transaction, visitor: Visitor, page: str | None) -> UUID:
    """The visitor's running chat; a new one when there is none."""
    tx.cursor.execute(
        "SELECT id FROM chat_conversations WHERE visitor_id = %s AND state <> 'ended'",
        (visitor.id,),
    )
    if (row := tx.cursor.fetchone()) is not None:
        found: UUID = row["id"]
        return found
    id_ = new_id()
    tx.cursor.execute(
        "INSERT INTO chat_conversations (id, visitor_id, name, email, is_identified, page, state,"
        " opened_at, heard_at) VALUES (%s, %s, %s, %s, %s, %s, 'waiting', %s, %s)",
        (
            id_, visitor.id, visitor.name, visitor.email, visitor.is_identified, page, tx.now,
            tx.now,
        ),
    )  # fmt: skip
    return id_


def add(tx: Transaction, chat_id: UUID, writing: Writing, *, is_late: bool = False) -> Message:
    """Store the message; the same one again gives what is stored. `is_late`: also in an ended chat.

    Raises:
        ChatHasEnded: nobody writes there any more.
        psycopg.errors.UniqueViolation: another process stores the same message right now; to be tried again.
    """
    tx.cursor.execute(
        "WITH known AS (SELECT * FROM chat_messages WHERE conversation_id = %(chat)s AND id = %(id)s),"  # noqa: S608
        " moved AS (UPDATE chat_conversations SET last_sequence = last_sequence + 1,"
        "  heard_at = %(now)s WHERE id = %(chat)s AND (state <> 'ended' OR %(is_late)s)"
        "  AND NOT EXISTS (SELECT 1 FROM known) RETURNING last_sequence),"
        " added AS (INSERT INTO chat_messages (conversation_id, sequence, id, side, author_id,"
        "  author, text, at) SELECT %(chat)s, last_sequence, %(id)s, %(side)s, %(author_id)s,"
        "  %(author)s, %(text)s, %(now)s FROM moved RETURNING *)"
        f" SELECT {_MESSAGE} FROM known UNION ALL SELECT {_MESSAGE} FROM added",
        {
            **msgspec.structs.asdict(writing),
            "chat": chat_id,
            "now": tx.now,
            "is_late": is_late or writing.side == "system",
        },
    )
    if (row := tx.cursor.fetchone()) is None:
        raise ChatHasEnded("This chat has ended.")
    return Message(**row)


def introduce(tx: Transaction, chat_id: UUID, name: str | None, email: str | None) -> None:
    """The visitor has said who it is; nobody signs for that."""
    tx.cursor.execute(
        "UPDATE chat_conversations SET name = coalesce(%s, name), email = coalesce(%s, email)"
        " WHERE id = %s AND NOT is_identified",
        (name, email, chat_id),
    )


def join(tx: Transaction, chat_id: UUID, agent_id: str, name: str | None) -> bool:
    """The agent takes part and answers for it. Returns whether that is new.

    Raises:
        ChatHasEnded: it is too late.
    """
    tx.cursor.execute(
        "SELECT state, agent_id FROM chat_conversations WHERE id = %s FOR UPDATE", (chat_id,)
    )
    row = tx.cursor.fetchone()
    if row is None:
        raise NotFound("there is no such chat")
    if row["state"] == "ended":
        raise ChatHasEnded("This chat has ended.")
    if row["agent_id"] == agent_id:
        return False
    tx.cursor.execute(
        "UPDATE chat_conversations SET state = 'open', agent_id = %s, agent_name = %s,"
        " joined_at = coalesce(joined_at, %s) WHERE id = %s",
        (agent_id, name, tx.now, chat_id),
    )
    return True


def end(tx: Transaction, chat_id: UUID, by: str) -> bool:
    """Nobody writes any more. Returns whether that is new."""
    tx.cursor.execute(
        "UPDATE chat_conversations SET state = 'ended', ended_at = %s, ended_by = %s"
        " WHERE id = %s AND state <> 'ended'",
        (tx.now, by, chat_id),
    )
    return tx.cursor.rowcount == 1


def silent(tx: Transaction, for_: timedelta, *, count_max: int) -> list[UUID]:
    """Running chats in which nobody has written for so long; locked until this transaction ends."""
    tx.cursor.execute(
        "SELECT id FROM chat_conversations WHERE state <> 'ended' AND heard_at < %s"
        " ORDER BY opened_at LIMIT %s FOR UPDATE SKIP LOCKED",
        (tx.now - for_, count_max),
    )
    return [row["id"] for row in tx.cursor.fetchall()]


def get(tx: Transaction, chat_id: UUID) -> Chat:
    """Raises NotFound: there is none."""
    tx.cursor.execute(f"SELECT {_CHAT} FROM chat_conversations WHERE id = %s", (chat_id,))  # noqa: S608
    row = tx.cursor.fetchone()
    if row is None:
        raise NotFound("there is no such chat")
    return Chat(**row)


def stretch(tx: Transaction, chat_id: UUID, first: int, last: int) -> list[Message]:
    """The messages from `first` to `last`, both included."""
    tx.cursor.execute(
        f"SELECT {_MESSAGE} FROM chat_messages WHERE conversation_id = %s"  # noqa: S608
        " AND sequence BETWEEN %s AND %s ORDER BY sequence LIMIT %s",
        (chat_id, first, last, READ_MAX + 1),
    )
    return [Message(**row) for row in tx.cursor.fetchall()]


def link(
    tx: Transaction, chat_id: UUID, ticket_id: UUID, number: int, first: int, last: int, by: str
) -> None:
    """This stretch has become this ticket."""
    tx.cursor.execute(
        "INSERT INTO chat_tickets (conversation_id, ticket_id, number, first_sequence,"
        " last_sequence, made_by, made_at) VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (chat_id, ticket_id, number, first, last, by, tx.now),
    )


def of_ticket(tx: Transaction, ticket_id: UUID) -> Chat | None:
    """The chat that a ticket was made of."""
    tx.cursor.execute(
        f"SELECT {_CHAT} FROM chat_conversations WHERE id ="  # noqa: S608
        " (SELECT conversation_id FROM chat_tickets WHERE ticket_id = %s LIMIT 1)",
        (ticket_id,),
    )
    row = tx.cursor.fetchone()
    return None if row is None else Chat(**row)


def show_until(tx: Transaction, chat_id: UUID, moment: datetime) -> None:
    """A visitor who comes back sees this chat until then, ended or not.

    Raises:
        NotFound: there is none.
    """
    tx.cursor.execute(
        "UPDATE chat_conversations SET shown_until = %s WHERE id = %s", (moment, chat_id)
    )
    if tx.cursor.rowcount == 0:
        raise NotFound("there is no such chat")


def is_ticketed(tx: Transaction, chat_id: UUID) -> bool:
    """Whether any stretch of it has become a ticket."""
    tx.cursor.execute("SELECT 1 FROM chat_tickets WHERE conversation_id = %s LIMIT 1", (chat_id,))
    return tx.cursor.fetchone() is not None


class ChatReading:
    """Reads outside of transactions.

    Args:
        store: where the tables are.
    """

    def __init__(self, store: EventStore[Any]) -> None:
        self._store = store

    async def shown_chat(self, visitor_id: str) -> Chat | None:
        """The visitor's chat that has not ended; else the last one in which something was written after its end."""
        found = await self._rows(
            "SELECT * FROM ("  # noqa: S608
            f" (SELECT {_CHAT} FROM chat_conversations WHERE visitor_id = %(visitor)s AND state <> 'ended')"
            f" UNION ALL (SELECT {_CHAT} FROM chat_conversations WHERE visitor_id = %(visitor)s"
            "  AND state = 'ended' AND shown_until > now() ORDER BY opened_at DESC LIMIT 1)"
            ") AS one ORDER BY state = 'ended' LIMIT 1",
            {"visitor": visitor_id},
        )
        return Chat(**found[0]) if found else None

    async def chat(self, chat_id: UUID) -> Chat:
        """Raises NotFound: there is none."""
        query = f"SELECT {_CHAT} FROM chat_conversations WHERE id = %s"  # noqa: S608
        found = await self._rows(query, (chat_id,))
        if not found:
            raise NotFound("there is no such chat")
        return Chat(**found[0])

    async def chats(
        self, *, state: State | None, agent_id: str | None, ticket_id: UUID | None, limit: int
    ) -> list[Chat]:
        """Chats: those that wait and run, longest first; the ended ones newest first."""
        order = "opened_at DESC, id DESC" if state == "ended" or ticket_id else "opened_at"
        found = await self._rows(
            f"SELECT {_CHAT} FROM chat_conversations"  # noqa: S608
            " WHERE (CASE WHEN %(ticket)s::uuid IS NOT NULL THEN id IN"
            "   (SELECT conversation_id FROM chat_tickets WHERE ticket_id = %(ticket)s)"
            "  WHEN %(state)s::text IS NULL THEN state <> 'ended' ELSE state = %(state)s END)"
            " AND (%(agent)s::text IS NULL OR agent_id = %(agent)s)"
            f" ORDER BY {order} LIMIT %(limit)s",
            {"state": state, "agent": agent_id, "ticket": ticket_id, "limit": limit},
        )
        return [Chat(**row) for row in found]

    async def messages(self, chat_id: UUID, *, after: int) -> list[Message]:
        """Up to `READ_MAX` messages behind `after`, in order."""
        found = await self._rows(
            f"SELECT {_MESSAGE} FROM chat_messages WHERE conversation_id = %s AND sequence > %s"  # noqa: S608
            " ORDER BY sequence LIMIT %s",
            (chat_id, after, READ_MAX),
        )
        return [Message(**row) for row in found]

    async def stretches(self, chat_id: UUID) -> list[Stretch]:
        """The tickets of a chat."""
        found = await self._rows(
            "SELECT ticket_id, number, first_sequence, last_sequence, made_by, made_at"
            " FROM chat_tickets WHERE conversation_id = %s ORDER BY made_at",
            (chat_id,),
        )
        return [Stretch(**row) for row in found]

    async def ends(self, chats: Collection[UUID]) -> dict[UUID, tuple[int, State]]:
        """How far these chats have come: the last sequence and the state of each."""
        found = await self._rows(
            "SELECT id, last_sequence, state FROM chat_conversations WHERE id = ANY(%s)",
            (list(chats),),
        )
        return {row["id"]: (row["last_sequence"], row["state"]) for row in found}

    async def _rows(self, query: str, values: Sequence[Any] | dict[str, Any]) -> list[Any]:
        pool = await self._store.pool()
        async with pool.connection() as connection:
            return await (await connection.execute(query, values)).fetchall()
