"""`/v1/sla/backtest`, `/v1/sla/judgements`, `/v1/sla/reapplications`: other promises, tried and applied."""

from typing import Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from services.sla.backtest import Question
from services.sla.backtest.desk import Judgement, TrialDesk
from services.sla.reapplying import Reapplication
from shared.http.bodies import json_answer, read_json
from shared.http.ndjson import ndjson_answer
from shared.http.openapi import openapi_body
from shared.http.origin import RequestOrigin
from shared.security import Role, require

_READERS = [Depends(require(Role.AGENT))]
_EDITORS = [Depends(require(Role.SUPERVISOR))]
_ACCEPTED = 202


class Items(msgspec.Struct):
    """Newest first."""

    items: list[dict[str, Any]]


def router(desk: TrialDesk, reapplication: Reapplication) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1/sla", tags=["sla"])

    @routes.post(
        "/backtest",
        summary="What a draft would have come to on the tickets of the last days: progress, then the result.",
        dependencies=_EDITORS,
        openapi_extra=openapi_body(Question),
    )
    async def backtest(request: Request) -> Response:
        return ndjson_answer(await desk.backtest(await read_json(request, Question)))

    @routes.post(
        "/judgements",
        summary="Judge the tickets of the last days again, under a label, beside the first verdicts.",
        dependencies=_EDITORS,
        openapi_extra=openapi_body(Judgement),
    )
    async def judge_again(request: Request, origin: RequestOrigin) -> Response:
        judgement = await read_json(request, Judgement)
        return ndjson_answer(await desk.judge_again(judgement, origin=origin))

    @routes.get(
        "/judgements",
        summary="Every second judgement.",
        dependencies=_READERS,
        openapi_extra=openapi_body(answer=Items),
    )
    async def list_judgements() -> Response:
        return json_answer(Items(await desk.judgements()))

    @routes.get(
        "/judgements/{label}",
        summary="One second judgement, with its result.",
        dependencies=_READERS,
    )
    async def get_judgement(label: str) -> Response:
        return json_answer(await desk.judgement(label))

    @routes.get(
        "/tickets/{ticket_id}/judgements",
        summary="What second judgements say of a ticket, where they differ from the first.",
        dependencies=_READERS,
        openapi_extra=openapi_body(answer=Items),
    )
    async def judgements_of_ticket(ticket_id: UUID) -> Response:
        return json_answer(Items(await desk.of_ticket(ticket_id)))

    @routes.post(
        "/reapplications",
        status_code=_ACCEPTED,
        summary="Match the policies in force anew for every ticket with a living clock (S10); past verdicts stand.",
        dependencies=_EDITORS,
    )
    async def reapply(origin: RequestOrigin) -> Response:
        return json_answer(await reapplication.request(origin), status=_ACCEPTED)

    @routes.get(
        "/reapplications",
        summary="How far re-applying the policies is.",
        dependencies=_READERS,
        openapi_extra=openapi_body(answer=Items),
    )
    async def list_reapplications() -> Response:
        return json_answer(Items(await reapplication.list()))

    return routes
