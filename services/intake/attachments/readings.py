"""Fetching a file of a sensitive ticket is itself recorded, in the log of intake: before the first byte is given."""

import asyncio
from typing import Any

from services.intake.attachments.shelf import Shelved
from services.intake.domain import Ticket
from shared.events.readings import ReadingRecorded, readings_stream
from shared.eventstore import EventStore, EventTransaction
from shared.http.origin import Origin
from shared.sensitivity import Sensitivity


class FileReadings:
    """Records who fetched a file of a sensitive ticket.

    Args:
        store: of intake.
        sensitivity: which tickets are sensitive.
    """

    def __init__(self, store: EventStore[Any], sensitivity: Sensitivity) -> None:
        self._store = store
        self._sensitivity = sensitivity

    def reasons(self, ticket: Ticket) -> tuple[str, ...]:
        """Why this ticket is sensitive; empty when it is not."""
        return why_sensitive(self._sensitivity, ticket)

    async def note(self, origin: Origin, ticket: Ticket, file: Shelved) -> None:
        """Record that this caller fetches this file, if its ticket is sensitive. Returns after the commit.

        What cannot be recorded is not given. Customers fetch files of their own tickets; that is not recorded.

        Raises:
            psycopg.Error: the database is away.
        """
        reasons = self.reasons(ticket)
        if origin.principal.is_customer or not reasons:
            return
        stream = readings_stream(ticket.id)

        def work(tx: EventTransaction[Any]) -> None:
            tx.append(
                ReadingRecorded(
                    **origin.stamp(tx.version(stream) + 1, tx.now, tx.now),
                    ticket_id=ticket.id,
                    number=ticket.number,
                    ticket_version=ticket.version,
                    attachment_id=file.id,
                    name=file.name,
                    is_original=file.is_original,
                    reasons=reasons,
                )
            )

        await asyncio.to_thread(self._store.transact, work, streams=(stream,))


def why_sensitive(sensitivity: Sensitivity, ticket: Ticket) -> tuple[str, ...]:
    """Why this ticket is sensitive; empty when it is not."""
    return sensitivity.reasons(
        tags=ticket.tags,
        ticket_type=ticket.ticket_type,
        fields=[name for name, value in ticket.fields.items() if value is not None],
        is_internal=ticket.is_internal,
    )
