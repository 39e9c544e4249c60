"""Who was who at an instant: an agent's groups, a customer's addresses."""

from datetime import datetime
from typing import Final, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from shared.events.agents import agent_stream

_GROUPS: Final[LiteralString] = """
SELECT array(SELECT json_array_elements_text(raw -> 'profile' -> 'groups')) AS groups FROM timeline
WHERE stream_id = %s AND topic = 'agents.v1' AND type = 'agent.defined.v1' AND occurred_at <= %s
ORDER BY version DESC LIMIT 1
"""

# Each contact's newest word about itself by then; who was merged into another had no addresses of their own.
_IDS: Final[LiteralString] = """
WITH named AS (
    SELECT DISTINCT stream_id FROM timeline WHERE topic = 'contacts.v1' AND contact_ids(raw) @> ARRAY[%(id)s]
),
told AS (
    SELECT DISTINCT ON (e.stream_id) e.type, contact_ids(e.raw) AS ids
    FROM named JOIN timeline AS e USING (stream_id)
    WHERE e.topic = 'contacts.v1' AND e.occurred_at <= %(instant)s ORDER BY e.stream_id, e.version DESC
)
SELECT unnest(ids) AS id FROM told WHERE type <> 'contact.merged.v1' AND ids @> ARRAY[%(id)s]
"""


async def groups_of(
    connection: AsyncConnection[DictRow], agent_id: str, instant: datetime
) -> list[str]:
    """The groups that the agent was in."""
    found = await connection.execute(_GROUPS, (agent_stream(agent_id), instant))
    row = await found.fetchone()
    return row["groups"] if row else []


async def ids_of(
    connection: AsyncConnection[DictRow], requester: str, instant: datetime
) -> list[str]:
    """All ids of the person who had this one; itself is always among them."""
    found = await connection.execute(_IDS, {"id": requester, "instant": instant})
    return sorted({requester, *(row["id"] for row in await found.fetchall())})
