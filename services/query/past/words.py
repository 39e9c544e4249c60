"""Tickets by their words at an instant: in the documents that their events up to then come to.

A ticket of which nothing was written since has its document of now. The others' are made anew, by the code and the
statement that make those of the present.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, cast
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.sql import SQL, Composed

from services.query.past.events import events_of
from services.query.projections.tables import as_json
from services.query.projections.tickets import TicketFacts, fold
from services.query.projections.writes import DOCUMENTS, Writes
from services.query.views.text_query import TextQuery
from shared.events.tickets import TicketEvent
from shared.topics import Topic

COUNTED_MAX: Final = 20_000
"""So many documents are made anew in a few seconds; a list that would need more is read page by page, uncounted."""

READ_MAX: Final = 5_000
"""Such a page reads no more: it then ends where it is, and the next goes on there."""

AT_ONCE: Final = 1_000
"""Documents in memory; a long ticket's has 200 kB."""

WRITTEN_SINCE: Final[LiteralString] = """
t.changed_at > %(instant)s AND EXISTS (
    SELECT FROM timeline AS e WHERE e.stream_id = t.ticket_id AND e.topic = 'tickets.v1' AND e.occurred_at > %(instant)s
      AND e.type IN ('ticket.opened.v1', 'ticket.customer_replied.v1', 'ticket.agent_replied.v1',
                     'ticket.note_added.v1', 'ticket.message_recorded.v1', 'ticket.subject_changed.v1',
                     'ticket.tags_changed.v1', 'ticket.resolved.v1'))
"""
"""A condition on a ticket `t`: something was added to its document after the instant."""

_HAS: Final[Composed] = SQL(
    "SELECT ticket_id FROM ({}) AS d WHERE everything @@ %s::tsquery"
).format(SQL(DOCUMENTS))


async def having(
    connection: AsyncConnection[DictRow], ids: Sequence[UUID], asked: TextQuery, instant: datetime
) -> list[UUID]:
    """Those of these tickets that would have been found."""
    found: list[UUID] = []
    for first in range(0, len(ids), AT_ONCE):
        part = ids[first : first + AT_ONCE]
        documents = await _documents(connection, part, instant)
        rows = await connection.execute(_HAS, (as_json(documents), asked.whole))
        found += [row["ticket_id"] for row in await rows.fetchall()]
    return found


async def _documents(
    connection: AsyncConnection[DictRow], ids: Sequence[UUID], instant: datetime
) -> list[dict[str, Any]]:
    streams = await events_of(connection, ids, [Topic.TICKETS])

    def written() -> list[dict[str, Any]]:
        writes = Writes()
        for ticket_id, events in streams.items():
            facts = TicketFacts(ticket_id=ticket_id)
            for event in events[Topic.TICKETS]:
                if event.occurred_at <= instant:
                    fold(facts, cast(TicketEvent, event), writes)
        return list(writes.documents())

    return await asyncio.to_thread(written)
