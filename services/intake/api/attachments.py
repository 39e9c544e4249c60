"""`/v1/attachments` and `/v1/tickets/{id}/attachments`: files in ahead of a message, and out to those who may."""

import time
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from services.intake.app import Intake
from services.intake.attachments import links, rules, shelf
from services.intake.attachments.readings import FileReadings
from services.intake.attachments.shelf import Shelved, Upload
from services.intake.attachments.spool import spooled
from services.intake.attachments.store import AttachmentStore
from services.intake.secrets import Secret
from shared.errors import Invalid, NotFound, Refused
from shared.eventstore import EventStore
from shared.http.bodies import json_answer
from shared.http.limits import allow_body
from shared.http.openapi import openapi_body
from shared.http.origin import Origin
from shared.identifiers import new_id
from shared.security import Principal, authenticate

LINK_SECONDS: Final = 900
"""A quarter of an hour: long enough to read a page and click, too short to travel far."""

_CREATED: Final = 201


class TypeIsNotKept(Refused):
    """Files of this kind run when they are opened."""

    status = 415
    title = "Type is not kept"


class Listed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file as it is listed. `url` opens it for whoever has it, until `url_expires`.

    Internal files, and for people who work here those of sensitive tickets, have no such link: they need a token.
    """

    id: UUID
    message_id: UUID
    name: str
    content_type: str
    size: int
    sha256: str
    url: str
    url_expires: int | None = None
    is_internal: bool = False
    is_original: bool = False


class Files(msgspec.Struct, frozen=True):
    """All files of one ticket that the caller may see."""

    attachments: tuple[Listed, ...]


def attachments_router(
    intake: Intake,
    store: EventStore[Any],
    contents: AttachmentStore,
    readings: FileReadings,
    *,
    bytes_max: int,
) -> APIRouter:
    """The addresses of files.

    Args:
        intake: says who may see a ticket.
        store: where the rows are.
        contents: where the bytes are.
        readings: where is recorded who fetched what of sensitive tickets.
        bytes_max: the largest file that may be uploaded.
    """
    router = APIRouter(prefix="/v1", tags=["attachments"])
    secret = Secret("attachments")
    _add_upload(router, store, contents, bytes_max)

    @router.get("/tickets/{ticket_id}/attachments")
    async def list_files(ticket_id: UUID, request: Request) -> Response:
        """The files of a ticket with links; a customer's list has no note's files and no original mails."""
        principal = await authenticate(request)
        ticket = await intake.look(
            ticket_id, own_tickets_of=_own(principal), own_addresses=_addresses(principal)
        )
        key = await secret.load(store)
        expires = int(time.time()) + LINK_SECONDS
        # Whoever works here fetches files of a sensitive ticket under a name: a link would tell of nobody.
        is_signed = principal.is_customer or not readings.reasons(ticket)
        found = [
            _listed(key, ticket_id, one, expires if is_signed and not one.is_internal else None)
            for one in await shelf.files_of(store, ticket_id)
            if not (one.is_internal and principal.is_customer)
        ]
        return json_answer(Files(tuple(found)))

    @router.get("/tickets/{ticket_id}/attachments/{attachment_id}")
    async def download(
        ticket_id: UUID,
        attachment_id: UUID,
        request: Request,
        expires: Annotated[int | None, Query(ge=0, le=2**53)] = None,
        signature: Annotated[str | None, Query(max_length=64)] = None,
        inline: bool = False,
    ) -> Response:
        """The file's bytes, with a token or with a signed link. `inline` is obeyed for pictures without script only."""
        principal, ticket = None, None
        if signature is not None and expires is not None:
            key = await secret.load(store)
            links.check_link(
                key, ticket_id, attachment_id, expires=expires, signed=signature, now=time.time()
            )
        else:
            principal = await authenticate(request)
            ticket = await intake.look(
                ticket_id, own_tickets_of=_own(principal), own_addresses=_addresses(principal)
            )
        file = await shelf.file_of(store, ticket_id, attachment_id)
        # A link is passed on; what is internal asks who is there, every time.
        is_hidden = file is not None and file.is_internal
        if file is None or (is_hidden and (principal is None or principal.is_customer)):
            raise NotFound("there is no such file on this ticket")
        if principal is not None and ticket is not None:
            await readings.note(Origin.of(request, principal), ticket, file)
        return await _sent(contents, file, wants_inline=inline)

    return router


def _add_upload(
    router: APIRouter, store: EventStore[Any], contents: AttachmentStore, bytes_max: int
) -> None:
    documents = openapi_body(
        bytes,
        answer=Upload,
        status=_CREATED,
        description="The file waits a day for the message that names its id in `attachments`.",
        body_media_type="application/octet-stream",
    )

    @router.post("/attachments", status_code=_CREATED, openapi_extra=documents)
    async def upload(
        request: Request, name: Annotated[str, Query(min_length=1, max_length=1_000)]
    ) -> Response:
        """Send a file ahead: the raw bytes are the body. Then name its `id` when opening, replying or noting."""
        principal = await authenticate(request)
        allow_body(request.scope, bytes_max)
        known_as = rules.clean_name(name)
        if why := rules.refusal(known_as):
            raise TypeIsNotKept(f"{why[0].upper()}{why[1:]}.", field="query name")
        async with spooled(request.stream()) as file:
            if file.size == 0:
                raise Invalid.of("body", "is empty")
            await contents.put(file.sha256, file.path)
            done = Upload(
                id=new_id(),
                name=known_as,
                content_type=rules.clean_type(request.headers.get("content-type")),
                size=file.size,
                sha256=file.sha256,
            )
        await shelf.keep_upload(store, done, principal.id)
        return json_answer(done, status=_CREATED)


async def _sent(contents: AttachmentStore, file: Shelved, *, wants_inline: bool) -> Response:
    content_type = rules.served_type(file.content_type)
    headers = {
        **rules.HARMLESS,
        "Cache-Control": "private, no-store",
        "Content-Length": str(file.size),
        "Content-Disposition": rules.disposition(
            file.name, content_type, wants_inline=wants_inline
        ),
        "ETag": f'"{file.sha256}"',
    }
    pieces = await contents.read(file.sha256)
    return StreamingResponse(pieces, headers=headers, media_type=content_type)


def _listed(key: bytes, ticket_id: UUID, file: Shelved, expires: int | None) -> Listed:
    """`expires`: of the signed link; without one the file asks for a token."""
    url = (
        links.path_of(ticket_id, file.id)
        if expires is None
        else links.signed_path(key, ticket_id, file.id, expires=expires)
    )
    return Listed(
        id=file.id,
        message_id=file.message_id,
        name=file.name,
        content_type=file.content_type,
        size=file.size,
        sha256=file.sha256,
        url=url,
        url_expires=expires,
        is_internal=file.is_internal,
        is_original=file.is_original,
    )


def _own(principal: Principal) -> str | None:
    return principal.id if principal.is_customer else None


def _addresses(principal: Principal) -> tuple[str, ...]:
    return principal.addresses if principal.is_customer else ()
