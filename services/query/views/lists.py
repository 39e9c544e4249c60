"""The ticket list: filters, orders, full text, and pages that stay put while tickets are written."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.errors import QueryCanceled
from psycopg.rows import DictRow
from psycopg.sql import SQL, Composed, Literal

from services.query.facets import FIELD
from services.query.views import customer_state
from services.query.views.fields import kinds_of
from services.query.views.list_filter import TicketFilter, conditions_of
from services.query.views.matches import matches
from services.query.views.pools import Pool
from services.query.views.scope import Scope
from shared.errors import Forbidden, Invalid
from shared.http import cursor

LIMIT_MAX: Final = 200
"""More than anybody reads at once; a page of 200 rows is some 150 kB."""


class Sort(StrEnum):
    """The orders of the list; a leading minus is descending. `due`: tickets without a running clock come last."""

    UPDATED = "updated"
    UPDATED_DESC = "-updated"
    CREATED = "created"
    CREATED_DESC = "-created"
    PRIORITY = "priority"
    PRIORITY_DESC = "-priority"
    DUE = "due"
    DUE_DESC = "-due"

    @property
    def is_descending(self) -> bool:
        return self.startswith("-")


@dataclass(frozen=True, slots=True)
class FieldSort:
    """By a custom field: tickets that have it, numbers by size and everything else by its letters."""

    name: str
    is_descending: bool = False


Order = Sort | FieldSort


def order_of(asked: str) -> Order:
    """The order that somebody asks for by name.

    Raises:
        Invalid: no index gives it.
    """
    name = asked.removeprefix("-")
    if name.startswith(FIELD) and name != FIELD:
        return FieldSort(name.removeprefix(FIELD), is_descending=name != asked)
    try:
        return Sort(asked)
    except ValueError:
        raise Invalid.of(
            "sort",
            f"only {', '.join(Sort)} and {FIELD}NAME or -{FIELD}NAME are kept in order; any other order would have"
            " to look at all tickets first",
        ) from None


@dataclass(frozen=True, slots=True)
class TicketPage:
    """`next` is the cursor of the following page; None at the end."""

    tickets: list[dict[str, Any]] = field(default_factory=list)
    next: str | None = None


_KEYS: Final[dict[str, tuple[LiteralString, LiteralString]]] = {
    "updated": ("t.changed_at", "timestamptz"),
    "created": ("t.opened_at", "timestamptz"),
    "priority": ("t.priority_rank", "smallint"),
    "due": ("t.due_sort", "timestamptz"),
}

PUBLIC_COLUMNS: Final[LiteralString] = (
    """
    t.ticket_id, t.number, t.external_id, t.subject, t.category AS status, t.label, t.priority,
    t.ticket_type AS type, t.via AS channel, t.language, t.is_open, t.requester_id, t.requester_name,
    t.requester_email, t.organization, t.opened_at AS created_at, t.updated_at, t.version,
    t.last_agent_reply_at, t.last_customer_message_at, t.closed_at,
    CASE WHEN NOT t.is_open THEN t.resolved_at END AS resolved_at, t.merged_into_number,
    t.close_at, t.form,
    (SELECT jsonb_agg(link) FROM jsonb_array_elements(t.links) AS link
     WHERE link ->> 'relation' IN ('follow_up', 'predecessor')) AS follow_ups,
"""  # noqa: S608  # put together from constants
    + customer_state.COLUMNS
)

INTERNAL_COLUMNS: Final[LiteralString] = """,
    t.changed_at, t.tags, t.fields, t.links, t.is_outbound, t.waiting_since, t.first_reply_at,
    t.postponed_until, t.category_since AS status_since, t.merged_into_id, t.closed_reason,
    t.group_id, (SELECT g.name FROM groups AS g WHERE g.group_id = t.group_id) AS group_name,
    t.assignee_id,
    coalesce(t.assignee_name, (SELECT a.name FROM agents AS a WHERE a.agent_id = t.assignee_id)) AS assignee_name,
    t.assigned_at, t.queued_at, t.routing_why, t.routing_version,
    t.policy_id, t.policy_version, t.due_at, t.due_metric, t.is_at_risk, t.is_breached,
    t.at_risk_metrics, t.breached_metrics, t.clocks, t.sla_version,
    t.reopen_count, t.resolution_count, t.customer_message_count, t.agent_reply_count, t.note_count,
    t.is_internal, t.courtesy_count, t.waits_for_children, t.participants, t.tasks, t.reopen_until
