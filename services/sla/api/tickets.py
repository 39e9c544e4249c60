"""`/v1/sla/tickets/{id}` with the breaches in doubt, and the import's two words, begun and ended."""

from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from services.sla.app import Sla
from services.sla.tickets.clocks import TicketClocks
from shared.http.bodies import json_answer, read_json
from shared.http.conditional import etag
from shared.http.openapi import openapi_body
from shared.http.origin import RequestOrigin
from shared.security import Role, require

_NO_CONTENT = 204
_NOTE_CHARACTERS_MAX = 500


class Decision(msgspec.Struct, forbid_unknown_fields=True):
    """Whether the breach stands; `note` says why."""

    metric: str
    cycle: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
    stands: bool
    note: Annotated[str, msgspec.Meta(max_length=_NOTE_CHARACTERS_MAX)] | None = None


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
        "/tickets/{ticket_id}/reviews",
        summary="Decide about a breach that a very late fact has put in doubt: it stands, or is taken back.",
        dependencies=[Depends(require(Role.SUPERVISOR))],
        openapi_extra=openapi_body(Decision, answer=TicketClocks),
    )
    async def review(ticket_id: UUID, request: Request, origin: RequestOrigin) -> Response:
        decision = await read_json(request, Decision)
        clocks = await sla.review(
            ticket_id,
            decision.metric,
            decision.cycle,
            stands=decision.stands,
            note=decision.note,
            origin=origin,
        )
        return json_answer(clocks, headers={"etag": etag(clocks.version)})

    @routes.post(
        "/import/start",
        status_code=_NO_CONTENT,
        summary="History begins to stream in: its deadlines wait until it has ended.",
        dependencies=[Depends(require(Role.ADMIN))],
    )
    async def start_import(origin: RequestOrigin) -> Response:
        await sla.announce_import(origin, is_open=True)
        return Response(status_code=_NO_CONTENT)

    @routes.post(
        "/import/end",
        status_code=_NO_CONTENT,
        summary="The last line was sent: what is still open is judged when it has come through.",
        dependencies=[Depends(require(Role.ADMIN))],
    )
    async def end_import(origin: RequestOrigin) -> Response:
        await sla.announce_import(origin, is_open=False)
        return Response(status_code=_NO_CONTENT)

    return routes
