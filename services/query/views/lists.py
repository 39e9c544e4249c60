"""The ticket list: filters, orders, full text, and pages that stay put while tickets are written."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import DictRow
from psycopg.sql import SQL, Composed, Literal, Placeholder

from services.query.views import customer_state
from services.query.views.customer_state import CustomerState
from services.query.views.pools import Pool
from services.query.views.scope import Scope
from shared.errors import Forbidden
from shared.events import Channel, Priority, StatusCategory
from shared.http import cursor

LIMIT_MAX: Final = 200
"""More than anybody reads at once; a page of 200 rows is some 150 kB."""

NOBODY: Final = "none"
"""As a filter for group or assignee: tickets without one."""


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
class TicketFilter:
    """Which tickets; everything that is given must hold, within a tuple any one may (tags: all of them)."""

    status: tuple[StatusCategory, ...] = ()
    customer_state: tuple[CustomerState, ...] = ()
    group: tuple[str, ...] = ()
    assignee: tuple[str, ...] = ()
    priority: tuple[Priority, ...] = ()
    channel: tuple[Channel, ...] = ()
    tag: tuple[str, ...] = ()
    requester: str | None = None
    external_id: str | None = None
    is_open: bool | None = None
    breached: bool | None = None
    at_risk: bool | None = None
    q: str | None = None

    @property
    def is_internal(self) -> bool:
        """Whether it asks for facts that customers do not see."""
        return bool(self.group or self.assignee) or not (self.breached is self.at_risk is None)


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

_FEW_MATCHES: Final = 4_000
"""So many ids are looked up one by one in some 20 ms. Of a million, a word in every 250th is as dear either way:
by looking up all of its tickets, or by walking the list until a page is full."""

_FEW_EXPECTED: Final = 10_000
"""A word that is too seldom for the planner's statistics is expected 2,000 times in a million, its stem too."""

_QUERIES: Final[LiteralString] = (
    "SELECT websearch_to_tsquery('simple', %s)::text AS written, websearch_to_tsquery('english', %s)::text AS stemmed"
)


async def list_tickets(
    pool: Pool,
    wanted: TicketFilter,
    scope: Scope,
    *,
    sort: Sort = Sort.UPDATED_DESC,
    limit: int = 50,
    after: str | None = None,
) -> TicketPage:
    """One page of the list, walked along an index.

    A page begins after the key of the last row seen, so rows that are written meanwhile never make another row
    appear twice or not at all; a row whose own key changes moves to its new place, as in any live list.

    Raises:
        Invalid: `after` is not a cursor of this very list.
        Forbidden: a customer asks by internal facts.
    """
    if wanted.is_internal and not scope.sees_internal:
        raise Forbidden("customers cannot filter by group, assignee or promises")
    key, _ = _KEYS[sort.removeprefix("-")]
    list_name = _scope_of(wanted, scope, sort)
    conditions, values = _conditions(wanted, scope)
    if after is not None:
        # `infinity` (no deadline) travels as None: Python has no such moment.
        place, ticket_id = cursor.decode(after, tuple[datetime | int | None, UUID], scope=list_name)
        comparison = SQL("<") if sort.is_descending else SQL(">")
        conditions.append(
            SQL("({}, t.ticket_id) {} (%(after_key)s, %(after_id)s)").format(SQL(key), comparison)
        )
        values |= {"after_key": "infinity" if place is None else place, "after_id": ticket_id}
    async with pool.connection() as connection:
        if wanted.q:
            condition, values["q"] = await _matching(connection, wanted.q, scope)
            conditions.append(condition)
        statement = _statement(sort, conditions, scope)
        found = await connection.execute(statement, {**values, "limit": limit + 1})
        rows = await found.fetchall()
    page = rows[:limit]
    following = None
    if len(rows) > limit:
        last = page[-1]
        following = cursor.encode((last["sort_key"], last["ticket_id"]), scope=list_name)
    for row in page:
        del row["sort_key"]
    return TicketPage(page, following)


def _statement(sort: Sort, conditions: list[SQL | Composed], scope: Scope) -> Composed:
    """The page's keys first, by an index alone where it holds what is asked; whole rows only for the page."""
    key, key_type = _KEYS[sort.removeprefix("-")]
    return SQL(
        "SELECT {columns}, nullif({key}::text, 'infinity')::{type} AS sort_key FROM ("
        "SELECT t.ticket_id FROM tickets AS t"
        " WHERE {conditions} ORDER BY {key} {direction}, t.ticket_id {direction} LIMIT %(limit)s"
        ") AS page JOIN tickets AS t ON t.ticket_id = page.ticket_id"
        " ORDER BY {key} {direction}, t.ticket_id {direction}"
    ).format(
        columns=SQL(PUBLIC_COLUMNS + INTERNAL_COLUMNS if scope.sees_internal else PUBLIC_COLUMNS),
        key=SQL(key),
        type=SQL(key_type),
        conditions=SQL(" AND ").join(conditions),
        direction=SQL("DESC") if sort.is_descending else SQL("ASC"),
    )


