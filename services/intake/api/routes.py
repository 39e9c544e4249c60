"""The addresses of single commands. Each translates and calls one verb; `POST /v1/tickets` is the hot path."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request, Response

from services.intake.api import bodies, translate
from services.intake.api.batch import add_batch
from services.intake.app import Asking, Intake, Receipt
from services.intake.domain import Command
from shared.clock import Clock
from shared.errors import Invalid
from shared.eventstore import Outcome
from shared.http.bodies import json_answer, read_json
from shared.http.conditional import etag, version_expected
from shared.http.idempotency import CommandKey
from shared.http.openapi import openapi_body
from shared.http.origin import Origin
from shared.http.shortcuts import Shortcuts
from shared.security import Principal, Role, authenticate

B = TypeVar("B", bound=bodies.Asked)

_CREATED: Final = 201
_HEADERS: Final = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "maxLength": 255},
        "description": "Makes the command happen once: a repetition gets the first answer, for good.",
    },
    {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": 'The version you looked at, such as `"7"`; else 412.',
    },
]


def intake_router(intake: Intake, clock: Clock) -> APIRouter:
    """All addresses of intake."""
    router = APIRouter(prefix="/v1/tickets", tags=["tickets"])
    _add_opening(router, intake, clock)  # first: the way of most requests is short
    add_batch(router, intake, clock)
    _add_conversation(router, intake, clock)
    _add_life(router, intake, clock)
    _add_bonds(router, intake, clock)
    return router


def shortcuts(intake: Intake, clock: Clock) -> Shortcuts:
    """The hot path once more: same function, same answers, without the router; FastAPI's stays documented."""
    return {("POST", "/v1/tickets"): _opening(intake, clock)}


def _add_opening(router: APIRouter, intake: Intake, clock: Clock) -> None:
    documents = _documents(bodies.Open, _CREATED)
    router.post("", status_code=_CREATED, openapi_extra=documents)(_opening(intake, clock))


def _opening(intake: Intake, clock: Clock) -> Callable[[Request], Awaitable[Response]]:
    async def open_ticket(request: Request) -> Response:
        """Open a ticket. The answer comes after it is stored for good."""
        principal = await authenticate(request)
        body, asking = await _read(request, bodies.Open, principal, clock)
        command = translate.opening(body, principal)
        if body.attachments:
            files = await intake.attached(body.attachments, principal.id)
            command = msgspec.structs.replace(command, attachments=files)
        outcome = await intake.open_ticket(command, asking)
        location = f"/v1/tickets/{outcome.result.ticket_id}"
        return _answer(outcome, _CREATED, location=location)

    return open_ticket


def _add_conversation(router: APIRouter, intake: Intake, clock: Clock) -> None:
    @router.post(
        "/{ticket_id}/replies",
        status_code=_CREATED,
        openapi_extra=_documents(bodies.Reply, _CREATED),
    )
    async def reply(ticket_id: str, request: Request) -> Response:
        """Write to the other side. An agent's word answers the ticket, a customer's opens it."""
        principal = await authenticate(request)
        body, asking = await _read(request, bodies.Reply, principal, clock)
        command = translate.reply(body, principal)
        if body.attachments:
            files = await intake.attached(body.attachments, principal.id)
            command = msgspec.structs.replace(command, attachments=files)
        outcome = await intake.change(
            _uuid(ticket_id), command, asking, message_id=command.message_id
        )
        return _answer(outcome, _CREATED)

    @router.post(
        "/{ticket_id}/notes", status_code=_CREATED, openapi_extra=_documents(bodies.Note, _CREATED)
    )
    async def add_note(ticket_id: str, request: Request) -> Response:
        """Add an internal note, which no customer ever sees."""
        principal = await authenticate(request, Role.AGENT)
        body, asking = await _read(request, bodies.Note, principal, clock)
        command = translate.note(body)
        if body.attachments:
            files = await intake.attached(body.attachments, principal.id)
            command = msgspec.structs.replace(command, attachments=files)
        outcome = await intake.change(
            _uuid(ticket_id), command, asking, message_id=command.message_id
        )
        return _answer(outcome, _CREATED)


