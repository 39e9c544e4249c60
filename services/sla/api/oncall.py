"""`/v1/oncall/alerts`: what was said to whom, and taking it on."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from services.sla.alerts.log import PAGE_MAX
from services.sla.app import Sla
from shared.http import cursor as cursors
from shared.http.bodies import json_answer
from shared.http.origin import RequestOrigin
from shared.security import Role, require

_SCOPE = "oncall-alerts"


def router(sla: Sla) -> APIRouter:
    """The routes."""
    routes = APIRouter(
        prefix="/v1/oncall", tags=["oncall"], dependencies=[Depends(require(Role.AGENT))]
    )

    @routes.get("/alerts", summary="Alerts, newest first, each with its deliveries.")
    async def list_alerts(
        state: Literal["firing", "acknowledged", "resolved"] | None = None,
        ticket_id: UUID | None = None,
        summary_id: Annotated[
            UUID | None, Query(description="Only those that this summary spoke for.")
        ] = None,
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
    ) -> Response:
        before = cursors.decode(cursor, tuple[datetime, UUID], scope=_SCOPE) if cursor else None
        items = await sla.alerts(
            state=state, ticket_id=ticket_id, summary_id=summary_id, before=before, limit=limit
        )
        last = items[-1] if len(items) == limit else None
        following = (
            cursors.encode((last["opened_at"], last["alert_id"]), scope=_SCOPE) if last else None
        )
        return json_answer({"items": items, "next_cursor": following})

    @routes.get("/alerts/{alert_id}", summary="One alert with its deliveries.")
    async def get_alert(alert_id: UUID) -> Response:
        return json_answer(await sla.alert(alert_id))

    @routes.post(
        "/alerts/{key}/acknowledge",
        summary="Take it on: its ladder stops, the others are told. The same again changes nothing.",
    )
    async def acknowledge(
        key: Annotated[str, Path(max_length=300, description="The alert's id, or its dedupe key.")],
        origin: RequestOrigin,
    ) -> Response:
        return json_answer(await sla.acknowledge(key, origin=origin))

    return routes
