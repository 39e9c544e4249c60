"""`/v1/dashboard`: the board once, and live."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.query.api.answers import Text, answer
from services.query.api.past import backlog_answer
from services.query.live import RETRY_MS, LiveBoard
from services.query.parts import Parts
from services.query.views.promises_board import promises_board
from shared.security import Principal, Role, require

Agent = Annotated[Principal, Depends(require(Role.AGENT))]


class DashboardQuery(BaseModel):
    """`as_of`: the backlog as it was at that instant, instead of the board of now."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    as_of: AwareDatetime | None = None


class PromisesQuery(BaseModel):
    """`group`, `policy`: only the clocks of these are listed; the counts are of all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    group: Text | None = None
    policy: Text | None = None


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
        "/dashboard/promises",
        summary="Clocks that are late or due within the hour, by group and by policy, with who looks after them.",
    )
    async def promises(_principal: Agent, query: Annotated[PromisesQuery, Query()]) -> Response:
        board = await promises_board(
            await parts.pool(), datetime.now(UTC), group=query.group, policy=query.policy
        )
        return answer(parts, board)

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
        async for said in _live(request).watch(last_event_id):
            yield ServerSentEvent(raw_data=said.data, event=said.event, id=said.id, retry=RETRY_MS)

    return router
