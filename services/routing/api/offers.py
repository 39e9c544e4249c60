"""Offers, skips and escalations over HTTP: what an agent answers when routing asks, and when a ticket is too much."""

from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request, Response

from services.routing.api.answers import (
    Staff,
    TicketCommand,
    answer,
    cause_of,
    self_or_supervisor,
)
from services.routing.app.asking import AssignmentView
from services.routing.app.routing import Routing
from services.routing.domain import commands, escalation, offers
from shared.http.bodies import read_json
from shared.http.idempotency import OptionalKey
from shared.http.openapi import openapi_body
from shared.http.origin import RequestOrigin

Reason = Annotated[str, msgspec.Meta(max_length=1_000)]
Note = Annotated[str, msgspec.Meta(max_length=20_000)]


class AcceptBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For whom; without it, for the caller."""

    agent_id: str | None = None


class DeclineBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why not."""

    reason: Reason
    agent_id: str | None = None


class SkipBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which ticket is not taken, and why."""

    ticket_id: UUID
    reason: Reason
    agent_id: str | None = None


class EscalateBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why, and to whom; without `group_id` to the next tier of the ticket's group. `note`: for the next person."""

    reason: Reason
    group_id: str | None = None
    note: Note = ""


def router(routing: Routing) -> APIRouter:
    """Addresses under `/v1/tickets/{id}/offer`, `/v1/tickets/{id}/escalate` and `/v1/queue/skip`."""
    api = APIRouter(tags=["assignment"])

    @api.post(
        "/v1/tickets/{ticket_id}/offer/accept",
        summary="Take the ticket that is offered.",
        openapi_extra=openapi_body(AcceptBody, answer=AssignmentView),
    )
    async def accept(ticket_id: UUID, command: TicketCommand) -> Response:
        body = await command.body(AcceptBody, missing=AcceptBody())
        agent, cause = command.agent(body.agent_id), command.cause
        return await command.run(
            routing,
            ticket_id,
            lambda desk, ticket: offers.accept(
                desk, ticket, agent, cause, expected=command.expected
            ),
        )

    @api.post(
        "/v1/tickets/{ticket_id}/offer/decline",
        summary="Do not take the ticket that is offered, and say why; the next agent is asked.",
        openapi_extra=openapi_body(DeclineBody, answer=AssignmentView),
    )
    async def decline(ticket_id: UUID, command: TicketCommand) -> Response:
        body = await command.body(DeclineBody)
        agent, cause = command.agent(body.agent_id), command.cause
        return await command.run(
            routing,
            ticket_id,
            lambda desk, ticket: offers.decline(
                desk, ticket, agent, body.reason, cause, expected=command.expected
            ),
        )

    @api.post(
        "/v1/queue/skip",
        summary="Do not take this ticket, and say why; it is reported, and goes to somebody else.",
        openapi_extra=openapi_body(SkipBody, answer=AssignmentView),
    )
    async def skip(request: Request, _: Staff, origin: RequestOrigin, key: OptionalKey) -> Response:
        body = await read_json(request, SkipBody)
        agent_id = body.agent_id or origin.principal.id
        self_or_supervisor(origin, agent_id)
        cause = cause_of(origin)
        outcome = await routing.act(
            body.ticket_id,
            cause,
            lambda desk, ticket: commands.skip(desk, ticket, agent_id, body.reason, cause),
            key.claim(await request.body()) if key else None,
        )
        return answer(outcome)

    @api.post(
        "/v1/tickets/{ticket_id}/escalate",
        summary="Hand the ticket to a higher tier, with everything that the next person needs to know.",
        openapi_extra=openapi_body(EscalateBody, answer=AssignmentView),
    )
    async def escalate(ticket_id: UUID, command: TicketCommand) -> Response:
        body = await command.body(EscalateBody)
        return await command.run(
            routing,
            ticket_id,
            lambda desk, ticket: escalation.escalate(
                desk,
                ticket,
                body.reason,
                command.cause,
                group_id=body.group_id,
                note=body.note,
                expected=command.expected,
            ),
        )

    return api
