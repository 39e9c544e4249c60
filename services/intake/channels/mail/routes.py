"""`/v1/channels/email`: a raw mail in by HTTP, and the mails that were refused."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from services.intake.attachments.store import AttachmentStore
from services.intake.channels.mail import refusals
from services.intake.channels.mail.receiving import Arrival, MailIn, Received
from shared.errors import Invalid, NotFound
from shared.eventstore import EventStore, Outcome
from shared.http.bodies import json_answer, require_media_type
from shared.http.limits import allow_body
from shared.http.openapi import openapi_body
from shared.http.origin import Origin
from shared.observability.correlation import current_correlation_id, new_correlation_id
from shared.security import Role, authenticate

_MEDIA_TYPE: Final = "message/rfc822"
_ACCEPTED: Final = frozenset(
    {_MEDIA_TYPE, "message/global", "application/octet-stream", "text/plain"}
)
_CREATED: Final = 201
_OK: Final = 200


def mail_router(
    mail: MailIn, store: EventStore[Any], contents: AttachmentStore, *, bytes_max: int
) -> APIRouter:
    """The addresses of the mail channel.

    Args:
        mail: where mails go.
        store: where refusals are read.
        contents: where the refused mails themselves are.
        bytes_max: the largest mail.
    """
    router = APIRouter(prefix="/v1/channels/email", tags=["channels"])
    documents = openapi_body(
        bytes,
        answer=Received,
        status=_CREATED,
        description="What the mail has come to.",
        body_media_type=_MEDIA_TYPE,
    )

    @router.post("", status_code=_CREATED, openapi_extra=documents)
    async def receive(
        request: Request,
        mailbox: Annotated[str | None, Query(max_length=64)] = None,
        recipient: Annotated[list[str], Query(max_length=100)] = [],  # noqa: B006  # FastAPI copies it
    ) -> Response:
        """Take a raw mail. 201: a ticket or a reply came of it; 200: it was recorded or refused, and `why` says it.

        The same mail again gets the first answer. `mailbox` names one of ours, `recipient` those of the envelope.
        """
        await authenticate(request, Role.AGENT)
        require_media_type(request, lambda essence: essence in _ACCEPTED, _MEDIA_TYPE)
        box = None if mailbox is None else mail.mailboxes.named(mailbox)
        if mailbox is not None and box is None:
            raise Invalid.of("query mailbox", "there is no mailbox of this name")
        allow_body(request.scope, bytes_max)
        raw = await request.body()
        if not raw.strip():
            raise Invalid.of("body", "is empty; expected a raw mail")
        arrival = Arrival(
            correlation_id=current_correlation_id() or new_correlation_id(),
            recipients=recipient,
            mailbox=box,
        )
        return _answer(await mail.receive(raw, arrival))

    @router.get("/refused")
    async def refused(
        request: Request,
        before: UUID | None = None,
        limit: Annotated[int, Query(ge=1, le=refusals.LISTED_MAX)] = 50,
    ) -> Response:
        """Mails that made no ticket, newest first, each with the reason."""
        await authenticate(request, Role.AGENT)
        rows = await refusals.listed(store, before=before, limit=limit)
        return json_answer(
            {"refused": rows, "next": rows[-1]["id"] if len(rows) == limit else None}
        )

    @router.post("/refused/{refusal_id}/open", status_code=_CREATED)
    async def open_refused(refusal_id: UUID, request: Request) -> Response:
        """Open a ticket of a refused mail after all; asked again, the same ticket. Nobody is told by mail."""
        principal = await authenticate(request, Role.AGENT)
        by = Origin.of(request, principal).actor
        correlation_id = current_correlation_id() or new_correlation_id()
        return _answer(await mail.open_refused(refusal_id, by, correlation_id))

    @router.get("/refused/{refusal_id}/original")
    async def refused_original(refusal_id: UUID, request: Request) -> Response:
        """A refused mail as it came."""
        await authenticate(request, Role.AGENT)
        sha256 = await refusals.original_of(store, refusal_id)
        if sha256 is None:
            raise NotFound("there is no such refused mail")
        headers = {
            "Content-Disposition": 'attachment; filename="refused.eml"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-store",
        }
        pieces = await contents.read(sha256)
        return StreamingResponse(pieces, headers=headers, media_type="application/octet-stream")

    return router


def _answer(outcome: Outcome[Received]) -> Response:
    is_new = outcome.result.done in {"opened", "replied"}
    headers = {"Idempotency-Replayed": "true"} if outcome.replayed else {}
    if outcome.result.ticket_id is not None:
        headers["Location"] = f"/v1/tickets/{outcome.result.ticket_id}"
    return json_answer(outcome.result, status=_CREATED if is_new else _OK, headers=headers)
