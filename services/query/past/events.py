"""The events of tickets out of the timeline, as those who fold them want them."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from shared.events import Event, decode
from shared.topics import Topic

Streams = dict[Topic, list[Event]]

_EVENTS: Final[LiteralString] = """
SELECT stream_id, topic, type, raw::text AS raw FROM timeline
WHERE stream_id = ANY(%s) AND topic = ANY(%s) ORDER BY stream_id, topic, version
"""


async def events_of(
    connection: AsyncConnection[DictRow], ids: Sequence[UUID], topics: Sequence[Topic]
) -> dict[UUID, Streams]:
    """Every event of these tickets, each topic in its order; a topic without events is an empty list."""
    found = await connection.execute(_EVENTS, (list(ids), [topic.value for topic in topics]))
    rows = await found.fetchall()
    # Thousands of events take a second of Python, in which others want to be served.
    return await asyncio.to_thread(_decoded, rows, topics)


def _decoded(rows: list[dict[str, Any]], topics: Sequence[Topic]) -> dict[UUID, Streams]:
    found: dict[UUID, Streams] = {}
    for row in rows:
        event = decode(row["type"], row["raw"].encode())
        if isinstance(event, Event):
            streams = found.setdefault(row["stream_id"], {topic: [] for topic in topics})
            streams[Topic(row["topic"])].append(event)
    return found