def _add_life(router: APIRouter, intake: Intake, clock: Clock) -> None:
    async def change(
        ticket_id: str,
        request: Request,
        wanted: type[B],
        command_of: Callable[[B, Principal], Command],
        *roles: Role,
    ) -> Response:
        principal = await authenticate(request, *roles)
        body, asking = await _read(request, wanted, principal, clock)
        outcome = await intake.change(_uuid(ticket_id), command_of(body, principal), asking)
        return _answer(outcome)

    @router.patch("/{ticket_id}", openapi_extra=_documents(bodies.Patch))
    async def change_ticket(ticket_id: str, request: Request) -> Response:
        """Change status, priority, type, subject, fields and tags, all together or not at all."""
        return await change(
            ticket_id, request, bodies.Patch, lambda body, _: translate.patch(body), Role.AGENT
        )

    @router.post("/{ticket_id}/resolve", openapi_extra=_documents(bodies.Resolve))
    async def resolve(ticket_id: str, request: Request) -> Response:
        """Solve the ticket with a summary of what was done."""
        return await change(
            ticket_id, request, bodies.Resolve, lambda body, _: translate.resolve(body), Role.AGENT
        )

    @router.post("/{ticket_id}/close", openapi_extra=_documents(bodies.Close))
    async def close(ticket_id: str, request: Request) -> Response:
        """Close the ticket for good."""
        return await change(
            ticket_id, request, bodies.Close, lambda body, _: translate.close(body), Role.AGENT
        )

    @router.post("/{ticket_id}/reopen", openapi_extra=_documents(bodies.Reopen))
    async def reopen(ticket_id: str, request: Request) -> Response:
        """Take up a solved ticket again."""
        return await change(ticket_id, request, bodies.Reopen, translate.reopen)


def _add_bonds(router: APIRouter, intake: Intake, clock: Clock) -> None:
    @router.post("/{ticket_id}/merge", openapi_extra=_documents(bodies.Merge))
    async def merge(ticket_id: str, request: Request) -> Response:
        """Make this ticket part of another one. Later replies to it are refused with the other's number."""
        principal = await authenticate(request, Role.AGENT)
        body, asking = await _read(request, bodies.Merge, principal, clock)
        return _answer(await intake.merge(_uuid(ticket_id), body.into, asking))

    @router.post("/{ticket_id}/links", openapi_extra=_documents(bodies.Link))
    async def link(ticket_id: str, request: Request) -> Response:
        """Say what another ticket is to this one; the other one says the reverse."""
        principal = await authenticate(request, Role.AGENT)
        body, asking = await _read(request, bodies.Link, principal, clock)
        outcome = await intake.link(_uuid(ticket_id), body.ticket_id, body.relation, asking)
        return _answer(outcome)

    @router.delete("/{ticket_id}/links/{other_id}", openapi_extra=_documents(bodies.Unlink))
    async def unlink(ticket_id: str, other_id: str, request: Request) -> Response:
        """Take the link away on both tickets."""
        principal = await authenticate(request, Role.AGENT)
        _, asking = await _read(request, bodies.Unlink, principal, clock)
        other = _uuid(other_id, "other_id")
        return _answer(await intake.unlink(_uuid(ticket_id), other, asking))


async def _read(
    request: Request, wanted: type[B], principal: Principal, clock: Clock
) -> tuple[B, Asking]:
    """The body and who asks. A command without fields of its own may come without a body."""
    key = CommandKey.of(request, principal)
    raw = await request.body()
    body = await read_json(request, wanted) if raw or not _may_be_empty(wanted) else wanted()
    return body, translate.asking(
        body,
        Origin.of(request, principal),
        now=clock.now(),
        if_match=version_expected(request),
        claim=None if key is None else key.claim(raw),
    )


def _may_be_empty(wanted: type[bodies.Asked]) -> bool:
    return wanted in {bodies.Close, bodies.Reopen, bodies.Unlink}


def _answer(
    outcome: Outcome[Receipt], status: int = 200, *, location: str | None = None
) -> Response:
    headers = {"ETag": etag(outcome.result.version)}
    if location is not None:
        headers["Location"] = location
    if outcome.replayed:
        headers["Idempotency-Replayed"] = "true"
    return json_answer(outcome.result, status=status, headers=headers)


def _uuid(text: str, name: str = "ticket_id") -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Invalid.of(f"path {name}", "expected a UUID") from None


def _documents(body: type[bodies.Asked], status: int = 200) -> dict[str, Any]:
    extra = openapi_body(
        body, answer=Receipt, status=status, description="The ticket as it is now."
    )
    return {**extra, "parameters": _HEADERS}
