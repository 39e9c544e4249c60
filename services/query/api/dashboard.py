"""`/v1/dashboard`: the board once, and live."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.query.api.answers import answer
from services.query.api.past import backlog_answer
from services.query.live import LiveBoard
from services.query.parts import Parts
from shared.security import Principal, Role, require

Agent = Annotated[Principal, Depends(require(Role.AGENT))]


class DashboardQuery(BaseModel):
    """`as_of`: the backlog as it was at that instant, instead of the board of now."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    as_of: AwareDatetime | None = None


def _live(request: Request) -> LiveBoard:
    live: LiveBoard = request.app.state.live
    return live


def _admit(request: Request) -> None:
    _live(request).admit()


def make_router(parts: Parts) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["dashboard"])

    @router.get(
        "/dashboard",
        summary="Backlog, promises, agents' load, intake rate, lag; with `as_of` the backlog of that instant.",
    )
    async def dashboard(_principal: Agent, query: Annotated[DashboardQuery, Query()]) -> Response:
        if query.as_of is not None:
            return await backlog_answer(parts, query.as_of)
        return answer(parts, await parts.dashboard())

    @router.get(
        "/dashboard/stream",
        response_class=EventSourceResponse,
        dependencies=[Depends(_admit)],
        summary="The same as server-sent events: whole snapshots, at most one a second.",
    )
    async def stream(
        request: Request,
        _principal: Agent,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> AsyncIterator[ServerSentEvent]:
        async for snapshot in _live(request).watch(last_event_id):
            yield snapshot

    return router
