"""The queue over HTTP: what waits, and the next ticket for me."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from services.routing.api.answers import Staff, answer, cause_of, self_or_supervisor
from services.routing.app.asking import PulledView
from services.routing.app.reading import QueueView, WaitingView
from services.routing.app.routing import Routing
from services.routing.domain.commands import NothingToPull
from shared.http.bodies import json_answer, read_json
from shared.http.idempotency import OptionalKey
from shared.http.openapi import openapi_body
from shared.http.origin import RequestOrigin

REASONS_HEADER = "X-Routing-Reasons"


class NextBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For whom; without it, for the caller."""

    agent_id: str | None = None


class QueuesView(msgspec.Struct, frozen=True):
    """Every queue in which somebody waits."""

    queues: list[QueueView]


class WaitingListView(msgspec.Struct, frozen=True):
    """The head of a queue, in order."""

    tickets: list[WaitingView]


def router(routing: Routing) -> APIRouter:
    """Addresses under `/v1/queue`."""
    api = APIRouter(prefix="/v1/queue", tags=["queue"])

    @api.get("", summary="What waits, by group.", openapi_extra=openapi_body(answer=QueuesView))
    async def list_queues(_: Staff) -> Response:
        return json_answer(QueuesView(await routing.reading.queues()))

    @api.get(
        "/tickets",
        summary="The tickets that come next, in order.",
        openapi_extra=openapi_body(answer=WaitingListView),
    )
    async def list_waiting(
        _: Staff,
        group: Annotated[str | None, Query(max_length=64)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> Response:
        return json_answer(WaitingListView(await routing.reading.waiting(group, limit)))

    @api.post(
        "/next",
        summary="The next ticket for me; 204 when there is none, with the reasons in a header.",
        openapi_extra=openapi_body(answer=PulledView),
    )
    async def pull(request: Request, _: Staff, origin: RequestOrigin, key: OptionalKey) -> Response:
        raw = await request.body()
        body = await read_json(request, NextBody) if raw else NextBody()
        agent_id = body.agent_id or origin.principal.id
        self_or_supervisor(origin, agent_id)
        try:
            outcome = await routing.command(
                lambda tx: routing.asking.pull(tx, agent_id, cause_of(origin)),
                key.claim(raw) if key else None,
            )
        except NothingToPull as nothing:
            reasons = ", ".join(f"{code}={count}" for code, count in nothing.reasons.items())
            return Response(status_code=204, headers={REASONS_HEADER: reasons})
        return answer(outcome)

    return api
