"""Assignments by hand over HTTP, and why a ticket is where it is."""

from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from services.routing.api.answers import answer, cause_of
from services.routing.app.asking import AssignmentView
from services.routing.app.reading import RoutingView
from services.routing.app.routing import Routing
from shared.http.bodies import json_answer, read_json
from shared.http.conditional import ExpectedVersion, etag
from shared.http.idempotency import OptionalKey
from shared.http.openapi import openapi_body
from shared.http.origin import RequestOrigin
from shared.security import Principal, Role, require

Staff = Annotated[Principal, Depends(require(Role.AGENT))]


class AssignBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who shall have it."""

    agent_id: str


class GroupChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose it shall be."""

    group_id: str


def router(routing: Routing) -> APIRouter:
    """Assignment addresses under `/v1/tickets`, and `/v1/routing/tickets`."""
    api = APIRouter(tags=["assignment"])

    @api.post(
        "/v1/tickets/{ticket_id}/assign",
        summary="Give the ticket to an agent; wins over every rule and may exceed the agent's limit.",
        openapi_extra=openapi_body(AssignBody, answer=AssignmentView),
    )
    async def assign(
        ticket_id: UUID,
        request: Request,
        _: Staff,
        origin: RequestOrigin,
        expected: ExpectedVersion,
        key: OptionalKey,
    ) -> Response:
        body = await read_json(request, AssignBody)
        outcome = await routing.command_on(
            ticket_id,
            lambda tx: routing.asking.assign(
                tx, ticket_id, body.agent_id, cause_of(origin), expected
            ),
            key.claim(await request.body()) if key else None,
        )
        return answer(outcome)

    @api.post(
        "/v1/tickets/{ticket_id}/unassign",
        summary="Take the ticket from its agent; it goes back to the queue.",
        openapi_extra=openapi_body(answer=AssignmentView),
    )
    async def unassign(
        ticket_id: UUID,
        request: Request,
        _: Staff,
        origin: RequestOrigin,
        expected: ExpectedVersion,
        key: OptionalKey,
    ) -> Response:
        outcome = await routing.command_on(
            ticket_id,
            lambda tx: routing.asking.unassign(tx, ticket_id, cause_of(origin), expected),
            key.claim(await request.body()) if key else None,
        )
        return answer(outcome)

    @api.post(
        "/v1/tickets/{ticket_id}/group",
        summary="Hand the ticket to another group.",
        openapi_extra=openapi_body(GroupChoice, answer=AssignmentView),
    )
    async def change_group(
        ticket_id: UUID,
        request: Request,
        _: Staff,
        origin: RequestOrigin,
        expected: ExpectedVersion,
        key: OptionalKey,
    ) -> Response:
        body = await read_json(request, GroupChoice)
        outcome = await routing.command_on(
            ticket_id,
            lambda tx: routing.asking.change_group(
                tx, ticket_id, body.group_id, cause_of(origin), expected
            ),
            key.claim(await request.body()) if key else None,
        )
        return answer(outcome)

    @api.get(
        "/v1/tickets/{ticket_id}/routing",
        summary="Why the ticket is where it is: every decision with its reason, also in plain words.",
        openapi_extra=openapi_body(answer=RoutingView),
    )
    async def tell(ticket_id: UUID, _: Staff) -> Response:
        view = await routing.reading.ticket(ticket_id)
        return json_answer(view, headers={"ETag": etag(view.version)})

    @api.get(
        "/v1/routing/tickets/{ticket_id}",
        summary="Where the ticket is, and every decision with its reason.",
        openapi_extra=openapi_body(answer=RoutingView),
    )
    async def explain(ticket_id: UUID, _: Staff) -> Response:
        view = await routing.reading.ticket(ticket_id)
        return json_answer(view, headers={"ETag": etag(view.version)})

    return api
