"""The backlog at an instant: which tickets were open, in which state."""

from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg.sql import SQL, Composed, Identifier

from services.query.projections.intervals import nodes_of
from services.query.views.board import arranged
from services.query.views.pools import Pool
from shared.events import StatusCategory

ENDED: Final = frozenset({StatusCategory.SOLVED, StatusCategory.CLOSED})
"""In which a ticket is not open."""

# What was open then: periods that are over, found at their nodes, and those that still last.
OPEN: Final[LiteralString] = """
SELECT p.ticket_id FROM open_periods AS p
JOIN unnest(%(nodes)s::bigint[]) AS at (node) USING (node)
WHERE p.open_to > %(instant)s AND p.open_from <= %(instant)s
UNION ALL
SELECT ticket_id FROM tickets WHERE is_open AND open_since <= %(instant)s
"""

_SPAN: Final[LiteralString] = """
{kind} JOIN spans AS {name} ON {name}.ticket_id = t.ticket_id AND {name}.field = {field}
    AND {name}.valid_from <= %(instant)s AND ({name}.valid_to IS NULL OR {name}.valid_to > %(instant)s)
"""
_STINT: Final[LiteralString] = """
LEFT JOIN LATERAL (
    SELECT a.agent_id AS value FROM assignments AS a
    WHERE a.ticket_id = t.ticket_id AND a.assigned_at <= %(instant)s
      AND (a.ended_at IS NULL OR a.ended_at > %(instant)s)
    ORDER BY a.version DESC LIMIT 1
) AS assigned ON true
"""


def _span(kind: LiteralString, name: str, field: str) -> Composed:
    return SQL(_SPAN).format(kind=SQL(kind), name=Identifier(name), field=field)


STATES: Final[dict[str, SQL | Composed]] = {
    "status": _span("", "status", "status"),
    "priority": _span("LEFT", "priority", "priority"),
    "grouped": _span("LEFT", "grouped", "group"),
    "assigned": SQL(_STINT),
}
"""Joins to rows `t` with a `ticket_id`: each field's `value` then, under the name of its key.

Spans of one field touch and never overlap; an agent's stints may, when an import steps back in time: then the later
decision counts. A ticket without status was not there.
"""


async def backlog_at(pool: Pool, instant: datetime) -> dict[str, Any]:
    """What was open: by status, priority, group and assignee, as the board counts it."""
    statement = SQL(
        "SELECT s.group_id, s.category, s.priority, s.assignee_id, s.assignee_id IS NULL AS is_unassigned,"
        " count(*) AS count FROM ({}) AS s GROUP BY 1, 2, 3, 4"
    ).format(_states(SQL(OPEN)))
    async with pool.connection() as connection:
        found = await connection.execute(
            statement, {"instant": instant, "nodes": nodes_of(instant)}
        )
        rows = await found.fetchall()
    by_assignee: dict[str, int] = {}
    for row in rows:
        if row["assignee_id"] is not None:
            by_assignee[row["assignee_id"]] = by_assignee.get(row["assignee_id"], 0) + row["count"]
    return {**arranged(rows), "by_assignee": dict(sorted(by_assignee.items()))}


async def fields_at(
    pool: Pool, ticket_ids: list[UUID], instant: datetime
) -> dict[UUID, dict[str, Any]]:
    """Status (`category`), priority, group and assignee of these tickets then, by the same statement as the counts."""
    statement = _states(SQL("SELECT unnest(%(ids)s::uuid[]) AS ticket_id"))
    async with pool.connection() as connection:
        found = await connection.execute(statement, {"ids": ticket_ids, "instant": instant})
        return {row["ticket_id"]: row for row in await found.fetchall()}


def _states(candidates: SQL) -> Composed:
    return SQL(
        "SELECT t.ticket_id, status.value AS category, priority.value AS priority, grouped.value AS group_id,"
        " assigned.value AS assignee_id FROM ({}) AS t {}"
    ).format(candidates, SQL(" ").join(STATES.values()))
