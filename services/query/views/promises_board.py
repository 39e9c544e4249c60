"""The board of promises: clocks that are late, will be within the hour, or need a person, by group and by policy."""

from datetime import datetime, timedelta
from typing import Any, Final, LiteralString

from services.query.views.pools import Pool

CLOCKS_MAX: Final = 200
"""Rows of the list: more than anybody works through in an hour; the counts beside it are whole."""

SOON: Final = timedelta(minutes=15)
HORIZON: Final = timedelta(hours=1)

# Only open tickets whose earliest deadline lies before the horizon: one walk along an index, however many are open.
_CLOCKS: Final[LiteralString] = """
SELECT t.ticket_id, t.number, t.subject, t.category AS status, t.priority, t.group_id, t.assignee_id,
       c.policy_id, c.metric, c.cycle, c.due_at, c.is_breached, c.target_seconds,
       p.state AS page_state, p.key AS page_key, p.acknowledged_by, p.acknowledged_name, p.acknowledged_at,
       coalesce(p.state = 'acknowledged', false) AS is_acknowledged,
       c.due_at <= %(now)s AS is_late, c.due_at <= %(soon)s AS is_soon
FROM tickets AS t
CROSS JOIN LATERAL jsonb_to_recordset(t.clocks) AS c
    (metric text, cycle integer, state text, due_at timestamptz, is_breached boolean, policy_id text,
     target_seconds double precision)
LEFT JOIN oncall_pages AS p
    ON p.ticket_id = t.ticket_id AND p.metric = c.metric AND p.cycle = c.cycle AND p.state <> 'ended'
WHERE t.version > 0 AND t.is_open AND t.due_sort <= %(horizon)s
  AND c.state = 'running' AND c.due_at <= %(horizon)s
"""
_COUNTS: Final[LiteralString] = (
    "SELECT group_id, policy_id,"  # noqa: S608  # constants
    " count(*) FILTER (WHERE is_late AND NOT is_acknowledged) AS waiting_count,"
    " count(*) FILTER (WHERE is_late AND is_acknowledged) AS acknowledged_count,"
    " count(*) FILTER (WHERE is_soon AND NOT is_late) AS soon_count,"
    " count(*) FILTER (WHERE NOT is_soon) AS hour_count FROM ("
    + _CLOCKS
    + ") AS clocks GROUP BY group_id, policy_id"
)
_LISTED: Final[LiteralString] = (
    "SELECT * FROM ("  # noqa: S608  # constants
    + _CLOCKS
    + ") AS clocks WHERE (%(group)s::text IS NULL OR group_id = %(group)s)"
    " AND (%(policy)s::text IS NULL OR policy_id = %(policy)s)"
    " ORDER BY is_late AND is_acknowledged, due_at, ticket_id, metric LIMIT %(limit)s"
)
_IN_QUESTION: Final[LiteralString] = """
SELECT t.ticket_id, t.number, t.subject, t.priority, t.group_id, t.assignee_id, c.policy_id, c.metric, c.cycle,
       c.needs_review, c.breached_at, c.unschedulable_reason
FROM sla_cycles AS c JOIN tickets AS t USING (ticket_id)
WHERE (c.needs_review OR c.unschedulable_reason IS NOT NULL)
  AND (c.needs_review OR (t.is_open AND c.state = 'running' AND c.due_at IS NULL))
  AND t.version > 0 AND (%(group)s::text IS NULL OR t.group_id = %(group)s)
  AND (%(policy)s::text IS NULL OR c.policy_id = %(policy)s)
ORDER BY c.needs_review DESC, c.started_at, c.ticket_id, c.metric LIMIT %(limit)s
"""
# The first line of the condition is that of the partial index.
COUNTED: Final = ("waiting_count", "acknowledged_count", "soon_count", "hour_count")


async def promises_board(
    pool: Pool, now: datetime, *, group: str | None = None, policy: str | None = None
) -> dict[str, Any]:
    """Running clocks that are due within the hour or already late; one consistent look.

    `waiting`: late and nobody has acknowledged it; `acknowledged`: late, and somebody looks after it; `soon`: due
    within 15 minutes; `hour`: within 60. Counts are of all groups and policies, the lists of those asked for.
    `in_question`: breaches that a person has to decide about, and running clocks for which no deadline can be found.
    """
    values = {
        "now": now,
        "soon": now + SOON,
        "horizon": now + HORIZON,
        "group": group,
        "policy": policy,
        "limit": CLOCKS_MAX,
    }
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        counts = await (await connection.execute(_COUNTS, values)).fetchall()
        clocks = await (await connection.execute(_LISTED, values)).fetchall()
        in_question = await (await connection.execute(_IN_QUESTION, values)).fetchall()
    return {
        "total": _added(counts),
        "by_group": _by(counts, "group_id"),
        "by_policy": _by(counts, "policy_id"),
        "clocks": clocks,
        "in_question": in_question,
    }


def _by(rows: list[dict[str, Any]], field: str) -> list[dict[str, Any]]:
    """The counts added up by one of the two, most urgent first."""
    found: dict[str | None, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row[field], []).append(row)
    added = [{field: name, **_added(several)} for name, several in found.items()]
    return sorted(
        added,
        key=lambda one: (
            *(-one[name] for name in COUNTED if name != "acknowledged_count"),
            str(one[field]),
        ),
    )


def _added(rows: list[dict[str, Any]]) -> dict[str, int]:
    return {name: sum(row[name] for row in rows) for name in COUNTED}
