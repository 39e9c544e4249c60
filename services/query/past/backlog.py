"""Lists and the backlog at an instant: which tickets there were, in which state, counted and listed."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec
from psycopg.sql import SQL, Composed, Identifier

from services.query.projections.intervals import nodes_of
from services.query.views.board import arranged
from services.query.views.list_filter import NOBODY
from services.query.views.pools import Pool
from shared.events import Channel, Priority, StatusCategory
from shared.http import cursor

ENDED: Final = frozenset({StatusCategory.SOLVED, StatusCategory.CLOSED})
"""In which a ticket is not open."""

# What was open then: periods that are over, found at their nodes, and those that still last.
_OPEN: Final[LiteralString] = """
SELECT p.ticket_id FROM open_periods AS p
JOIN unnest(%(nodes)s::bigint[]) AS at (node) USING (node)
WHERE p.open_to > %(instant)s AND p.open_from <= %(instant)s
UNION ALL
SELECT ticket_id FROM tickets WHERE is_open AND open_since <= %(instant)s
"""
_ALL: Final[LiteralString] = """
SELECT ticket_id FROM tickets WHERE version > 0 AND opened_at <= %(instant)s
"""

# The value of each field then. Spans of one field touch and never overlap; an agent's stints may, when an import
# steps back in time: then the later decision counts.
_STATES: Final[LiteralString] = """
SELECT c.ticket_id, status.value AS category, priority.value AS priority, grouped.value AS group_id,
       stint.agent_id AS assignee_id
FROM ({candidates}) AS c
JOIN spans AS status ON status.ticket_id = c.ticket_id AND status.field = 'status'
    AND status.valid_from <= %(instant)s AND (status.valid_to IS NULL OR status.valid_to > %(instant)s)
LEFT JOIN spans AS priority ON priority.ticket_id = c.ticket_id AND priority.field = 'priority'
    AND priority.valid_from <= %(instant)s AND (priority.valid_to IS NULL OR priority.valid_to > %(instant)s)
LEFT JOIN spans AS grouped ON grouped.ticket_id = c.ticket_id AND grouped.field = 'group'
    AND grouped.valid_from <= %(instant)s AND (grouped.valid_to IS NULL OR grouped.valid_to > %(instant)s)
LEFT JOIN LATERAL (
    SELECT a.agent_id FROM assignments AS a
    WHERE a.ticket_id = c.ticket_id AND a.assigned_at <= %(instant)s
      AND (a.ended_at IS NULL OR a.ended_at > %(instant)s)
    ORDER BY a.version DESC LIMIT 1
) AS stint ON true
"""


_EVER_TAGGED: Final[LiteralString] = """
(SELECT coalesce(jsonb_agg(DISTINCT tag), '[]') FROM timeline AS e
 CROSS JOIN json_array_elements_text(coalesce(e.raw -> 'tags', '[]')) AS tag
 WHERE e.stream_id = s.ticket_id AND e.topic = 'tickets.v1'
   AND e.type IN ('ticket.opened.v1', 'ticket.tags_changed.v1')) ?& %(ever_tagged)s
