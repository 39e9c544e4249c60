"""Who works on what: the board of agents, and one board for each group."""

from dataclasses import replace
from typing import Annotated, Final

from fastapi import Depends, Request
from starlette.responses import Response

from services.query.views import lists
from services.query.views.board import board
from services.query.views.in_hand import in_hand
from services.query.views.list_filter import TicketFilter
from services.query.views.lists import Sort, TicketPage
from services.query.views.pools import Pool
from services.query.views.scope import Scope
from services.query.web.entrance import page_router
from services.query.web.rendering import page, parts_of
from services.query.web.state import directory_of
from services.query.web.words import STATUS
from shared.errors import NotFound
from shared.security import Principal, Role, require

router = page_router()

TICKETS_EACH: Final = 5
"""The most pressing ones; the count beside them is whole and leads to the list."""

SHOWN_MAX: Final = 50
"""Of each list of a group; more are on the page of tickets, to which a link leads."""

Staff = Annotated[Principal, Depends(require(Role.AGENT))]


@router.get("/agents")
async def agents(request: Request, principal: Staff) -> Response:
    """Load, capacity and presence of everybody, with the tickets that are due first."""
    pool = await parts_of(request).pool()
    shown = (await board(pool))["agents"]
    open_counts = {agent["agent_id"]: agent["open_count"] for agent in shown}
    return page(
        request,
        "agents.html",
        principal,
        agents=shown,
        tickets=await in_hand(pool, open_counts, TICKETS_EACH),
        names=await directory_of(request).names(pool),
    )


@router.get("/groups")
async def groups(request: Request, principal: Staff) -> Response:
    """All groups with what is open in them."""
    pool = await parts_of(request).pool()
    names = await directory_of(request).names(pool)
    backlog = {row["group_id"]: row for row in (await board(pool))["backlog"]["by_group"]}
    known = [group["id"] for group in names.groups]
    order = [*known, *(group_id for group_id in backlog if group_id not in known)]
    return page(
        request,
        "groups.html",
        principal,
        rows=[(group_id, backlog.get(group_id)) for group_id in order],
        strategies={group["id"]: group["strategy"] for group in names.groups},
        statuses=tuple(STATUS)[:6],
        names=names,
    )


@router.get("/groups/{group_id}")
async def group(group_id: str, request: Request, principal: Staff) -> Response:
    """One group: what waits, who is there, what is due.

    Raises:
        NotFound: nobody has defined it, and no open ticket is in it.
    """
    pool = await parts_of(request).pool()
    names = await directory_of(request).names(pool)
    whole = await board(pool)
    backlog = next(
        (row for row in whole["backlog"]["by_group"] if row["group_id"] == group_id), None
    )
    if backlog is None and group_id not in {known["id"] for known in names.groups}:
        raise NotFound(f"there is no group {group_id}")
    members = [agent for agent in whole["agents"] if group_id in agent["groups"]]
    waiting, taken = [
        await _due_first(pool, TicketFilter(group=(group_id,), is_assigned=is_assigned), SHOWN_MAX)
        for is_assigned in (False, True)
    ]
    return page(
        request,
        "group.html",
        principal,
        group_id=group_id,
        backlog=backlog,
        members=members,
        waiting=waiting,
        taken=taken,
        statuses=tuple(STATUS)[:6],
        names=names,
    )


async def _due_first(pool: Pool, wanted: TicketFilter, limit: int) -> TicketPage:
    return await lists.list_tickets(
        pool, replace(wanted, is_open=True), Scope(), sort=Sort.DUE, limit=limit
    )
