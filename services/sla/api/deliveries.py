"""`/v1/oncall/deliveries`: what was said to which sink, what was given up, and saying it again."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from services.sla.alerts.decisions import PAGE_MAX
from services.sla.alerts.desk import AlertDesk
from shared.http import cursor as cursors
from shared.http.bodies import json_answer
from shared.http.origin import RequestOrigin
from shared.security import Role, require

_SCOPE = "oncall-deliveries"
_READERS = [Depends(require(Role.AGENT))]
_DECIDERS = [Depends(require(Role.SUPERVISOR))]


def router(desk: AlertDesk) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1/oncall/deliveries", tags=["oncall"])

    @routes.get("", summary="The delivery log, newest first.", dependencies=_READERS)
    async def list_deliveries(
        status: Literal[
            "waiting", "claimed", "grouped", "covered", "delivered", "dead", "discarded"
        ]
        | None = None,
        sink: Annotated[str | None, Query(max_length=64)] = None,
        alert_id: UUID | None = None,
        summary_id: Annotated[
            UUID | None, Query(description="Only those that this summary spoke for.")
        ] = None,
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
    ) -> Response:
        before = cursors.decode(cursor, tuple[datetime, UUID], scope=_SCOPE) if cursor else None
        items = await desk.deliveries(
            status=status,
            sink=sink,
            alert_id=alert_id,
            summary_id=summary_id,
            before=before,
            limit=limit,
        )
        last = items[-1] if len(items) == limit else None
        following = (
            cursors.encode((last["created_at"], last["delivery_id"]), scope=_SCOPE)
            if last
            else None
        )
        return json_answer({"items": items, "next_cursor": following})

    @routes.get("/{delivery_id}", summary="One delivery with its attempts.", dependencies=_READERS)
    async def get_delivery(delivery_id: UUID) -> Response:
        return json_answer(await desk.delivery(delivery_id))

    @routes.post(
        "/{delivery_id}/replay",
        summary="Send again what was given up; a summary takes its members along.",
        dependencies=_DECIDERS,
    )
    async def replay(delivery_id: UUID, origin: RequestOrigin) -> Response:
        return json_answer(await desk.replay(delivery_id, origin=origin))

    @routes.post(
        "/{delivery_id}/discard",
        summary="Give it up; it stays in the log with the name of who decided.",
        dependencies=_DECIDERS,
    )
    async def discard(delivery_id: UUID, origin: RequestOrigin) -> Response:
        return json_answer(await desk.discard(delivery_id, origin=origin))

    return routes