"""


_COUNTING: Final = "SET LOCAL statement_timeout = '500ms'"
"""A count that a page shows beside others may not hold it up."""


async def list_tickets(
    pool: Pool,
    wanted: TicketFilter,
    scope: Scope,
    *,
    sort: Order = Sort.UPDATED_DESC,
    limit: int = 50,
    after: str | None = None,
) -> TicketPage:
    """One page of the list, walked along an index.

    A page begins after the key of the last row seen, so rows that are written meanwhile never make another row
    appear twice or not at all; a row whose own key changes moves to its new place, as in any live list.

    Raises:
        Invalid: `after` is not a cursor of this very list; a field or its value does not exist.
        Forbidden: a customer asks by internal facts.
    """
    if not scope.sees_internal and (wanted.is_internal or isinstance(sort, FieldSort)):
        raise Forbidden("customers cannot ask by group, assignee, promises or fields")
    list_name = _scope_of(wanted, scope, sort)
    async with pool.connection() as connection:
        walk = await _walk(connection, sort)
        conditions, values = conditions_of(wanted, scope)
        found = await matches(
            connection, wanted, conditions, values, scope, passes_by=_passes_by(wanted, sort)
        )
        place: SQL | Composed = SQL("true")
        if after is not None:
            # `infinity` (no deadline) travels as None: Python has no such moment.
            key, ticket_id = cursor.decode(after, walk.cursor, scope=list_name)
            place = SQL("({}, t.ticket_id) {} (%(after_key)s, %(after_id)s)").format(
                SQL(walk.key), SQL("<") if sort.is_descending else SQL(">")
            )
            values |= {"after_key": "infinity" if key is None else key, "after_id": ticket_id}
        keys = _keys(walk, [*conditions, *found.conditions], place, is_gathered=found.is_gathered)
        statement = _statement(walk, keys, scope)
        rows = await (
            await connection.execute(statement, {**values, "limit": limit + 1})
        ).fetchall()
    page = rows[:limit]
    following = None
    if len(rows) > limit:
        last = page[-1]
        following = cursor.encode((last["sort_key"], last["ticket_id"]), scope=list_name)
    for row in page:
        del row["sort_key"]
    return TicketPage(page, following)


async def count_tickets(
    pool: Pool, wanted: TicketFilter, scope: Scope, *, at_most: int
) -> int | None:
    """How many tickets the list has, counted no further than `at_most`; None when that takes too long."""
    async with pool.connection() as connection:
        conditions, values = conditions_of(wanted, scope)
        found = await matches(connection, wanted, conditions, values, scope)
        statement = SQL(
            "SELECT count(*) AS n FROM (SELECT FROM tickets AS t WHERE {} LIMIT {}) AS found"
        ).format(SQL(" AND ").join([*conditions, *found.conditions]), at_most)
        try:
            async with connection.transaction():
                await connection.execute(_COUNTING)
                row = await (await connection.execute(statement, values)).fetchone()
        except QueryCanceled:
            return None
    return int(row["n"]) if row else 0


async def ids_of(
    pool: Pool, wanted: TicketFilter, scope: Scope, *, sort: Order, limit: int
) -> list[UUID]:
    """The ids of the first tickets of the list, in its order. Raises as `list_tickets`."""
    async with pool.connection() as connection:
        walk = await _walk(connection, sort)
        conditions, values = conditions_of(wanted, scope)
        found = await matches(
            connection, wanted, conditions, values, scope, passes_by=_passes_by(wanted, sort)
        )
        keys = _keys(
            walk, [*conditions, *found.conditions], SQL("true"), is_gathered=found.is_gathered
        )
        rows = await (await connection.execute(keys, {**values, "limit": limit})).fetchall()
    return [row["ticket_id"] for row in rows]


def _passes_by(wanted: TicketFilter, sort: Order) -> bool:
    """Whether no index holds the group's tickets in this order."""
    is_one = len(wanted.group) == 1 and wanted.group_of is None
    return not (
        is_one
        and wanted.is_open
        and sort in {Sort.UPDATED_DESC, Sort.UPDATED, Sort.DUE, Sort.DUE_DESC}
    )


