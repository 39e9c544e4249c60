"""Tasks over all tickets: whose, until when, done or not. Pages stay put while tasks are added."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg.sql import SQL

from services.query.views.list_filter import NOBODY
from services.query.views.pools import Pool
from shared.http import cursor

LIMIT_MAX: Final = 200

_CONDITIONS: Final[dict[str, LiteralString]] = {
    "owner": "k.owner_id = %(owner)s",
    "is_done": "k.is_done = %(is_done)s",
    "due_before": "k.due_sort < %(due_before)s",
    "due_after": "k.due_sort >= %(due_after)s",
    "checklist": "k.checklist = %(checklist)s",
}


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks; everything that is given must hold. `owner`: an agent's id, or `none`.

    `due_before`, `due_after`: tasks without a date are due after every moment.
    """

    owner: str | None = None
    is_done: bool | None = False
    due_before: datetime | None = None
    due_after: datetime | None = None
    checklist: str | None = None


@dataclass(frozen=True, slots=True)
class TaskPage:
    """`next` is the cursor of the following page; None at the end."""

    tasks: list[dict[str, Any]] = field(default_factory=list)
    next: str | None = None


async def list_tasks(
    pool: Pool, wanted: TaskFilter, *, limit: int = 50, after: str | None = None
) -> TaskPage:
    """One page, due first; what has no date comes last. For people who work here.

    Raises:
        Invalid: `after` is not a cursor of this very list.
    """
    said = {name: value for name in _CONDITIONS if (value := getattr(wanted, name)) is not None}
    conditions: list[LiteralString] = ["NOT k.is_removed"]
    conditions += [_CONDITIONS[name] for name in said if said[name] is not False]
    if wanted.is_done is False:
        conditions.append("NOT k.is_done")  # as the partial indexes have it
    if wanted.owner == NOBODY:
        conditions[conditions.index(_CONDITIONS["owner"])] = "k.owner_id IS NULL"
    scope = f"tasks:{sorted((name, str(value)) for name, value in said.items())}"
    values: dict[str, Any] = {**said, "limit": limit + 1}
    if after is not None:
        due, task_id = cursor.decode(after, tuple[datetime | None, UUID], scope=scope)
        conditions.append("(k.due_sort, k.task_id) > (%(after_due)s, %(after_id)s)")
        values |= {"after_due": "infinity" if due is None else due, "after_id": task_id}
    statement = SQL(
        "SELECT k.task_id, k.ticket_id, t.number, t.subject, k.title, k.checklist, k.owner_id, k.owner_name,"
        " k.due_at, k.is_done, k.added_at, k.done_at FROM tasks AS k JOIN tickets AS t USING (ticket_id)"
        " WHERE {} ORDER BY k.due_sort, k.task_id LIMIT %(limit)s"
    ).format(SQL(" AND ").join(map(SQL, conditions)))
    async with pool.connection() as connection:
        rows = await (await connection.execute(statement, values)).fetchall()
    page, following = rows[:limit], None
    if len(rows) > limit:
        following = cursor.encode((page[-1]["due_at"], page[-1]["task_id"]), scope=scope)
    return TaskPage(page, following)
