"""The list at an instant: the tickets that it would have had, counted and in its order."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.sql import SQL, Composed

from services.query.facets import FIELD
from services.query.past import facets, words
from services.query.past.conditions import CHANGED, SOURCES, Question, question_of
from services.query.projections.tickets import RANKS
from services.query.views.fields import FieldKind, kinds_of
from services.query.views.list_filter import TicketFilter
from services.query.views.lists import FieldSort, Order, Sort
from services.query.views.pools import Pool
from services.query.views.text_query import TextQuery
from shared.http import cursor

_KEYS: Final[dict[str, tuple[LiteralString, str | None]]] = {
    "updated": (CHANGED, None),
    "created": ("t.opened_at", None),
    "priority": ("array_position(%(ranks)s::text[], priority.value)", "priority"),
    "due": ("coalesce(due.due_at, 'infinity')", "due"),
}

_MEMORY: Final = "SET LOCAL work_mem = '64MB'"
"""A million ids of a set in memory; what does not fit is looked up ticket by ticket, which takes minutes."""

_LIST: Final[LiteralString] = """
WITH {sources}, matching AS MATERIALIZED ({matching}),
counted AS (SELECT count(*) AS count FROM matching)
SELECT counted.count, page.ticket_id, nullif(page.sort_key::text, 'infinity')::{type} AS sort_key
FROM counted LEFT JOIN LATERAL (
    SELECT * FROM matching AS m WHERE {place} ORDER BY m.sort_key {direction}, m.ticket_id {direction} LIMIT %(limit)s
) AS page ON true
ORDER BY page.sort_key {direction}, page.ticket_id {direction}
"""


_WALK: Final[LiteralString] = """
WITH {sources}, matching AS MATERIALIZED ({matching}),
counted AS (SELECT count(*) FILTER (WHERE NOT is_unread) AS count FROM matching)
SELECT counted.count, m.ticket_id, m.is_unread, nullif(m.sort_key::text, 'infinity')::{type} AS sort_key
FROM counted LEFT JOIN matching AS m ON {place}
ORDER BY m.sort_key {direction}, m.ticket_id {direction}
"""

_FIRST: Final = 200
"""Rows of the first step of a walk: mostly they fill the page."""

_Key = tuple[Any, UUID]


@dataclass(frozen=True, slots=True)
class PastPage:
    """Tickets of a past list.

    Attributes:
        count: of the whole list; None when too many would have to be read again to know.
        count_at_least: so many there are for certain.
        ids: this page's tickets in order. A page can be shorter than asked for and not be the last.
        next: cursor of the following page.
    """

    count: int | None
    count_at_least: int
    ids: list[UUID]
    next: str | None


async def tickets_at(
    pool: Pool,
    wanted: TicketFilter,
    instant: datetime,
    *,
    sort: Order = Sort.CREATED_DESC,
    limit: int,
    after: str | None = None,
) -> PastPage:
    """One page of the list as it was, and how many it had.

    Raises:
        Invalid: `after` is not a cursor of this very list; a field or its value does not exist.
    """
    name = _scope_of(wanted, instant, sort)
    async with pool.connection() as connection, connection.transaction():
        await connection.execute(_MEMORY)
        kinds = await _kinds(connection, wanted, sort, instant)
        question = await question_of(connection, wanted, instant, kinds)
        walk = _walk(question, sort, kinds)
        place: SQL | Composed = SQL("true")
        if after is not None:
            key, ticket_id = cursor.decode(after, walk.cursor, scope=name)
            place = SQL("(m.sort_key, m.ticket_id) {} (%(after_key)s::{}, %(after_id)s)").format(
                SQL("<") if sort.is_descending else SQL(">"), SQL(walk.type)
            )
            # `infinity` (no deadline) travels as None: Python has no such moment.
            question.values |= {
                "after_key": "infinity" if key is None else key,
                "after_id": ticket_id,
            }
        columns = walk.columns
        if question.unread is not None:
            columns += SQL(", ({}) AS is_unread").format(SQL(words.WRITTEN_SINCE))
        statement = SQL(_LIST if question.unread is None else _WALK).format(
            sources=SOURCES,
            matching=question.statement(columns, walk.source),
            type=SQL(walk.type),
            place=place,
            direction=SQL("DESC") if sort.is_descending else SQL("ASC"),
        )
        if question.unread is not None:
            return await _walked(connection, statement, question, question.unread, limit, name)
        found = await connection.execute(statement, {**question.values, "limit": limit + 1})
        rows = await found.fetchall()
    count, rows = rows[0]["count"], [row for row in rows if row["ticket_id"] is not None]
    page = rows[:limit]
    following = _key(page[-1]) if len(rows) > limit else None
    return PastPage(count, count, [row["ticket_id"] for row in page], _cursor(following, name))


async def _walked(
    connection: AsyncConnection[DictRow],
    statement: Composed,
    question: Question,
    asked: TextQuery,
    limit: int,
    name: str,
) -> PastPage:
    """Along the list, reading again only what stands there, until the page is full or enough was read."""
    instant = question.values["instant"]
    found: list[_Key] = []
    last: _Key | None = None
    count = read = 0
    size = _FIRST
    async with connection.cursor("past_walk") as walk:
        await walk.execute(statement, question.values)
        while rows := await walk.fetchmany(size):
            count = rows[0]["count"]
            rows = [row for row in rows if row["ticket_id"] is not None]  # of an empty list
            unread = [row["ticket_id"] for row in rows if row["is_unread"]]
            had = set(await words.having(connection, unread, asked, instant))
            for row in rows:
                last = _key(row)
                if row["ticket_id"] in had or not row["is_unread"]:
                    found.append(last)
            read, size = read + len(unread), min(2 * size, words.AT_ONCE)
            if len(found) > limit:
                last = found[limit - 1]
                break
            if read >= words.READ_MAX:
                break
        else:
            last = None  # nothing follows
    ids = [ticket_id for _, ticket_id in found[:limit]]
    return PastPage(None, count, ids, _cursor(last, name))


def _key(row: DictRow) -> _Key:
    return row["sort_key"], row["ticket_id"]


def _cursor(last: _Key | None, name: str) -> str | None:
    return None if last is None else cursor.encode(last, scope=name)


async def _kinds(
    connection: AsyncConnection[DictRow], wanted: TicketFilter, sort: Order, instant: datetime
) -> dict[str, FieldKind]:
    told = facets.told_of_fields(instant)
    kinds = await kinds_of(connection, [wish.name for wish in wanted.fields], facets=told)
    if isinstance(sort, FieldSort):
        kinds |= await kinds_of(connection, [sort.name], parameter="sort", facets=told)
    return kinds


@dataclass(frozen=True, slots=True)
class _Walk:
    """The list's order: the columns of what matches, the key's type in SQL and in a cursor; `source`: one more join."""

    columns: SQL | Composed
    type: LiteralString
    cursor: Any
    source: SQL | Composed


def _walk(question: Question, sort: Order, kinds: dict[str, FieldKind]) -> _Walk:
    if isinstance(sort, FieldSort):
        key, type_ = kinds[sort.name].ordered_by()
        rows = facets.facets_at(FIELD + sort.name, question.values)
        source = SQL("JOIN ({}) AS f ON f.ticket_id = t.ticket_id AND {} IS NOT NULL").format(
            rows, SQL(key)
        )
        columns = SQL("t.ticket_id, {} AS sort_key").format(SQL(key))
        return _Walk(columns, type_, tuple[str | float | None, UUID], source)
    by = sort.removeprefix("-")
    expression, join = _KEYS[by]
    if join is not None:
        question.joins.add(join)
    if by == "priority":
        question.values["ranks"] = list(map(str, RANKS))
        return _Walk(_keyed(expression), "int", tuple[int, UUID], SQL(""))
    return _Walk(_keyed(expression), "timestamptz", tuple[datetime | None, UUID], SQL(""))


def _keyed(expression: LiteralString) -> Composed:
    return SQL("t.ticket_id, {} AS sort_key").format(SQL(expression))


def _scope_of(wanted: TicketFilter, instant: datetime, sort: Order) -> str:
    """A cursor belongs to one filter, one instant and one order."""
    described = msgspec.json.encode([wanted, instant, sort])
    return f"past:{hashlib.blake2b(described, digest_size=8).hexdigest()}"