@dataclass(frozen=True, slots=True)
class _Walk:
    """Along which column, of which type in SQL and in a cursor; `source`: where that column and the tickets are."""

    key: LiteralString
    type: LiteralString
    cursor: Any
    is_descending: bool
    source: SQL | Composed


async def _walk(connection: AsyncConnection[DictRow], sort: Order) -> _Walk:
    if isinstance(sort, Sort):
        key, type_ = _KEYS[sort.removeprefix("-")]
        return _Walk(
            key, type_, tuple[datetime | int | None, UUID], sort.is_descending, SQL("tickets AS t")
        )
    kinds = await kinds_of(connection, [sort.name], parameter="sort")
    key, type_ = kinds[sort.name].ordered_by()
    source = SQL(
        "facets AS f JOIN tickets AS t ON t.ticket_id = f.ticket_id AND f.name = {} AND {} IS NOT NULL"
    ).format(Literal(FIELD + sort.name), SQL(key))
    return _Walk(key, type_, tuple[str | float | None, UUID], sort.is_descending, source)


def _keys(
    walk: _Walk, conditions: list[SQL | Composed], place: SQL | Composed, *, is_gathered: bool
) -> Composed:
    """Ids and keys in order, by an index alone where it holds what is asked."""
    parts = {
        "key": SQL(walk.key),
        "source": walk.source,
        "conditions": SQL(" AND ").join(conditions),
        "place": place,
        "direction": SQL("DESC") if walk.is_descending else SQL("ASC"),
    }
    # Gathered: all of them are found as quickly as that goes, whatever the order, and then put into it.
    return SQL(
        "SELECT * FROM (SELECT t.ticket_id, {key} AS sort_key FROM {source} WHERE {conditions} AND {place} OFFSET 0)"
        " AS gathered ORDER BY sort_key {direction}, ticket_id {direction} LIMIT %(limit)s"
        if is_gathered
        else "SELECT t.ticket_id, {key} AS sort_key FROM {source} WHERE {conditions} AND {place}"
        " ORDER BY sort_key {direction}, ticket_id {direction} LIMIT %(limit)s"
    ).format(**parts)


def _statement(walk: _Walk, keys: Composed, scope: Scope) -> Composed:
    """The whole rows of one page of keys."""
    return SQL(
        "SELECT {columns}, nullif(page.sort_key::text, 'infinity')::{type} AS sort_key FROM ({keys}) AS page"
        " JOIN tickets AS t ON t.ticket_id = page.ticket_id"
        " ORDER BY page.sort_key {direction}, page.ticket_id {direction}"
    ).format(
        columns=SQL(PUBLIC_COLUMNS + INTERNAL_COLUMNS if scope.sees_internal else PUBLIC_COLUMNS),
        type=SQL(walk.type),
        keys=keys,
        direction=SQL("DESC") if walk.is_descending else SQL("ASC"),
    )


def _scope_of(wanted: TicketFilter, scope: Scope, sort: Order) -> str:
    """A cursor belongs to one filter, one order and one customer."""
    described = msgspec.json.encode([wanted, scope.ids, sort])
    return f"tickets:{hashlib.blake2b(described, digest_size=8).hexdigest()}"
