"""Which tickets: what a list may be narrowed by, and the same as conditions in SQL."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.sql import SQL, Composed, Placeholder

from services.query.views import customer_state
from services.query.views.customer_state import CustomerState
from services.query.views.fields import FieldWish
from services.query.views.scope import Scope
from services.query.views.values import Values
from shared.events import Channel, Priority, StatusCategory

NOBODY: Final = "none"
"""As a filter for group or assignee: tickets without one."""


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """Which tickets; everything that is given must hold, within a tuple any one may (tags: all of them).

    `group_of`: also those of the groups that this agent is in. `due_within`: minutes until a clock ends. `…_from` is
    inclusive, `…_before` exclusive.
    """

    status: tuple[StatusCategory, ...] = ()
    customer_state: tuple[CustomerState, ...] = ()
    group: tuple[str, ...] = ()
    assignee: tuple[str, ...] = ()
    priority: tuple[Priority, ...] = ()
    channel: tuple[Channel, ...] = ()
    tag: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    organization: tuple[str, ...] = ()
    fields: tuple[FieldWish, ...] = ()
    group_of: str | None = None
    due_within: int | None = None
    requester: str | None = None
    external_id: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    updated_from: datetime | None = None
    updated_before: datetime | None = None
    is_open: bool | None = None
    breached: bool | None = None
    at_risk: bool | None = None
    is_assigned: bool | None = None
    q: str | None = None

    @property
    def is_internal(self) -> bool:
        """Whether it asks for facts that customers do not see."""
        return bool(self.group or self.assignee or self.fields or self.group_of) or not (
            self.breached is self.at_risk is self.due_within is None
        )


# Tests that are the same whatever the value; %(…)s is the attribute of the filter with that name.
_TESTS: Final[dict[str, LiteralString]] = {
    "status": "t.category = ANY(%(status)s)",
    "customer_state": "t.category = ANY(%(customer_state)s)",
    "priority": "t.priority = ANY(%(priority)s)",
    "channel": "t.via = ANY(%(channel)s)",
    "external_id": "t.external_id = %(external_id)s",
    "created_from": "t.opened_at >= %(created_from)s",
    "created_before": "t.opened_at < %(created_before)s",
    "updated_from": "t.changed_at >= %(updated_from)s",
    "updated_before": "t.changed_at < %(updated_before)s",
    "due_within": "t.due_sort > now() AND t.due_sort <= now() + make_interval(mins => %(due_within)s)",
}
_SWITCHES: Final[dict[str, LiteralString]] = {
    "is_open": "t.is_open",
    "breached": "t.is_breached",
    "at_risk": "t.is_at_risk",
    "is_assigned": "(t.assignee_id IS NOT NULL)",
}
_ENDED: Final = frozenset({StatusCategory.SOLVED, StatusCategory.CLOSED})


@dataclass(frozen=True, slots=True)
class Named:
    """A filter whose people and groups are known by their ids; a way to its tickets can be chosen.

    Attributes:
        wanted: with the groups of `group_of` among `group`.
        requester: all ids of the person asked for.
        seen: all ids of the customer who asks; None for whoever sees every ticket.
    """

    wanted: TicketFilter
    requester: list[str] | None
    seen: list[str] | None


async def named(
    connection: AsyncConnection[DictRow], wanted: TicketFilter, scope: Scope
) -> Named | None:
    """Look up ids first: as questions within the statement, the planner would guess how many tickets they have.

    None: groups of an agent are wanted who is in none, so no ticket is.
    """
    groups = dict.fromkeys(wanted.group)
    if wanted.group_of is not None:
        found = await connection.execute(
            "SELECT unnest(groups) AS id FROM agents WHERE agent_id = %s", (wanted.group_of,)
        )
        groups |= dict.fromkeys([row["id"] for row in await found.fetchall()])
        if not groups:
            return None
    return Named(
        replace(wanted, group=tuple(groups), group_of=None),
        await _ids_of(connection, None if wanted.requester is None else [wanted.requester]),
        await _ids_of(connection, None if scope.requester_id is None else scope.ids),
    )


async def _ids_of(connection: AsyncConnection[DictRow], ids: list[str] | None) -> list[str] | None:
    if ids is None:
        return None
    found = await connection.execute(
        "SELECT DISTINCT unnest(ids_of_person(%s)) AS id ORDER BY id", (ids,)
    )
    return [row["id"] for row in await found.fetchall()]


def conditions_of(asked: Named) -> tuple[list[SQL | Composed], Values]:
    """Conditions on a row `t` of `tickets`, and their values. Words, tags, fields … are not among them: `matches`."""
    wanted = asked.wanted
    conditions: list[SQL | Composed] = [SQL("t.version > 0")]
    values = Values(
        (name, _listed(name, value) if isinstance(value, tuple) else value)
        for name in _TESTS
        if (value := getattr(wanted, name))
    )
    conditions += [SQL(_TESTS[name]) for name in values]
    for name, switch in _SWITCHES.items():
        if (wish := getattr(wanted, name)) is not None:
            conditions.append(SQL(switch) if wish else SQL("NOT " + switch))
    for name in ("status", "customer_state"):  # lets the planner use the small partial indexes
        categories = set(values.get(name, ()))
        if categories and not _ENDED & categories:
            conditions.append(SQL("t.is_open"))
        elif categories and categories <= _ENDED:
            conditions.append(SQL("NOT t.is_open"))
    if asked.requester is not None:
        conditions.append(_of_person("requester", asked.requester, values))
    if asked.seen is not None:
        conditions += [_of_person("seen", asked.seen, values), SQL("NOT t.is_internal")]
    if wanted.group:
        condition, values["group"] = _one_of(SQL("t.group_id"), "group", wanted.group)
        conditions.append(condition)
    if wanted.assignee:
        condition, values["assignee"] = _one_of(SQL("t.assignee_id"), "assignee", wanted.assignee)
        conditions.append(condition)
    return conditions, values


def _listed(name: str, values: tuple[Any, ...]) -> list[str]:
    if name == "customer_state":  # compared as categories, which the indexes know
        return [category for state in values for category in customer_state.CATEGORIES[state]]
    return list(map(str, values))


def _of_person(name: str, ids: list[str], values: Values) -> Composed:
    is_one = len(ids) == 1
    values[name] = ids[0] if is_one else ids
    condition = SQL("t.requester_id = {}" if is_one else "t.requester_id = ANY({})")
    return condition.format(Placeholder(name))


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
