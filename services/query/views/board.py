"""The operations board: what is open, what is late, who is busy, how fast it comes in."""

from typing import Any, Final, LiteralString

from services.query.views.pools import Pool

URGENT_MAX: Final = 50
"""Rows of the at-risk and breached lists: more than a wall shows; the counts beside them are whole."""

RATE_MINUTES: Final = 60

# One pass over a small partial index answers all counts.
_BACKLOG: Final[LiteralString] = """
SELECT grouping(category) = 0 AS by_status, grouping(group_id) = 0 AS by_group,
       grouping(priority) = 0 AS by_priority, category, group_id, priority, count(*) AS count,
       count(*) FILTER (WHERE assignee_id IS NULL) AS unassigned_count
FROM tickets WHERE is_open AND version > 0
GROUP BY GROUPING SETS ((), (category), (group_id, category), (priority))
"""

_URGENT: Final[LiteralString] = """
SELECT t.ticket_id, t.number, t.subject, t.category AS status, t.priority, t.group_id, t.assignee_id, t.due_at,
       t.due_metric, t.is_breached, t.breached_metrics, t.at_risk_metrics
FROM tickets AS t
WHERE t.is_open AND (t.is_at_risk OR t.is_breached) AND t.version > 0
ORDER BY t.due_sort, t.ticket_id LIMIT %s
"""

_URGENT_COUNTS: Final[LiteralString] = """
SELECT count(*) FILTER (WHERE is_breached) AS breached, count(*) FILTER (WHERE is_at_risk) AS at_risk
FROM tickets WHERE is_open AND (is_at_risk OR is_breached) AND version > 0
"""

# Capacity counts tickets that wait for the agent; the others are theirs but ask nothing of them now.
_AGENTS: Final[LiteralString] = """
SELECT a.agent_id, a.name, a.groups, a.presence, a.presence_since, a.capacity,
       coalesce(l.working, 0) AS working_count, coalesce(l.open, 0) AS open_count
FROM agents AS a
LEFT JOIN (
    SELECT assignee_id, count(*) AS open, count(*) FILTER (WHERE category IN ('new', 'open')) AS working
    FROM tickets WHERE is_open AND assignee_id IS NOT NULL AND version > 0 GROUP BY assignee_id
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
        urgent = await (await connection.execute(_URGENT, (URGENT_MAX,))).fetchall()
        counts = await (await connection.execute(_URGENT_COUNTS)).fetchone()
        agents = await (await connection.execute(_AGENTS)).fetchall()
        rate = await (await connection.execute(_RATE, {"minutes": RATE_MINUTES})).fetchall()
    return {
        "backlog": _backlog(backlog),
        "promises": {**(counts or {}), "tickets": urgent},
        "agents": agents,
        "intake_per_minute": rate,
    }


def _backlog(rows: list[dict[str, Any]]) -> dict[str, Any]:
    total = unassigned = 0
    by_status: dict[str, int] = {}
    by_priority: dict[str, int] = {}
    by_group: dict[str | None, dict[str, Any]] = {}
    for row in rows:
        if row["by_group"]:
            group = by_group.setdefault(
                row["group_id"],
                {
                    "group_id": row["group_id"],
                    "open_count": 0,
                    "unassigned_count": 0,
                    "by_status": {},
                },
            )
            group["open_count"] += row["count"]
            group["unassigned_count"] += row["unassigned_count"]
            group["by_status"][row["category"]] = row["count"]
        elif row["by_status"]:
            by_status[row["category"]] = row["count"]
        elif row["by_priority"]:
            by_priority[row["priority"]] = row["count"]
        else:
            total, unassigned = row["count"], row["unassigned_count"]
    groups = sorted(
        by_group.values(), key=lambda group: (-group["open_count"], str(group["group_id"]))
    )
    return {
        "open_count": total,
        "unassigned_count": unassigned,
        "by_status": by_status,
        "by_priority": by_priority,
        "by_group": groups,
    }
