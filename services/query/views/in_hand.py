"""What each agent has to turn to first: the tickets in hand that are due soonest."""

from collections.abc import Mapping
from typing import Any, Final, LiteralString

from services.query.views.pools import Pool

_WALKED_EACH: Final = 20
"""Entries of the index of deadlines for each agent: with that, hardly anybody of a desk that shares its work lacks."""

# All agents' tickets are walked together, due first, which touches the index alone. The first ones may all be those of
# a few agents: whoever lacks is asked for alone, and pays for as many tickets as they have.
_IN_HAND: Final[LiteralString] = """
WITH asked AS (SELECT * FROM unnest(%(agents)s::text[], %(open)s::bigint[]) AS a (agent_id, open_count)),
walked AS (
    SELECT ticket_id, assignee_id, row_number() OVER (PARTITION BY assignee_id ORDER BY due_sort, ticket_id) AS place
    FROM (
        SELECT ticket_id, assignee_id, due_sort, is_open FROM tickets WHERE version > 0
        ORDER BY due_sort, ticket_id LIMIT %(walked)s
    ) AS t
    WHERE is_open AND assignee_id IN (SELECT agent_id FROM asked)
),
lacking AS (
    SELECT agent_id FROM asked LEFT JOIN walked ON assignee_id = agent_id
    GROUP BY agent_id, open_count HAVING count(ticket_id) < least(open_count, %(each)s)
),
found AS (
    SELECT ticket_id FROM walked WHERE place <= %(each)s AND assignee_id NOT IN (SELECT agent_id FROM lacking)
    UNION ALL
    SELECT t.ticket_id FROM lacking CROSS JOIN LATERAL (
        SELECT ticket_id FROM tickets WHERE assignee_id = lacking.agent_id AND is_open AND version > 0
        ORDER BY due_sort, ticket_id LIMIT %(each)s
    ) AS t
)
SELECT t.ticket_id, t.number, t.subject, t.category AS status, t.due_at, t.assignee_id
FROM found JOIN tickets AS t USING (ticket_id) ORDER BY t.assignee_id, t.due_sort, t.ticket_id
"""


async def in_hand(
    pool: Pool, open_counts: Mapping[str, int], each: int
) -> dict[str, list[dict[str, Any]]]:
    """Agent → their open tickets, due first, at most `each`.

    Args:
        pool: connections.
        open_counts: agent → how many open tickets they have; only of these agents anything is found.
        each: the most of one agent.
    """
    asked = {
        "agents": list(open_counts),
        "open": list(open_counts.values()),
        "walked": _WALKED_EACH * len(open_counts),
        "each": each,
    }
    tickets: dict[str, list[dict[str, Any]]] = {}
    async with pool.connection() as connection:
        async for row in await connection.execute(_IN_HAND, asked):
            tickets.setdefault(row["assignee_id"], []).append(row)
    return tickets
