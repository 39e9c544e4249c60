"""`/v1/tickets/{ticket_id}/attention`: signs of life of the people at a ticket, and who they are."""

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from services.query.attention import Attention, Person
from services.query.parts import Parts
from services.query.views.attention import is_one_writer
from shared.http.bodies import json_answer, read_json
from shared.http.openapi import openapi_body
from shared.security import Principal, Role, require

Agent = Annotated[Principal, Depends(require(Role.AGENT))]


class SignBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the caller does at the ticket; said again every 10 s. `insists`: writes whoever wrote before."""

    state: Literal["viewing", "typing", "gone"]
    insists: bool = False


def make_router(parts: Parts) -> APIRouter:
    """The address, for people who work here: a customer does not see who looks."""
    router = APIRouter(prefix="/tickets/{ticket_id}/attention", tags=["collision"])

    @router.post(
        "",
        summary="I am at this ticket, write, or leave; answered with everybody who is there.",
        openapi_extra=openapi_body(SignBody, answer=Attention),
    )
    async def sign(ticket_id: UUID, request: Request, principal: Agent) -> Response:
        body = await read_json(request, SignBody)
        one_writer = await is_one_writer(await parts.pool(), ticket_id)
        person = Person(principal.id, principal.name or principal.id, body.state)
        return json_answer(
            await parts.attentions.sign(
                ticket_id, person, one_writer=one_writer, insists=body.insists
            )
        )

    @router.get(
        "", summary="Everybody who is at this ticket.", openapi_extra=openapi_body(answer=Attention)
    )
    async def look(ticket_id: UUID, _principal: Agent) -> Response:
        await is_one_writer(await parts.pool(), ticket_id)
        return json_answer(await parts.attentions.at(ticket_id))

    return router
