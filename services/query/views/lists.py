"""The ticket list: filters, orders, full text, and pages that stay put while tickets are written."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.sql import SQL, Composed, Literal

from services.query.facets import FIELD
from services.query.views import customer_state
from services.query.views.effort import PASSED_BY_ROW, PASSED_IN_INDEX
from services.query.views.fields import kinds_of
from services.query.views.list_filter import Named, TicketFilter, conditions_of, named
from services.query.views.matches import Matches, Walk, matches
from services.query.views.pools import Pool
from services.query.views.scope import Scope
from services.query.views.values import Values
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
        order = await _in_order(connection, sort)
        place: SQL | Composed = SQL("true")
        values = Values()
        if after is not None:
            # `infinity` (no deadline) travels as None: Python has no such moment.
            key, ticket_id = cursor.decode(after, order.cursor, scope=list_name)
            # Key and id of one table: only then does a walk begin at the place, and not at the first of all.
            place = SQL("({}, {}) {} (%(after_key)s, %(after_id)s)").format(
                SQL(order.key),
                SQL("t.ticket_id" if isinstance(sort, Sort) else "f.ticket_id"),
                SQL("<") if sort.is_descending else SQL(">"),
            )
            values |= {"after_key": "infinity" if key is None else key, "after_id": ticket_id}
        rows = await _first(
            connection,
            wanted,
            scope,
            order,
            place,
            values,
            limit=limit + 1,
            whole=lambda keys: _statement(order, keys, scope),
        )
    page = rows[:limit]
    following = None
    if len(rows) > limit:
        last = page[-1]
        following = cursor.encode((last["sort_key"], last["ticket_id"]), scope=list_name)
    for row in page:
        del row["sort_key"]
    return TicketPage(page, following)


async def ids_of(
    pool: Pool, wanted: TicketFilter, scope: Scope, *, sort: Order, limit: int
) -> list[UUID]:
    """The ids of the first tickets of the list, in its order. Raises as `list_tickets`."""
    async with pool.connection() as connection:
        order = await _in_order(connection, sort)
        rows = await _first(
            connection,
            wanted,
            scope,
            order,
            SQL("true"),
            Values(),
            limit=limit,
            # Without the key: Python has no moment for that of tickets without a deadline.
            whole=lambda keys: SQL(
                "SELECT page.ticket_id FROM ({}) AS page ORDER BY page.sort_key {}, page.ticket_id {}"
            ).format(keys, order.direction, order.direction),
        )
    return [row["ticket_id"] for row in rows]


async def _first(
    connection: AsyncConnection[DictRow],
    wanted: TicketFilter,
    scope: Scope,
    order: "_InOrder",
    place: SQL | Composed,
    of_place: Values,
    *,
    limit: int,
    whole: Callable[[Composed], Composed],
) -> list[DictRow]:
    """The first rows behind a place; `whole` makes the statement from that of their ids and keys."""
    asked = await named(connection, wanted, scope)
    if asked is None:
        return []
    conditions, values = conditions_of(asked)
    values |= {**of_place, "limit": limit}
    found = await matches(
        connection,
        asked.wanted,
        conditions,
        values,
        scope,
        page=limit,
        walk=_walk(asked, order.sort),
    )

    async def rows_of(keys: Composed) -> list[DictRow]:
        # Never prepared: asked often, PostgreSQL would plan it once for any value, and one group has half of all.
        return await (await connection.execute(whole(keys), values, prepare=False)).fetchall()

    if not found.way.is_gathered:
        conditions += [
            SQL(condition)
            for (name, given), condition in _FOLLOWS.items()
            if order.sort in {name, "-" + name} and given in values
        ]
        rows = await rows_of(_walked(order, conditions, found, place))
        if found.way.tested_max is None or len(rows) == limit:
            return rows
    return await rows_of(_gathered(order, [*conditions, *found.sets], found.left, place))


# Opening is a ticket's first change: said as well, a walk in the other's order begins or ends with the span.
_FOLLOWS: Final[dict[tuple[str, str], LiteralString]] = {
    ("updated", "created_from"): "t.changed_at >= %(created_from)s",
    ("created", "updated_before"): "t.opened_at < %(updated_before)s",
}

_INDEXED_ALONE: Final = {
    "created": ("created_from", "created_before"),
    "updated": ("updated_from", "updated_before"),
    "due": ("due_within",),
}
"""Order → the filters that only the index of this order holds."""


def _walk(asked: Named, sort: Order) -> Walk:
    """What a walk in this order passes."""
    if isinstance(sort, FieldSort):
        return Walk(PASSED_BY_ROW)
    wanted, name = asked.wanted, sort.removeprefix("-")
    people = [ids for ids in (asked.requester, asked.seen) if ids is not None]
    if name == "updated" and any(len(ids) == 1 for ids in people):
        return Walk(PASSED_BY_ROW, is_within=True)
    elsewhere = [*people, wanted.external_id]
    for other, filters in _INDEXED_ALONE.items():
        if other != name:
            elsewhere += [getattr(wanted, each) for each in filters]
    return Walk(
        PASSED_IN_INDEX if all(each is None for each in elsewhere) else PASSED_BY_ROW,
        is_within=len(wanted.group) == 1 and bool(wanted.is_open) and name in {"updated", "due"},
    )


@dataclass(frozen=True, slots=True)
class _InOrder:
    """Along which column, of which type in SQL and in a cursor.

    `source`: where that column and the tickets are; `joined`: what gives it to tickets that are found already.
    """

    sort: Order
    key: LiteralString
    type: LiteralString
    cursor: Any
    source: SQL | Composed
    joined: SQL | Composed

    @property
    def direction(self) -> SQL:
        return SQL("DESC") if self.sort.is_descending else SQL("ASC")


async def _in_order(connection: AsyncConnection[DictRow], sort: Order) -> _InOrder:
    if isinstance(sort, Sort):
        key, type_ = _KEYS[sort.removeprefix("-")]
        return _InOrder(
            sort, key, type_, tuple[datetime | int | None, UUID], SQL("tickets AS t"), SQL("")
        )
    kinds = await kinds_of(connection, [sort.name], parameter="sort")
    key, type_ = kinds[sort.name].ordered_by()
    named = {"name": Literal(FIELD + sort.name), "key": SQL(key)}
    return _InOrder(
        sort,
        key,
        type_,
        tuple[str | float | None, UUID],
        SQL(
            "facets AS f JOIN tickets AS t ON t.ticket_id = f.ticket_id AND f.name = {name} AND {key} IS NOT NULL"
        ).format(**named),
        # OFFSET 0: few are asked, and the planner would read the whole field.
        SQL(
            " CROSS JOIN LATERAL (SELECT f.* FROM facets AS f WHERE f.ticket_id = t.ticket_id AND f.name = {name}"
            " AND {key} IS NOT NULL OFFSET 0) AS f"
        ).format(**named),
    )


def _gathered(
    order: _InOrder,
    conditions: Sequence[SQL | Composed],
    tests: Sequence[Composed],
    place: SQL | Composed,
) -> Composed:
    """Ids and keys: all are found as quickly as that goes, put into the order, and tested until a page is full."""
    # Without OFFSET 0 the planner would rather walk, and hope for the limit.
    found = SQL(
        "SELECT t.ticket_id, {key} AS sort_key FROM (SELECT t.* FROM tickets AS t WHERE {conditions} OFFSET 0) AS t"
        "{joined} WHERE {place} ORDER BY sort_key {direction}, ticket_id {direction}"
    ).format(
        key=SQL(order.key),
        joined=order.joined,
        conditions=SQL(" AND ").join(conditions),
        place=place,
        direction=order.direction,
    )
    if not tests:
        return SQL("{} LIMIT %(limit)s").format(found)
    return SQL(
        "SELECT t.ticket_id, t.sort_key FROM ({found} OFFSET 0) AS t WHERE {tests}"
        " ORDER BY sort_key {direction}, ticket_id {direction} LIMIT %(limit)s"
    ).format(found=found, tests=SQL(" AND ").join(tests), direction=order.direction)


def _walked(
    order: _InOrder,
    conditions: Sequence[SQL | Composed],
    found: Matches,
    place: SQL | Composed,
) -> Composed:
    """Ids and keys along an index that gives the order, and holds what is asked where it can."""
    parts = {
        "key": SQL(order.key),
        "source": order.source,
        "place": place,
        "direction": order.direction,
    }
    if found.way.tested_max is None:
        return SQL(
            "SELECT t.ticket_id, {key} AS sort_key FROM {source} WHERE {conditions} AND {place}"
            " ORDER BY sort_key {direction}, ticket_id {direction} LIMIT %(limit)s"
        ).format(conditions=SQL(" AND ").join([*conditions, *found.tests]), **parts)
    # What the inner limit counts are the tickets that are put to the tests.
    return SQL(
        "SELECT t.ticket_id, t.sort_key FROM (SELECT t.ticket_id, {key} AS sort_key FROM {source}"
        " WHERE {conditions} AND {place} ORDER BY sort_key {direction}, ticket_id {direction} LIMIT {tested_max}) AS t"
        " WHERE {tests} ORDER BY sort_key {direction}, ticket_id {direction} LIMIT %(limit)s"
    ).format(
        conditions=SQL(" AND ").join(conditions),
        tested_max=Literal(found.way.tested_max),
        tests=SQL(" AND ").join(found.tests),
        **parts,
    )


def _statement(order: _InOrder, keys: Composed, scope: Scope) -> Composed:
    """The whole rows of one page of keys."""
    return SQL(
        "SELECT {columns}, nullif(page.sort_key::text, 'infinity')::{type} AS sort_key FROM ({keys}) AS page"
        " JOIN tickets AS t ON t.ticket_id = page.ticket_id"
        " ORDER BY page.sort_key {direction}, page.ticket_id {direction}"
    ).format(
        columns=SQL(PUBLIC_COLUMNS + INTERNAL_COLUMNS if scope.sees_internal else PUBLIC_COLUMNS),
        type=SQL(order.type),
        keys=keys,
        direction=order.direction,
    )


def _scope_of(wanted: TicketFilter, scope: Scope, sort: Order) -> str:
    """A cursor belongs to one filter, one order and one customer."""
    described = msgspec.json.encode([wanted, scope.ids, sort])
    return f"tickets:{hashlib.blake2b(described, digest_size=8).hexdigest()}"
