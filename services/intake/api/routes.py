"""The addresses of single commands. Each translates and calls one verb; `POST /v1/tickets` is the hot path."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import msgspec
from fastapi import APIRouter, Request, Response

from services.intake.api import bodies, translate
from services.intake.api.batch import add_batch
from services.intake.api.commands import answer, documents, read, uuid_of
from services.intake.api.details import add_details
from services.intake.api.reshaping import add_reshaping
from services.intake.api.satisfaction import add_satisfaction
from services.intake.api.toolbox import add_toolbox
from services.intake.app import Asking, Intake
from services.intake.domain import Command, OpenTicket, commands
from services.intake.reshaping import Reshaping
from services.intake.toolbox import Toolbox
from shared.clock import Clock
from shared.http.shortcuts import Shortcuts
from shared.security import Principal, Role, authenticate

B = TypeVar("B", bound=bodies.Asked)

_CREATED: Final = 201


def intake_router(intake: Intake, clock: Clock) -> APIRouter:
    """All addresses of intake."""
    router = APIRouter(prefix="/v1/tickets", tags=["tickets"])
    _add_opening(router, intake, clock)  # first: the way of most requests is short
    add_batch(router, intake, clock)
    _add_conversation(router, intake, clock)
    _add_life(router, intake, clock)
    _add_bonds(router, intake, clock)
    add_reshaping(router, Reshaping(intake), clock)
    add_details(router, intake, clock)
    add_satisfaction(router, intake, clock)
    add_toolbox(router, Toolbox(intake), clock)
    return router


def shortcuts(intake: Intake, clock: Clock) -> Shortcuts:
    """The hot path once more: same function, same answers, without the router; FastAPI's stays documented."""
    return {("POST", "/v1/tickets"): _opening(intake, clock)}


def _add_opening(router: APIRouter, intake: Intake, clock: Clock) -> None:
    extra = documents(bodies.Open, _CREATED)
    router.post("", status_code=_CREATED, openapi_extra=extra)(_opening(intake, clock))


def _opening(intake: Intake, clock: Clock) -> Callable[[Request], Awaitable[Response]]:
    async def open_ticket(request: Request) -> Response:
        """Open a ticket. The answer comes after it is stored for good."""
        principal = await authenticate(request)
        body, asking = await read(request, bodies.Open, principal, clock)
        command = translate.opening(body, principal)
        said = body.requester
        if (
            said is not None
            and (said.id is None or said.phone is not None)
            and not principal.is_customer
        ):
            command = await _introduced(intake, command, said, asking)
        if body.attachments:
            files = await intake.attached(body.attachments, principal)
            command = msgspec.structs.replace(command, attachments=files)
        outcome = await intake.open_ticket(command, asking)
        location = f"/v1/tickets/{outcome.result.ticket_id}"
        return answer(outcome, _CREATED, location=location)

    return open_ticket


async def _introduced(
    intake: Intake, command: OpenTicket, said: bodies.Requester, asking: Asking
) -> OpenTicket:
    """The opening with the person that an agent means; what was said of them beside is newer than what is known."""
    addresses = translate.addresses_of(said)
    person = command.requester
    if said.id is not None:
        await intake.introduce(addresses, person, asking)
        return command
    known = await intake.known_as(addresses)
    if known is None:
        return command
    person = msgspec.structs.replace(
        person,
        id=known.id,
        name=person.name or known.name,
        email=person.email or known.email,
        organization=person.organization or known.organization,
    )
    return msgspec.structs.replace(command, requester=person)


def _add_conversation(router: APIRouter, intake: Intake, clock: Clock) -> None:
    @router.post(
        "/{ticket_id}/replies",
        status_code=_CREATED,
        openapi_extra=documents(bodies.Reply, _CREATED),
    )
    async def reply(ticket_id: str, request: Request) -> Response:
        """Write to the other side. An agent's word answers the ticket, a customer's opens it."""
        principal = await authenticate(request)
        body, asking = await read(request, bodies.Reply, principal, clock)
        command = translate.reply(body, principal)
        if body.attachments:
            files = await intake.attached(body.attachments, principal)
            command = msgspec.structs.replace(command, attachments=files)
        outcome = await intake.change(
            uuid_of(ticket_id), command, asking, message_id=command.message_id
        )
        return answer(outcome, _CREATED)

    @router.post(
        "/{ticket_id}/notes", status_code=_CREATED, openapi_extra=documents(bodies.Note, _CREATED)
    )
    async def add_note(ticket_id: str, request: Request) -> Response:
        """Add an internal note, which no customer ever sees."""
        principal = await authenticate(request, Role.AGENT)
        body, asking = await read(request, bodies.Note, principal, clock)
        command = translate.note(body)
        if body.attachments:
            files = await intake.attached(body.attachments, principal)
            command = msgspec.structs.replace(command, attachments=files)
        outcome = await intake.change(
            uuid_of(ticket_id), command, asking, message_id=command.message_id
        )
        return answer(outcome, _CREATED)