# Tests that are the same whatever the value; %(…)s is the attribute of the filter with that name.
_TESTS: Final[dict[str, LiteralString]] = {
    "status": "t.category = ANY(%(status)s)",
    "customer_state": "t.category = ANY(%(customer_state)s)",
    "priority": "t.priority = ANY(%(priority)s)",
    "channel": "t.via = ANY(%(channel)s)",
    "tag": "t.tags <> '{}' AND t.tags @> %(tag)s",
    "requester": "t.requester_id = ANY(ids_of_person(ARRAY[%(requester)s]))",
    "external_id": "t.external_id = %(external_id)s",
}
_SWITCHES: Final[dict[str, LiteralString]] = {
    "is_open": "t.is_open",
    "breached": "t.is_breached",
    "at_risk": "t.is_at_risk",
}
_ENDED: Final = frozenset({StatusCategory.SOLVED, StatusCategory.CLOSED})


def _conditions(wanted: TicketFilter, scope: Scope) -> tuple[list[SQL | Composed], dict[str, Any]]:
    conditions: list[SQL | Composed] = [SQL("t.version > 0")]
    values: dict[str, Any] = {
        name: _listed(name, value) if isinstance(value, tuple) else value
        for name in _TESTS
        if (value := getattr(wanted, name))
    }
    conditions += [SQL(_TESTS[name]) for name in values]
    for name, switch in _SWITCHES.items():
        if (wish := getattr(wanted, name)) is not None:
            conditions.append(SQL(switch) if wish else SQL("NOT " + switch))
    if wanted.status and not _ENDED & set(wanted.status):
        conditions.append(SQL("t.is_open"))  # lets the planner use the small partial indexes
    elif wanted.status and set(wanted.status) <= _ENDED:
        conditions.append(SQL("NOT t.is_open"))
    if scope.requester_id is not None:
        conditions.append(
            SQL("t.requester_id = ANY(ids_of_person(%(scope)s::text[])) AND NOT t.is_internal")
        )
        values["scope"] = scope.ids
    for column, name, ids in (
        (SQL("t.group_id"), "group", wanted.group),
        (SQL("t.assignee_id"), "assignee", wanted.assignee),
    ):
        if ids:
            condition, value = _one_of(column, name, ids)
            conditions.append(condition)
            values[name] = value
    return conditions, values


def _listed(name: str, values: tuple[Any, ...]) -> list[str]:
    if name == "customer_state":  # compared as categories, which the indexes know
        return [category for state in values for category in customer_state.CATEGORIES[state]]
    return list(map(str, values))


def _one_of(column: SQL, name: str, wanted: tuple[str, ...]) -> tuple[Composed, Any]:
    """A single value is compared plainly: only then can an index give the rows in their order."""
    ids = [value for value in wanted if value != NOBODY]
    if not ids:
        return SQL("{} IS NULL").format(column), None
    if len(wanted) == 1:
        return SQL("{} = {}").format(column, Placeholder(name)), ids[0]
    condition = SQL("{} = ANY({})").format(column, Placeholder(name))
    if NOBODY in wanted:
        condition = SQL("({} OR {} IS NULL)").format(condition, column)
    return condition, ids


async def _matching(
    connection: psycopg.AsyncConnection[DictRow], words: str, scope: Scope
) -> tuple[SQL | Composed, Any]:
    """The condition that a ticket contains the words.

    A word that few tickets have is looked up, and its tickets given as ids. A common one is met soon by walking the
    list; looking it up would gather a million places first, of which the index has no first ones. Either plan is a
    hundred times too slow for the other kind, so the planner is asked first: it keeps the commonest words' frequency.
    """
    # Notes are not in the public document, so no customer can find a ticket by what a note says.
    document = SQL("everything") if scope.sees_internal else SQL("public")
    found = await connection.execute(_QUERIES, (words, words))
    row = await found.fetchone() or {}
    # Each once: the planner adds up the chances of two that are the same.
    forms = sorted({form for form in row.values() if form})
    query = " | ".join(f"({form})" for form in forms)
    if scope.sees_internal and await _expected(connection, query) <= _FEW_EXPECTED:
        probe = SQL(
            "SELECT d.ticket_id FROM search_documents AS d WHERE d.{} @@ %(q)s::tsquery LIMIT {}"
        )
        found = await connection.execute(probe.format(document, _FEW_MATCHES + 1), {"q": query})
        ids = [row["ticket_id"] for row in await found.fetchall()]
        if len(ids) <= _FEW_MATCHES:
            return SQL("t.ticket_id = ANY(%(q)s)"), ids
    # OFFSET 0 keeps it a question about each row: as a join, the planner would gather all places first.
    return SQL(
        "(SELECT d.{} @@ %(q)s::tsquery FROM search_documents AS d WHERE d.ticket_id = t.ticket_id OFFSET 0)"
    ).format(document), query


async def _expected(connection: psycopg.AsyncConnection[DictRow], query: str) -> float:
    """How many documents the planner expects; it samples them, so this costs no look at any."""
    statement = SQL(
        "EXPLAIN (FORMAT JSON) SELECT FROM search_documents WHERE everything @@ {}::tsquery"
    ).format(Literal(query))
    row = await (await connection.execute(statement)).fetchone()
    return float(row["QUERY PLAN"][0]["Plan"]["Plan Rows"]) if row else 0.0


def _scope_of(wanted: TicketFilter, scope: Scope, sort: Sort) -> str:
    """A cursor belongs to one filter, one order and one customer."""
    described = msgspec.json.encode([wanted, scope.ids])
    return f"tickets:{sort}:{hashlib.blake2b(described, digest_size=8).hexdigest()}"
