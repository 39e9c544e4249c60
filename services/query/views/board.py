"""The operations board: what is open, what is late, who is busy, how fast it comes in."""

from collections import Counter
from typing import Any, Final, LiteralString

from services.query.views.pools import Pool
from shared.events.base import TAKING_CAPACITY

URGENT_MAX: Final = 50
"""Rows of the breached and the at-risk list, half each, so that many of one never hide the other: more than a wall
shows; the counts beside them are whole."""

RATE_MINUTES: Final = 60

# Counted while tickets are written (migration 0385), so a board costs the same whatever is open.
_BACKLOG: Final[LiteralString] = """
SELECT group_id, category, priority, is_unassigned, sum(count)::bigint AS count
FROM open_counts WHERE NOT is_by_agent
GROUP BY group_id, category, priority, is_unassigned HAVING sum(count) <> 0
"""

_URGENT: Final[LiteralString] = """
SELECT t.ticket_id, t.number, t.subject, t.category AS status, t.priority, t.group_id, t.assignee_id, t.due_at,
       t.due_metric, t.is_breached, t.breached_metrics, t.at_risk_metrics
FROM (
    (SELECT * FROM tickets WHERE is_open AND version > 0 AND is_breached
     ORDER BY due_sort, ticket_id LIMIT %(each)s)
    UNION ALL
    (SELECT * FROM tickets WHERE is_open AND version > 0 AND is_at_risk AND NOT is_breached
     ORDER BY due_sort, ticket_id LIMIT %(each)s)
) AS t
ORDER BY t.due_sort, t.ticket_id
"""

_URGENT_COUNTS: Final[LiteralString] = """
SELECT coalesce(sum(count) FILTER (WHERE is_breached), 0)::bigint AS breached,
       coalesce(sum(count) FILTER (WHERE is_at_risk), 0)::bigint AS at_risk
FROM open_counts WHERE NOT is_by_agent
"""

_WORKING: Final = sorted(TAKING_CAPACITY)

# `working` is the load as routing counts it: the same categories, from the same constant.
_AGENTS: Final[LiteralString] = """
SELECT a.agent_id, a.name, a.groups, a.presence, a.presence_since, a.capacity,
       coalesce(l.working, 0) AS working_count, coalesce(l.open, 0) AS open_count
FROM agents AS a
LEFT JOIN (
    SELECT assignee_id, sum(count)::bigint AS open,
           coalesce(sum(count) FILTER (WHERE category = ANY(%s)), 0)::bigint AS working
    FROM open_counts WHERE is_by_agent GROUP BY assignee_id
) AS l ON l.assignee_id = a.agent_id
WHERE a.is_active
ORDER BY working_count DESC, a.agent_id
"""

_RATE: Final[LiteralString] = """
SELECT minute, count(t.ticket_id) AS count
FROM generate_series(
    date_trunc('minute', now()) - make_interval(mins => %(minutes)s - 1), date_trunc('minute', now()), '1 minute'
) AS minute
LEFT JOIN tickets AS t
    ON t.opened_at >= minute AND t.opened_at < minute + interval '1 minute' AND t.version > 0
GROUP BY minute ORDER BY minute
"""


async def board(pool: Pool) -> dict[str, Any]:
    """The board in one consistent look at the projections."""
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        backlog = await (await connection.execute(_BACKLOG)).fetchall()
        urgent = await (await connection.execute(_URGENT, {"each": URGENT_MAX // 2})).fetchall()
        counts = await (await connection.execute(_URGENT_COUNTS)).fetchone()
        agents = await (await connection.execute(_AGENTS, (_WORKING,))).fetchall()
        rate = await (await connection.execute(_RATE, {"minutes": RATE_MINUTES})).fetchall()
    return {
        "backlog": arranged(backlog),
        "promises": {**(counts or {}), "tickets": urgent},
        "agents": agents,
        "intake_per_minute": rate,
    }


def arranged(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts by group, category, priority and whether unassigned, added up as the board shows them."""
    by_status: Counter[str] = Counter()
    by_priority: Counter[str] = Counter()
    by_group: dict[str | None, dict[str, Any]] = {}
    for row in rows:
        count, unassigned = row["count"], row["count"] if row["is_unassigned"] else 0
        by_status[row["category"]] += count
        by_priority[row["priority"]] += count
        group = by_group.setdefault(row["group_id"], _no_tickets(row["group_id"]))
        group["open_count"] += count
        group["unassigned_count"] += unassigned
        group["by_status"][row["category"]] += count
    groups = sorted(
        by_group.values(), key=lambda group: (-group["open_count"], str(group["group_id"]))
    )
    return {
        "open_count": by_status.total(),
        "unassigned_count": sum(group["unassigned_count"] for group in groups),
        "by_status": by_status,
        "by_priority": by_priority,
        "by_group": groups,
    }


def _no_tickets(group_id: str | None) -> dict[str, Any]:
    return {
        "group_id": group_id,
        "open_count": 0,
        "unassigned_count": 0,
        "by_status": Counter[str](),
    }
