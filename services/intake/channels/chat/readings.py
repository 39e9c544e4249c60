"""Reading a chat of which a sensitive ticket was made is reading that ticket: recorded before a message is shown."""

import asyncio
from typing import Any
from uuid import UUID

from services.intake.attachments.readings import why_sensitive
from services.intake.channels.chat.store import ChatReading
from shared.eventstore import EventStore, EventTransaction
from shared.http.origin import Origin
from shared.operations import Operation, note_in_events
from shared.sensitivity import Sensitivity


class ChatReadings:
    """Records who of the staff reads such a chat.

    Args:
        store: of intake.
        chats: knows which tickets were made of a chat.
        sensitivity: which tickets are sensitive.
    """

    def __init__(
        self, store: EventStore[Any], chats: ChatReading, sensitivity: Sensitivity
    ) -> None:
        self._store = store
        self._chats = chats
        self._sensitivity = sensitivity

    async def note(self, asked: Origin, chat_id: UUID) -> None:
        """Record it for each sensitive ticket of the chat. Returns after the commit; a chat without one costs a look.

        Raises:
            psycopg.Error: the database is away.
        """
        made = {stretch.ticket_id for stretch in await self._chats.stretches(chat_id)}
        if not made:
            return

        def work(tx: EventTransaction[Any]) -> None:
            for ticket_id in sorted(made):
                ticket = tx.state(ticket_id)
                assert ticket is not None, "it was made of this chat"
                reasons = why_sensitive(self._sensitivity, ticket)
                if reasons:
                    why = {"reasons": (None, ", ".join(reasons))}
                    done = Operation.by(
                        asked, "chat.read", str(chat_id), ticket_id=ticket_id, changes=why
                    )
                    note_in_events(tx, done)

        await asyncio.to_thread(self._store.transact, work, streams=made)
