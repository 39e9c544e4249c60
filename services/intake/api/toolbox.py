"""Addresses of prepared texts and macros on a ticket."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from services.intake.api import bodies
from services.intake.api.commands import documents, read, uuid_of
from services.intake.app import Asking
from services.intake.toolbox import Offered, Step, Toolbox
from shared.clock import Clock
from shared.eventstore import Outcome
from shared.http.bodies import json_answer
from shared.http.conditional import etag
from shared.http.openapi import openapi_body
from shared.http.origin import Origin
from shared.security import Role, authenticate

WORDS_CHARS_MAX: Final = 100
"""What somebody types into a picker."""


def add_toolbox(router: APIRouter, toolbox: Toolbox, clock: Clock) -> None:
    """What fits, macros, their dry run and their undo; for people who work here."""

    @router.get("/{ticket_id}/toolbox", openapi_extra=openapi_body(answer=Offered))
    async def offered(
        ticket_id: str,
        request: Request,
        q: Annotated[str, Query(max_length=WORDS_CHARS_MAX)] = "",
    ) -> Response:
        """Prepared texts, filled in for this ticket, and macros: of its group and of everybody, by words."""
        principal = await authenticate(request, Role.AGENT)
        origin = Origin.of(request, principal)
        asking = Asking(actor=origin.actor, via=origin.via, correlation_id=origin.correlation_id)
        return json_answer(await toolbox.offered(uuid_of(ticket_id), q, asking))

    @router.post(
        "/{ticket_id}/macros/{name}", openapi_extra=documents(bodies.ApplyMacro, answer=Step)
    )
    async def apply(
        ticket_id: str,
        name: str,
        request: Request,
        dry_run: bool = False,
    ) -> Response:
        """Do all that a macro says, or nothing. `dry_run=true`: only tell what it would do."""
        principal = await authenticate(request, Role.AGENT)
        _, asking = await read(request, bodies.ApplyMacro, principal, clock)
        return _answer(await toolbox.apply(uuid_of(ticket_id), name, asking, is_dry_run=dry_run))

    @router.post(
        "/{ticket_id}/steps/{step_id}/undo",
        openapi_extra=documents(bodies.UndoStep, answer=Step),
    )
    async def undo(ticket_id: str, step_id: str, request: Request) -> Response:
        """Take a step back, as far as the ticket still is as the step left it; `kept` names what stays."""
        principal = await authenticate(request, Role.AGENT)
        _, asking = await read(request, bodies.UndoStep, principal, clock)
        return _answer(await toolbox.undo(uuid_of(ticket_id), uuid_of(step_id, "step_id"), asking))


def _answer(outcome: Outcome[Step]) -> Response:
    headers = {"ETag": etag(outcome.result.version)}
    if outcome.replayed:
        headers["Idempotency-Replayed"] = "true"
    return json_answer(outcome.result, headers=headers)