def _add_life(router: APIRouter, intake: Intake, clock: Clock) -> None:
    reshaping = Reshaping(intake)

    async def change(
        ticket_id: str,
        request: Request,
        wanted: type[B],
        command_of: Callable[[B, Principal], Command],
        *roles: Role,
    ) -> Response:
        principal = await authenticate(request, *roles)
        body, asking = await read(request, wanted, principal, clock)
        outcome = await intake.change(uuid_of(ticket_id), command_of(body, principal), asking)
        return answer(outcome)

    @router.patch("/{ticket_id}", openapi_extra=documents(bodies.Patch))
    async def change_ticket(ticket_id: str, request: Request) -> Response:
        """Change status, priority, type, subject, fields and tags, all together or not at all."""
        return await change(
            ticket_id, request, bodies.Patch, lambda body, _: translate.patch(body), Role.AGENT
        )

    @router.post("/{ticket_id}/resolve", openapi_extra=documents(bodies.Resolve))
    async def resolve(ticket_id: str, request: Request) -> Response:
        """Solve the ticket with a summary of what was done."""
        principal = await authenticate(request, Role.AGENT)
        body, asking = await read(request, bodies.Resolve, principal, clock)
        return await end(ticket_id, translate.resolve(body), body.comment_children, asking)

    @router.post("/{ticket_id}/close", openapi_extra=documents(bodies.Close))
    async def close(ticket_id: str, request: Request) -> Response:
        """Close the ticket for good."""
        principal = await authenticate(request, Role.AGENT)
        body, asking = await read(request, bodies.Close, principal, clock)
        return await end(ticket_id, translate.close(body), body.comment_children, asking)

    async def end(
        ticket_id: str,
        command: commands.Resolve | commands.Close,
        comment: bodies.Comment | None,
        asking: Asking,
    ) -> Response:
        which = uuid_of(ticket_id)
        if comment is None:
            return answer(await intake.change(which, command, asking))
        said = translate.comment(comment)
        return answer(await reshaping.end_family(which, command, said, asking))

    @router.post("/{ticket_id}/confirm", openapi_extra=documents(bodies.Confirm))
    async def confirm(ticket_id: str, request: Request) -> Response:
        """The customer says that it is solved indeed, which closes it."""
        return await change(
            ticket_id, request, bodies.Confirm, lambda _body, _principal: commands.Confirm()
        )

    @router.post("/{ticket_id}/reopen", openapi_extra=documents(bodies.Reopen))
    async def reopen(ticket_id: str, request: Request) -> Response:
        """Take up a solved ticket again."""
        return await change(ticket_id, request, bodies.Reopen, translate.reopen)


def _add_bonds(router: APIRouter, intake: Intake, clock: Clock) -> None:
    @router.post("/{ticket_id}/merge", openapi_extra=documents(bodies.Merge))
    async def merge(ticket_id: str, request: Request) -> Response:
        """Make this ticket part of another one. Later replies to it follow there."""
        principal = await authenticate(request, Role.AGENT)
        body, asking = await read(request, bodies.Merge, principal, clock)
        return answer(await intake.merge(uuid_of(ticket_id), body.into, asking))

    @router.post("/{ticket_id}/links", openapi_extra=documents(bodies.Link))
    async def link(ticket_id: str, request: Request) -> Response:
        """Say what another ticket is to this one; the other one says the reverse."""
        principal = await authenticate(request, Role.AGENT)
        body, asking = await read(request, bodies.Link, principal, clock)
        outcome = await intake.link(uuid_of(ticket_id), body.ticket_id, body.relation, asking)
        return answer(outcome)

    @router.delete("/{ticket_id}/links/{other_id}", openapi_extra=documents(bodies.Unlink))
    async def unlink(ticket_id: str, other_id: str, request: Request) -> Response:
        """Take the link away on both tickets."""
        principal = await authenticate(request, Role.AGENT)
        _, asking = await read(request, bodies.Unlink, principal, clock)
        other = uuid_of(other_id, "other_id")
        return answer(await intake.unlink(uuid_of(ticket_id), other, asking))
