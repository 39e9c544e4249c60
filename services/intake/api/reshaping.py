"""Addresses of what is undone, split and grouped."""

from typing import Final

from fastapi import APIRouter, Request, Response

from services.intake.api import bodies
from services.intake.api.commands import answer, documents, read, uuid_of
from services.intake.reshaping import Reshaping, Splitting
from shared.clock import Clock
from shared.security import Role, authenticate

_CREATED: Final = 201


def add_reshaping(router: APIRouter, reshaping: Reshaping, clock: Clock) -> None:
    """Unmerge, split, unsplit."""

    @router.post("/{ticket_id}/unmerge", openapi_extra=documents(bodies.Unmerge))
    async def unmerge(ticket_id: str, request: Request) -> Response:
        """Undo a merge: the ticket stands by itself again."""
        principal = await authenticate(request, Role.AGENT)
        _, asking = await read(request, bodies.Unmerge, principal, clock)
        return answer(await reshaping.unmerge(uuid_of(ticket_id), asking))

    @router.post(
        "/{ticket_id}/split",
        status_code=_CREATED,
        openapi_extra=documents(bodies.Split, _CREATED),
    )
    async def split(ticket_id: str, request: Request) -> Response:
        """Make a ticket of chosen messages; the answer is the new ticket's."""
        principal = await authenticate(request, Role.AGENT)
        body, asking = await read(request, bodies.Split, principal, clock)
        wanted = Splitting(message_ids=body.message_ids, subject=body.subject)
        outcome = await reshaping.split(uuid_of(ticket_id), wanted, asking)
        return answer(outcome, _CREATED, location=f"/v1/tickets/{outcome.result.ticket_id}")

    @router.post("/{ticket_id}/unsplit", openapi_extra=documents(bodies.Unsplit))
    async def unsplit(ticket_id: str, request: Request) -> Response:
        """Undo a split: the messages come back, and the ticket they had become is merged into this one."""
        principal = await authenticate(request, Role.AGENT)
        body, asking = await read(request, bodies.Unsplit, principal, clock)
        return answer(await reshaping.unsplit(uuid_of(ticket_id), body.ticket_id, asking))
