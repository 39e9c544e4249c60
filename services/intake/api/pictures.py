"""`/v1/articles/-/pictures`: pictures in for articles, and out to whoever may read one that shows them."""

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Path, Request, Response
from starlette.responses import StreamingResponse

from services.intake.attachments import rules
from services.intake.attachments.spool import spooled
from services.intake.attachments.store import AttachmentStore
from services.intake.knowledge.desk import Knowledge
from services.intake.knowledge.pictures import Picture
from shared.errors import NotFound, Refused
from shared.http.bodies import json_answer
from shared.http.limits import allow_body
from shared.http.openapi import openapi_body
from shared.security import Role, authenticate

BYTES_MAX: Final = 5_242_880
"""A screenshot of a large screen is some 2 MB; whoever reads a page waits for every picture of it."""

_CREATED: Final = 201


class IsNoPicture(Refused):
    """Only pictures without script stand in a page."""

    status = 415
    title = "No picture"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that articles can show: `markdown` is what to write."""

    sha256: str
    content_type: str
    size: int
    markdown: str


def pictures_router(knowledge: Knowledge, contents: AttachmentStore) -> APIRouter:
    """The addresses. No article is called `-`."""
    router = APIRouter(prefix="/v1/articles/-/pictures", tags=["articles"])
    documents = openapi_body(
        bytes,
        answer=Kept,
        status=_CREATED,
        description="PNG, JPEG, GIF, WebP or AVIF, by its content and not by its name.",
        body_media_type="application/octet-stream",
    )

    @router.post("", status_code=_CREATED, openapi_extra=documents)
    async def send(request: Request) -> Response:
        """Send a picture for articles: the raw bytes are the body."""
        principal = await authenticate(request, Role.AGENT)
        allow_body(request.scope, BYTES_MAX)
        async with spooled(request.stream()) as file:
            with file.path.open("rb") as read:
                content_type = rules.picture_type(read.read(rules.PICTURE_HEAD_BYTES))
            if content_type is None:
                raise IsNoPicture("This is no PNG, JPEG, GIF, WebP or AVIF.")
            await contents.put(file.sha256, file.path)
            done = Picture(sha256=file.sha256, content_type=content_type, size=file.size)
        await knowledge.keep_picture(done, by=principal.id)
        kept = Kept(
            sha256=done.sha256,
            content_type=done.content_type,
            size=done.size,
            markdown=f"![](picture:{done.sha256})",
        )
        return json_answer(kept, status=_CREATED)

    @router.get("/{sha256}")
    async def show(
        sha256: Annotated[str, Path(pattern="^[0-9a-f]{64}$")], request: Request
    ) -> Response:
        """A picture: for everybody if an article that everybody may read shows it, else for people who work here."""
        found = await knowledge.picture(sha256)
        if found is None or not found[1]:
            principal = await authenticate(request)
            if found is None or principal.is_customer:
                raise NotFound("there is no such picture")
        picture, is_public = found
        # What stops being public must stop being seen; five minutes spare most of the reading.
        kept = "public, max-age=300" if is_public else "private, no-store"
        pieces = await contents.read(sha256)
        return StreamingResponse(
            pieces,
            headers={**rules.HARMLESS, "Cache-Control": kept, "Content-Length": str(picture.size)},
            media_type=picture.content_type,
        )

    return router
