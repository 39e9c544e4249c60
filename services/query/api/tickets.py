"""`/v1/tickets`: the list, one ticket, its timeline."""

from collections.abc import Iterable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.query.api import past
from services.query.api.answers import Text, answer
from services.query.api.list_filter import ListFilter
from services.query.parts import Parts
from services.query.past.instant import past_instant
from services.query.views import lists, pauses, timeline
from services.query.views.highlights import highlights
from services.query.views.lists import Sort, order_of
from services.query.views.pools import Pool
from services.query.views.scope import Scope
from services.query.views.ticket import conversation, find_ticket, parse_reference
from shared.security import Principal, Role, require

_STRICT = ConfigDict(extra="forbid", frozen=True)
IDS_MAX = 10_000
"""As many as one job takes."""

Anybody = Annotated[Principal, Depends(require())]
Agent = Annotated[Principal, Depends(require(Role.AGENT))]


class ListQuery(ListFilter):
    """One page of a list.

    `as_of`: as it was at that instant (staff only), without `sort` the newest ticket first. `highlight`: each ticket
    with `hits`, where it has the words.
    """

    limit: Annotated[int, Field(ge=1, le=lists.LIMIT_MAX)] = 50
    cursor: Text | None = None
    as_of: AwareDatetime | None = None
    highlight: bool = False


class SearchQuery(ListQuery):
    """As the list, with words to search for."""

    q: Text


class TicketQuery(BaseModel):
    """`min_version`: do not answer before the projection has this version of the ticket.

    `as_of`: the ticket as it was at that instant (staff only).
    """

    model_config = _STRICT

    min_version: Annotated[int, Field(ge=1, le=2**53)] | None = None
    as_of: AwareDatetime | None = None


class TimelineQuery(BaseModel):
    """A page of the timeline; `as_of`: only what had happened by then."""

    model_config = _STRICT

    as_of: AwareDatetime | None = None

    limit: Annotated[int, Field(ge=1, le=timeline.LIMIT_MAX)] = timeline.LIMIT_MAX
    cursor: Text | None = None


async def _mark(pool: Pool, tickets: list[dict[str, Any]], words: str, scope: Scope) -> None:
    hits = await highlights(pool, tickets, words, scope)
    for ticket in tickets:
        ticket["hits"] = hits.get(ticket["ticket_id"])


def _quoted(tickets: list[dict[str, Any]]) -> Iterable[UUID]:
    """Those of which something is shown that was said in them."""
    return (ticket["ticket_id"] for ticket in tickets if (ticket["hits"] or {}).get("text"))


def make_router(parts: Parts) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["tickets"])

    async def listed(request: Request, principal: Principal, query: ListQuery) -> Response:
        if query.as_of is not None:
            past.only_staff(principal)
            return await past.list_answer(
                parts,
                principal,
                query.filter(principal),
                query.as_of,
                sort=order_of(query.sort)
                if "sort" in query.model_fields_set
                else Sort.CREATED_DESC,
                limit=query.limit,
                after=query.cursor,
                highlight=query.highlight,
            )
        pool, wanted, scope = await parts.pool(), query.filter(principal), Scope.of(principal)
        page = await lists.list_tickets(
            pool, wanted, scope, sort=order_of(query.sort), limit=query.limit, after=query.cursor
        )
        if query.highlight and wanted.q:
            await _mark(pool, page.tickets, wanted.q, scope)
            await parts.reads.note_of(request, principal, _quoted(page.tickets))
        parts.reads.withhold(principal, page.tickets)
        return answer(parts, {"tickets": page.tickets, "next": page.next})

    @router.get("/tickets", summary="The ticket list: filters, order, full text, stable pages.")
    async def list_tickets(
        request: Request, principal: Anybody, query: Annotated[ListQuery, Query()]
    ) -> Response:
        return await listed(request, principal, query)

    @router.get(
        "/tickets/ids",
        summary="Only the ids of the list's tickets, in its order: what is done to all of them goes by these.",
    )
    async def list_ids(principal: Agent, query: Annotated[ListFilter, Query()]) -> Response:
        found = await lists.ids_of(
            await parts.pool(),
            query.filter(principal),
            Scope.of(principal),
            sort=order_of(query.sort),
            limit=IDS_MAX + 1,
        )
        return answer(parts, {"ticket_ids": found[:IDS_MAX], "is_more": len(found) > IDS_MAX})

    @router.get("/search", summary="Tickets that contain these words.")
    async def search(
        request: Request, principal: Anybody, query: Annotated[SearchQuery, Query()]
    ) -> Response:
        return await listed(request, principal, query)

    @router.get(
        "/tickets/{ticket}", summary="A ticket (by id or number) with its conversation and figures."
    )
    async def read_ticket(
        ticket: str, request: Request, principal: Anybody, query: Annotated[TicketQuery, Query()]
    ) -> Response:
        reference, scope, pool = parse_reference(ticket), Scope.of(principal), await parts.pool()
        if query.min_version is not None:
            await parts.arrivals.wait_for(
                pool,
                reference,
                query.min_version,
                scope,
                seconds_max=parts.settings.min_version_seconds_max,
            )
        found = await find_ticket(pool, reference, scope)
        await parts.reads.note(request, principal, found)
        if query.as_of is not None:
            past.only_staff(principal)
            return await past.ticket_answer(parts, found["ticket_id"], query.as_of)
        found |= await conversation(pool, found["ticket_id"], scope)
        return answer(parts, {"ticket": found}, version=found["version"])

    @router.get(
        "/tickets/{ticket}/timeline",
        summary="Every event of a ticket: who, when, old and new value, as sentence and as data.",
    )
    async def read_timeline(
        ticket: str, request: Request, principal: Agent, query: Annotated[TimelineQuery, Query()]
    ) -> Response:
        pool = await parts.pool()
        found = await find_ticket(pool, parse_reference(ticket), Scope.of(principal))
        await parts.reads.note(request, principal, found)
        page = await timeline.timeline(
            pool,
            found["ticket_id"],
            limit=query.limit,
            after=query.cursor,
            until=past_instant(query.as_of) if query.as_of else None,
        )
        return answer(parts, {"ticket_id": found["ticket_id"], "number": found["number"], **page})

    @router.get(
        "/tickets/{ticket}/pauses",
        summary="The pauses of a ticket's clocks: who, when, how long, and what was lost while the customer waited.",
    )
    async def read_pauses(ticket: str, request: Request, principal: Agent) -> Response:
        pool = await parts.pool()
        found = await find_ticket(pool, parse_reference(ticket), Scope.of(principal))
        await parts.reads.note(request, principal, found)
        told = await pauses.pauses_of(pool, found["ticket_id"])
        return answer(parts, {"ticket_id": found["ticket_id"], "number": found["number"], **told})

    return router
