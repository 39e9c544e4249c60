"""`as_of=`: the same questions about an instant in the past. For staff: the past is told with all internal facts."""

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import Response

from services.query.api.answers import answer
from services.query.parts import Parts
from services.query.past.backlog import backlog_at
from services.query.past.instant import past_instant
from services.query.past.lists import tickets_at
from services.query.past.ticket import states_at, ticket_at
from services.query.views.list_filter import TicketFilter
from services.query.views.lists import Order
from shared.errors import Forbidden, Invalid
from shared.security import Principal


def only_staff(principal: Principal) -> None:
    """Raises Forbidden for customers."""
    if principal.is_customer:
        raise Forbidden("customers see their tickets as they are", field="as_of")


def told_at(parts: Parts, instant: datetime) -> dict[str, Any]:
    """Which instant was meant, and whether everything recorded up to it is known here already."""
    known_to = parts.lag.known.as_of
    return {"at": instant, "is_settled": known_to is not None and instant <= known_to}


async def ticket_answer(parts: Parts, ticket_id: UUID, as_of: datetime) -> Response:
    """One ticket as it was; `version` in the answer is that of the time."""
    instant = past_instant(as_of)
    found = await ticket_at(await parts.pool(), ticket_id, instant)
    return answer(parts, {**told_at(parts, instant), "ticket": found})


async def list_answer(
    parts: Parts,
    principal: Principal,
    wanted: TicketFilter,
    as_of: datetime,
    *,
    sort: Order,
    limit: int,
    after: str | None,
    highlight: bool,
) -> Response:
    """The list as it was, with how many there were.

    Raises:
        Invalid: as `tickets_at`; the instant is none of the past; or words shall be marked.
    """
    if highlight:
        raise Invalid.of("highlight", "marks the texts of now; leave it away with as_of")
    instant, pool = past_instant(as_of), await parts.pool()
    page = await tickets_at(pool, wanted, instant, sort=sort, limit=limit, after=after)
    states = await states_at(pool, page.ids, instant)
    parts.reads.withhold(principal, states.values())
    content = {
        **told_at(parts, instant),
        "count": page.count,
        **({"count_at_least": page.count_at_least} if page.count is None else {}),
        "tickets": [states[ticket_id] for ticket_id in page.ids],
        "next": page.next,
    }
    return answer(parts, content)


async def backlog_answer(parts: Parts, as_of: datetime) -> Response:
    """The backlog as it was."""
    instant = past_instant(as_of)
    content = {**told_at(parts, instant), "backlog": await backlog_at(await parts.pool(), instant)}
    return answer(parts, content)
