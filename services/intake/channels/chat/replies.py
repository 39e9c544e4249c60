"""What agents write on a ticket that was made of a chat: it stands in the chat, also after its end."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.intake.channels.chat import store
from services.intake.channels.chat.store import Message, Writing
from services.intake.channels.conversations.leaving import Leaving, Rejected
from services.intake.channels.conversations.outbox import Conversation, MessengerOutbox
from services.intake.domain import Ticket
from services.intake.outgoing import Reader, Standing
from shared.database import Transaction
from shared.errors import NotFound
from shared.events import Channel
from shared.eventstore import EventStore

SOURCE: Final = "chat"
SHOWN: Final = timedelta(days=30)
"""So long after it a visitor who comes back finds what was written to an ended chat; then the page begins empty."""


class ChatOutbox(MessengerOutbox):
    """Takes replies on tickets that were made of a chat, from visitors who have left no address (see `Outgoing`)."""

    name = SOURCE

    def takes(self, reader: Reader) -> bool:
        """Whether one of our chats became the ticket; programs that have a chat of their own open tickets, too."""
        return reader.via is Channel.CHAT and not reader.is_outbound and "chat" in reader.fields

    def standing(self, tx: Transaction) -> Standing:
        """See `Outgoing`."""
        return Standing.read(tx, "messenger_outbox", "source = 'chat'")

    def conversation(self, tx: Transaction, ticket_id: UUID) -> Conversation | None:
        """The chat that the ticket was made of."""
        chat = store.of_ticket(tx, ticket_id)
        return None if chat is None else Conversation(SOURCE, str(chat.id), chat.heard_at)


class ChatReplies:
    """Puts what leaves the outbox into its chat; once, because the message has the id that it has in the outbox.

    Args:
        events: where the chats are.
        announce: told of each chat in which something happened, after the commit.
    """

    def __init__(
        self, events: EventStore[Ticket], announce: Callable[[UUID, Message | None], None]
    ) -> None:
        self._events = events
        self._announce = announce

    async def send(self, message: Leaving, now: datetime) -> str | None:
        """See `conversations.leaving.Sends`. A question of ours has no author."""
        if message.file is not None:
            raise Rejected("a chat shows no files")
        writing = Writing(
            id=message.id,
            side="agent" if message.author else "system",
            author_id=message.author or SOURCE,
            author=message.author,
            text=message.text,
        )
        chat_id = UUID(message.thread)

        def work(tx: Transaction) -> Message:
            store.show_until(tx, chat_id, now + SHOWN)
            return store.add(tx, chat_id, writing, is_late=True)

        try:
            stored = await asyncio.to_thread(self._events.transact, work)
        except NotFound as error:
            raise Rejected(error.detail) from None
        self._announce(chat_id, stored)
        return str(stored.sequence)
