"""`/help`: articles for everybody, as pages and as suggestions for a form; no token needed."""

import math
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Request, Response
from starlette.responses import RedirectResponse

from services.intake.channels.help.page import article_page, found_page
from services.intake.channels.pace import SenderPace
from services.intake.knowledge.desk import Knowledge
from services.intake.knowledge.words import ASKED_CHARS_MAX, LISTED_MAX, Chosen
from services.intake.secrets import Secret, signature
from shared.clock import Clock
from shared.errors import Invalid
from shared.events import Actor, ActorKind, Channel, Stamp
from shared.eventstore import EventStore
from shared.http.bodies import json_answer
from shared.http.client_ip import TrustedProxies
from shared.http.limits import allow_body
from shared.http.openapi import openapi_body
from shared.observability.correlation import current_correlation_id, new_correlation_id

SUGGESTED_MAX: Final = 5
"""What somebody who came to write a message looks at."""

_BODY_BYTES_MAX: Final = 4_096
_SEE_OTHER: Final = 303
_TOO_MANY: Final = 429
_READER_BYTES: Final = 8

Words = Annotated[str, Query(max_length=ASKED_CHARS_MAX)]


class Suggestion(msgspec.Struct, frozen=True):
    """An article that may answer what is being written."""

    title: str
    url: str
    language: str


class Suggestions(msgspec.Struct, frozen=True):
    """The best match first."""

    articles: list[Suggestion]


def help_router(
    knowledge: Knowledge, store: EventStore[Any], pace: SenderPace, clock: Clock
) -> APIRouter:
    """The addresses. `pace`: how often one network address may ask; who writes a sentence asks a dozen times."""
    router = APIRouter(prefix="/help", tags=["help"])
    secret = Secret("form")

    async def is_too_often(request: Request) -> float:
        return await pace.wait_seconds(_address(request) or "unknown")

    @router.get("", summary="The knowledge base as a page.")
    async def found(request: Request, q: Words = "") -> Response:
        """What everybody may read, by words."""
        if wait := await is_too_often(request):
            return _wait(wait)
        return found_page(q, await knowledge.listed(_public(q)))

    @router.get(
        "/-/suggest",  # no article is called “-”
        summary="Articles that may answer what is being written.",
        openapi_extra=openapi_body(answer=Suggestions),
    )
    async def suggest(request: Request, q: Words = "") -> Response:
        """For the form's subject while it is typed."""
        if wait := await is_too_often(request):
            return _wait(wait)
        articles = await knowledge.listed(_public(q, limit=SUGGESTED_MAX)) if q.strip() else []
        return json_answer(
            Suggestions(
                [Suggestion(one.title, f"/help/{one.name}", one.language) for one in articles]
            )
        )

    @router.get("/{name}", summary="One article as a page.")
    async def show(name: str, judged: bool = False) -> Response:
        """What everybody may read."""
        return article_page(await knowledge.shown(name, to_everybody=True), is_judged=judged)

    @router.post("/{name}", summary="Whether an article helped.", status_code=_SEE_OTHER)
    async def judge(name: str, request: Request) -> Response:
        """One network address has one word, which it may change."""
        allow_body(request.scope, _BODY_BYTES_MAX)
        async with request.form(max_files=0, max_fields=1) as sent:
            helped = sent.get("helped")
        if helped not in {"yes", "no"}:
            raise Invalid.of("helped", "say yes or no")
        if wait := await is_too_often(request):
            return _wait(wait)
        key = await secret.load(store)
        reader = signature(key, "reader", _address(request), bytes_count=_READER_BYTES).hex()
        now = clock.now()
        stamp = Stamp(
            version=0,
            occurred_at=now,
            recorded_at=now,
            actor=Actor(kind=ActorKind.CUSTOMER, id=f"reader:{reader}"),
            via=Channel.FORM,
            correlation_id=current_correlation_id() or new_correlation_id(),
            causation_id=None,
        )
        await knowledge.judge(name, is_helpful=helped == "yes", stamp=stamp, to_everybody=True)
        return RedirectResponse(f"/help/{name}?judged=true", _SEE_OTHER)

    return router


def _public(words: str, *, limit: int = LISTED_MAX) -> Chosen:
    if "\0" in words:
        raise Invalid.of("query q", "holds a NUL character")
    return Chosen(words=words, status="published", audience="public", limit=limit)


def _wait(seconds: float) -> Response:
    return Response(
        "Too many requests from your network. Please wait a moment.",
        _TOO_MANY,
        headers={"Retry-After": str(math.ceil(seconds))},
        media_type="text/plain",
    )


def _address(request: Request) -> str | None:
    proxies: TrustedProxies = request.app.state.trusted_proxies
    return proxies.address(request.scope)
