"""`/v1/report`: what became of the tickets of a period."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.query.api.answers import Text, answer, check_range
from services.query.parts import Parts
from services.query.views.report import Period, report
from shared.events import Channel
from shared.security import Principal, Role, require


class ReportQuery(BaseModel):
    """Tickets opened from (inclusive) and before (exclusive) these moments, through this channel.

    `verdict_field` names a custom yes/no field with another system's verdict on `verdict_metric`, to be compared.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    opened_from: AwareDatetime | None = None
    opened_before: AwareDatetime | None = None
    channel: Channel | None = None
    verdict_field: Text | None = None
    verdict_metric: Text = "resolution"


def make_router(parts: Parts) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["reports"])

    @router.get("/report", summary="Volume, reopening, handoffs, durations, SLA attainment.")
    async def read_report(
        _principal: Annotated[Principal, Depends(require(Role.AGENT))],
        query: Annotated[ReportQuery, Query()],
    ) -> Response:
        check_range(("opened_from", query.opened_from), ("opened_before", query.opened_before))
        period = Period(query.opened_from, query.opened_before, query.channel)
        content = await report(
            await parts.pool(),
            period,
            verdict_field=query.verdict_field,
            verdict_metric=query.verdict_metric,
        )
        return answer(parts, content)

    return router
