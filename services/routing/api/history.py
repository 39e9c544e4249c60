"""`/v1/routing/history`: the last days as lines, for a backtest that computes elsewhere."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from services.routing.app.routing import Routing
from services.routing.domain.backtest import Setting
from shared.http.ndjson import ndjson_answer
from shared.http.openapi import openapi_body
from shared.http.origin import RequestOrigin
from shared.operations import Operation
from shared.security import Role, require


def router(routing: Routing) -> APIRouter:
    """The address `/v1/routing/history`; requesters and subjects are in it, so it is for supervisors."""
    api = APIRouter(
        prefix="/v1/routing", tags=["backtest"], dependencies=[Depends(require(Role.SUPERVISOR))]
    )

    @api.get(
        "/history",
        summary="Agents, rules and tickets of the last days as NDJSON; `ticketing routing backtest` replays it.",
        openapi_extra=openapi_body(answer=Setting, answer_media_type="application/x-ndjson"),
    )
    async def tell(
        origin: RequestOrigin, days: Annotated[int, Query(ge=1, le=366)] = 30
    ) -> Response:
        await routing.note(
            Operation.by(origin, "history.take", "history", changes={"days": (None, days)})
        )
        return ndjson_answer(routing.history.lines(days))

    return api
