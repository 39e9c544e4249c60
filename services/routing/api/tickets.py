"""Assignments by hand over HTTP, and why a ticket is where it is."""

from uuid import UUID

import msgspec
from fastapi import APIRouter, Response

from services.routing.api.answers import Staff, TicketCommand
from services.routing.app.asking import AssignmentView
from services.routing.app.reading import RoutingView
from services.routing.app.routing import Routing
from services.routing.domain import commands
from shared.http.bodies import json_answer
from shared.http.conditional import etag
from shared.http.openapi import openapi_body


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
    async def assign(ticket_id: UUID, command: TicketCommand) -> Response:
        body = await command.body(AssignBody)
        return await command.run(
            routing,
            ticket_id,
            lambda desk, ticket: commands.assign(
                desk, ticket, body.agent_id, command.cause, expected=command.expected
            ),
        )

    @api.post(
        "/v1/tickets/{ticket_id}/unassign",
        summary="Take the ticket from its agent; it goes back to the queue.",
        openapi_extra=openapi_body(answer=AssignmentView),
    )
    async def unassign(ticket_id: UUID, command: TicketCommand) -> Response:
        return await command.run(
            routing,
            ticket_id,
            lambda desk, ticket: commands.unassign(
                desk, ticket, command.cause, expected=command.expected
            ),
        )

    @api.post(
        "/v1/tickets/{ticket_id}/group",
        summary="Hand the ticket to another group.",
        openapi_extra=openapi_body(GroupChoice, answer=AssignmentView),
    )
    async def change_group(ticket_id: UUID, command: TicketCommand) -> Response:
        body = await command.body(GroupChoice)
        return await command.run(
            routing,
            ticket_id,
            lambda desk, ticket: commands.change_group(
                desk, ticket, body.group_id, command.cause, expected=command.expected
            ),
        )

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
