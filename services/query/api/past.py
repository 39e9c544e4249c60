"""`as_of=`: the same questions about an instant in the past. For staff: the past is told with all internal facts."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from fastapi import Response

from services.query.api.answers import answer
from services.query.parts import Parts
from services.query.past.backlog import PastFilter, backlog_at, tickets_at
from services.query.past.by_state import StateFilter, tickets_by_state_at
from services.query.past.instant import past_instant
from services.query.past.ticket import states_at, ticket_at
from services.query.views.list_filter import TicketFilter
from services.query.views.lists import Order, Sort
from shared.errors import Forbidden, Invalid
from shared.security import Principal

_NOT_KEPT: Final = {
    "fields": "values of fields are kept without their moments",
    "group_of": "who was in which group then is not kept",
    "updated_from": "when a ticket was changed last is kept as it is now",
    "updated_before": "when a ticket was changed last is kept as it is now",
    "due_within": "deadlines are kept as they are now",
}
"""Filters of the present list that the past does not know, and why."""


def only_staff(principal: Principal) -> None:
    """Raises Forbidden for customers."""
    if principal.is_customer:
        raise Forbidden("customers see their tickets as they are", field="as_of")


def told_at(parts: Parts, instant: datetime) -> dict[str, Any]:
    """Which instant was meant, and whether everything recorded up to it is known here already."""
    known_to = parts.lag.freshness.as_of
    return {"at": instant, "is_settled": known_to is not None and instant <= known_to}


async def ticket_answer(parts: Parts, ticket_id: UUID, as_of: datetime) -> Response:
    """One ticket as it was; `version` in the answer is that of the time."""
    instant = past_instant(as_of)
    found = await ticket_at(await parts.pool(), ticket_id, instant)
    return answer(parts, {**told_at(parts, instant), "ticket": found})


async def list_answer(
    parts: Parts,
    wanted: TicketFilter,
    as_of: datetime,
    *,
    sort: Order,
    limit: int,
    after: str | None,
) -> Response:
    """The list as it was, newest ticket first, with how many there were.

    Raises:
        Invalid: a filter or order that the past does not have.
    """
    for name, reason in _NOT_KEPT.items():
        if getattr(wanted, name):
            raise Invalid.of(name, f"cannot be asked together with as_of: {reason}")
    if sort not in {Sort.UPDATED_DESC, Sort.CREATED_DESC}:
        raise Invalid.of("sort", "with as_of the order is the newest ticket first")
    instant, pool = past_instant(as_of), await parts.pool()
    asked = PastFilter(
        status=wanted.status,
        group=wanted.group,
        assignee=wanted.assignee,
        priority=wanted.priority,
        channel=wanted.channel,
        requester=wanted.requester,
        external_id=wanted.external_id,
        created_from=wanted.created_from,
        created_before=wanted.created_before,
        is_open=wanted.is_open,
    )
    state = StateFilter(
        tag=wanted.tag,
        breached=wanted.breached,
        at_risk=wanted.at_risk,
        q=wanted.q,
        type=wanted.type,
        language=wanted.language,
        organization=wanted.organization,
    )
    if state:
        page = await tickets_by_state_at(pool, asked, state, instant, limit=limit, after=after)
    else:
        page = await tickets_at(pool, asked, instant, limit=limit, after=after)
    states = await states_at(pool, page["ids"], instant)
    content = {
        **told_at(parts, instant),
        "count": page["count"],
        "tickets": [states[ticket_id] for ticket_id in page["ids"]],
        "next": page["next"],
    }
    return answer(parts, content)


async def backlog_answer(parts: Parts, as_of: datetime) -> Response:
    """The backlog as it was."""
    instant = past_instant(as_of)
    content = {**told_at(parts, instant), "backlog": await backlog_at(await parts.pool(), instant)}
    return answer(parts, content)