"""
_EVER_SAID: Final[LiteralString] = """
s.ticket_id IN (SELECT d.ticket_id FROM search_documents AS d WHERE d.everything @@ %(ever_said)s::tsquery)
"""
_EVER_MISSED: Final[LiteralString] = (
    "EXISTS (SELECT FROM sla_cycles AS k WHERE k.ticket_id = s.ticket_id AND k.{} IS NOT NULL)"
)


@dataclass(frozen=True, slots=True)
class PastFilter:
    """Which tickets; everything that is given must hold, within a tuple any one may.

    `none` as a group or assignee: tickets without one. `ever_…`: that had words (as text of type tsquery), the tags, a
    breach or a warning at any time.
    """

    status: tuple[StatusCategory, ...] = ()
    group: tuple[str, ...] = ()
    assignee: tuple[str, ...] = ()
    priority: tuple[Priority, ...] = ()
    channel: tuple[Channel, ...] = ()
    requester: str | None = None
    external_id: str | None = None
    is_open: bool | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    ever_said: str | None = None
    ever_tagged: tuple[str, ...] = ()
    ever_breached: bool = False
    ever_warned: bool = False

    @property
    def is_about_open_ones(self) -> bool:
        """Whether only tickets that were open can match: then the cost is that of the backlog of the time."""
        return self.is_open is True or bool(self.status and not ENDED & set(self.status))


async def backlog_at(pool: Pool, instant: datetime) -> dict[str, Any]:
    """What was open: by status, priority, group and assignee, as the board counts it."""
    statement = SQL(
        "SELECT s.group_id, s.category, s.priority, s.assignee_id, s.assignee_id IS NULL AS is_unassigned,"
        " count(*) AS count FROM ({}) AS s GROUP BY 1, 2, 3, 4"
    ).format(_states(SQL(_OPEN)))
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


async def tickets_at(
    pool: Pool, wanted: PastFilter, instant: datetime, *, limit: int, after: str | None = None
) -> dict[str, Any]:
    """The tickets of that time, the newest first, and how many there were.

    Returns:
        `count`, `ids` of this page with their state then (id → columns), and `next`.

    Raises:
        Invalid: `after` is not a cursor of this very list.
    """
    name = scope_of(wanted, instant)
    conditions, values = _conditions(wanted)
    states = _states(SQL(_OPEN if wanted.is_about_open_ones else _ALL))
    matching = SQL(
        "SELECT s.*, t.opened_at FROM ({states}) AS s JOIN tickets AS t USING (ticket_id) WHERE {conditions}"
    ).format(states=states, conditions=SQL(" AND ").join(conditions))
    values |= {"instant": instant, "nodes": nodes_of(instant), "limit": limit + 1}
    opened_at, ticket_id = (
        cursor.decode(after, tuple[datetime, UUID], scope=name) if after else (None, None)
    )
    values |= {"after_key": opened_at, "after_id": ticket_id}
    statement = SQL(
        "WITH matching AS MATERIALIZED ({}), counted AS (SELECT count(*) AS count FROM matching)"
        " SELECT counted.count, page.* FROM counted LEFT JOIN LATERAL (SELECT * FROM matching AS m"
        " WHERE %(after_key)s::timestamptz IS NULL OR (m.opened_at, m.ticket_id) < (%(after_key)s, %(after_id)s)"
        " ORDER BY m.opened_at DESC, m.ticket_id DESC LIMIT %(limit)s) AS page ON true"
    ).format(matching)
    async with pool.connection() as connection:
        rows = await (await connection.execute(statement, values)).fetchall()
    count = rows[0]["count"]
    found = [row for row in rows if row["ticket_id"] is not None]
    page, following = found[:limit], None
    if len(found) > limit:
        following = cursor.encode((page[-1]["opened_at"], page[-1]["ticket_id"]), scope=name)
    return {"count": count, "ids": {row["ticket_id"]: row for row in page}, "next": following}


async def fields_at(
    pool: Pool, ticket_ids: list[UUID], instant: datetime
) -> dict[UUID, dict[str, Any]]:
    """Status (`category`), priority, group and assignee of these tickets then, by the same statement as the counts."""
    statement = _states(SQL("SELECT unnest(%(ids)s::uuid[]) AS ticket_id"))
    async with pool.connection() as connection:
        found = await connection.execute(statement, {"ids": ticket_ids, "instant": instant})
        return {row["ticket_id"]: row for row in await found.fetchall()}


def _states(candidates: SQL) -> Composed:
    return SQL(_STATES).format(candidates=candidates)


def _conditions(wanted: PastFilter) -> tuple[list[SQL | Composed], dict[str, Any]]:
    conditions: list[SQL | Composed] = [SQL("true")]
    values: dict[str, Any] = {}
    tests: dict[str, LiteralString] = {
        "status": "s.category = ANY(%(status)s)",
        "priority": "s.priority = ANY(%(priority)s)",
        "channel": "t.via = ANY(%(channel)s)",
        "ever_tagged": _EVER_TAGGED,
    }
    for name, test in tests.items():
        if value := getattr(wanted, name):
            conditions.append(SQL(test))
            values[name] = list(map(str, value))
    equal: dict[str, LiteralString] = {
        "requester": "t.requester_id = %(requester)s",
        "external_id": "t.external_id = %(external_id)s",
        "created_from": "t.opened_at >= %(created_from)s",
        "created_before": "t.opened_at < %(created_before)s",
        "ever_said": _EVER_SAID,
    }
    for name, test in equal.items():
        if (one := getattr(wanted, name)) is not None:
            conditions.append(SQL(test))
            values[name] = one
    for has, moment in ((wanted.ever_breached, "detected_at"), (wanted.ever_warned, "warned_at")):
        if has:
            conditions.append(SQL(_EVER_MISSED).format(Identifier(moment)))
    if wanted.is_open is not None:
        ended = SQL("s.category IN ('solved', 'closed')")
        conditions.append(SQL("NOT {}").format(ended) if wanted.is_open else ended)
    columns: dict[str, LiteralString] = {"group": "s.group_id", "assignee": "s.assignee_id"}
    for name, column in columns.items():
        if ids := getattr(wanted, name):
            values[name] = [value for value in ids if value != NOBODY]
            condition: LiteralString = f"{column} = ANY(%({name})s)"
            if NOBODY in ids:
                condition = f"({condition} OR {column} IS NULL)"
            conditions.append(SQL(condition))
    return conditions, values


def scope_of(wanted: PastFilter, instant: datetime) -> str:
    """A cursor belongs to one filter and one instant."""
    described = msgspec.json.encode([wanted, instant])
    return f"past:{hashlib.blake2b(described, digest_size=8).hexdigest()}"
