"""What is on one agent's desk: tickets by whose turn it is, load, tasks, turns on call and pages."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from services.query.views.list_filter import TicketFilter
from services.query.views.lists import LIMIT_MAX, Sort, list_tickets
from services.query.views.oncall import open_pages, rotas_now
from services.query.views.pools import Pool
from services.query.views.scope import Scope
from shared.events.base import TAKING_CAPACITY

OURS: Final = frozenset({"new", "open"})
"""Categories in which the agent has to act; in the other open ones somebody else has, or time."""

TASKS_MAX: Final = 50

_AGENT: Final[LiteralString] = (
    "SELECT agent_id, name, presence, presence_since, capacity FROM agents WHERE agent_id = %s AND is_active"
)
_LOAD: Final[LiteralString] = """
SELECT count(*) AS open_count, count(*) FILTER (WHERE category = ANY(%(taking)s)) AS working_count
FROM tickets WHERE is_open AND assignee_id = %(agent)s
"""
_TASKS: Final[LiteralString] = """
SELECT k.task_id, k.ticket_id, k.title, k.checklist, k.due_at, t.number, t.subject
FROM tasks AS k JOIN tickets AS t USING (ticket_id)
WHERE k.owner_id = %s AND NOT k.is_done AND NOT k.is_removed
ORDER BY k.due_sort, k.task_id LIMIT %s
"""


@dataclass(frozen=True)
class Turn:
    """A stretch in which the agent is on call. `is_now`: it has begun."""

    rota: str
    starts_at: datetime
    ends_at: datetime
    is_now: bool


@dataclass(frozen=True)
class Desk:
    """Everything that waits for one agent.

    Attributes:
        agent: presence and capacity; None for somebody whom routing does not know.
        open_count, working_count: open tickets in all, and those that take capacity (as routing counts).
        ours: tickets in which the agent has to act, due first.
        theirs: tickets that wait for a customer, a third party or a moment, due first.
        is_cut: there are more tickets than the two lists hold.
        tasks: not done, due first.
        turns: on call now and in the coming week.
        pages: unanswered and addressed to the agent.
    """

    agent: dict[str, Any] | None
    open_count: int
    working_count: int
    ours: list[dict[str, Any]]
    theirs: list[dict[str, Any]]
    is_cut: bool
    tasks: list[dict[str, Any]]
    turns: list[Turn]
    pages: list[dict[str, Any]]


async def desk_of(pool: Pool, agent_id: str, now: datetime) -> Desk:
    """The desk of `agent_id` as the projections know it."""
    found = await list_tickets(
        pool,
        TicketFilter(assignee=(agent_id,), is_open=True),
        Scope(),
        sort=Sort.DUE,
        limit=LIMIT_MAX,
    )
    async with pool.connection() as connection:
        agent = await (await connection.execute(_AGENT, (agent_id,))).fetchone()
        values = {"agent": agent_id, "taking": sorted(TAKING_CAPACITY)}
        load = await (await connection.execute(_LOAD, values)).fetchone()
        tasks = await (await connection.execute(_TASKS, (agent_id, TASKS_MAX))).fetchall()
    pages = await open_pages(pool)
    return Desk(
        agent=agent,
        **(load or {"open_count": 0, "working_count": 0}),
        ours=[ticket for ticket in found.tickets if ticket["status"] in OURS],
        theirs=[ticket for ticket in found.tickets if ticket["status"] not in OURS],
        is_cut=found.next is not None,
        tasks=tasks,
        turns=await _turns(pool, agent_id, now),
        pages=[
            page
            for page in pages
            if page["agent_id"] == agent_id and page["state"] != "acknowledged"
        ],
    )


async def _turns(pool: Pool, agent_id: str, now: datetime) -> list[Turn]:
    turns = [
        Turn(rota.name, span.starts_at, span.ends_at, is_now=span.starts_at <= now)
        for rota in await rotas_now(pool, now)
        for span in rota.turns
        if span.agent_id == agent_id
    ]
    return sorted(turns, key=lambda turn: (turn.starts_at, turn.rota))
