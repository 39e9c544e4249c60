"""`/v1/sla/backtest`, `…/timelines`, `…/judgements`, `…/reapplications`: other promises, tried and applied."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from services.sla.backtest import DAYS_MAX, Question
from services.sla.backtest.desk import Judgement, TrialDesk
from services.sla.backtest.timelines import Timeline
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

    @routes.get(
        "/timelines",
        summary="What happened to the tickets of the last days and what is promised: NDJSON, to be judged elsewhere.",
        dependencies=_EDITORS,
        openapi_extra=openapi_body(answer=Timeline, answer_media_type="application/x-ndjson"),
    )
    async def tell(
        origin: RequestOrigin,
        days: Annotated[int, Query(ge=1, le=DAYS_MAX)] = 30,
        until: datetime | None = None,
    ) -> Response:
        return ndjson_answer(await desk.timelines(Question(days=days, until=until), origin=origin))

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
