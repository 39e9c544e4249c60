"""`/v1/sla/tickets/{id}` and the import's two words, begun and ended."""

from uuid import UUID

from fastapi import APIRouter, Depends, Response

from services.sla.app import Sla
from services.sla.tickets.clocks import TicketClocks
from shared.http.bodies import json_answer
from shared.http.conditional import etag
from shared.http.openapi import openapi_body
from shared.security import Role, require

_NO_CONTENT = 204


def router(sla: Sla) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1/sla", tags=["sla"])

    @routes.get(
        "/tickets/{ticket_id}",
        summary="A ticket's clocks as of now.",
        dependencies=[Depends(require(Role.AGENT))],
        openapi_extra=openapi_body(answer=TicketClocks),
    )
    async def get_clocks(ticket_id: UUID) -> Response:
        clocks = await sla.clocks(ticket_id)
        return json_answer(clocks, headers={"etag": etag(clocks.version)})

    @routes.post(
        "/import/start",
        status_code=_NO_CONTENT,
        summary="History begins to stream in: its deadlines wait until it has ended.",
        dependencies=[Depends(require(Role.ADMIN))],
    )
    async def start_import() -> Response:
        await sla.announce_import(is_open=True)
        return Response(status_code=_NO_CONTENT)

    @routes.post(
        "/import/end",
        status_code=_NO_CONTENT,
        summary="The last line was sent: what is still open is judged when it has come through.",
        dependencies=[Depends(require(Role.ADMIN))],
    )
    async def end_import() -> Response:
        await sla.announce_import(is_open=False)
        return Response(status_code=_NO_CONTENT)

    return routes
