"""Addresses of the knowledge base: articles found, read, written, judged; prepared texts by use, and promoted."""

from typing import Annotated, Final, Literal

import msgspec
from fastapi import APIRouter, Query, Request, Response
from msgspec import Meta

from services.intake.api.configuration import NO_SLUG
from services.intake.domain import limits
from services.intake.domain.articles import Article
from services.intake.knowledge.desk import Knowledge, Shown, UsedAnswer, Version
from services.intake.knowledge.words import ASKED_CHARS_MAX, LISTED_MAX, Chosen, Found
from shared.clock import Clock
from shared.errors import Invalid
from shared.events import Stamp
from shared.eventstore import Claim
from shared.http.bodies import json_answer, read_json
from shared.http.conditional import etag, version_expected
from shared.http.idempotency import CommandKey
from shared.http.openapi import openapi_body
from shared.http.origin import Origin
from shared.identifiers import is_slug
from shared.markdown import to_html
from shared.security import Principal, Role, authenticate

_CREATED: Final = 201

_Words = Annotated[str | None, Query(max_length=ASKED_CHARS_MAX)]
_Tag = Annotated[str, Meta(pattern=r"^[^\r\n]*\S[^\r\n]*$", max_length=limits.WORD_CHARS_MAX)]


class Articles(msgspec.Struct, frozen=True):
    """What was found."""

    articles: list[Found]


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """An article with its text as Markdown and as HTML that a page may show."""

    name: str
    version: int
    article: Article
    html: str
    helpful_count: int
    not_helpful_count: int


class Versions(msgspec.Struct, frozen=True):
    """All states of an article, newest first."""

    versions: list[Version]


class Judgement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether it helped."""

    is_helpful: bool


class Promotion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The article to be made; `name` None: that of the prepared text."""

    name: str | None = None
    language: Annotated[str, Meta(pattern=r"^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$")] = "en"
    audience: Literal["public", "internal"] = "internal"
    tags: Annotated[tuple[_Tag, ...], Meta(max_length=limits.TAGS_MAX)] = ()


class UsedAnswers(msgspec.Struct, frozen=True):
    """Prepared texts with how often replies named them."""

    documents: list[UsedAnswer]


class Written(msgspec.Struct, frozen=True):
    """The article's new version; taking it away is one too."""

    name: str
    version: int


def articles_router(knowledge: Knowledge, clock: Clock) -> APIRouter:
    """All addresses. Customers see what is public and published; agents write; supervisors publish and take away."""
    router = APIRouter(prefix="/v1", tags=["articles"])
    _add_reading(router, knowledge, clock)
    _add_writing(router, knowledge, clock)
    _add_answers(router, knowledge, clock)
    return router


def _add_reading(router: APIRouter, knowledge: Knowledge, clock: Clock) -> None:
    @router.get(
        "/articles",
        summary="Articles: suggested for words, searched, or all.",
        openapi_extra=openapi_body(answer=Articles),
    )
    async def listed(
        request: Request,
        suggest: _Words = None,
        q: _Words = None,
        status: Literal["draft", "published", "archived"] | None = None,
        audience: Literal["public", "internal"] | None = None,
        language: Annotated[str | None, Query(max_length=limits.LANGUAGE_CHARS_MAX)] = None,
        tag: Annotated[str | None, Query(max_length=limits.WORD_CHARS_MAX)] = None,
        limit: Annotated[int, Query(ge=1, le=LISTED_MAX)] = LISTED_MAX,
    ) -> Response:
        """`suggest`: published ones for a subject or a sentence. `q`: the same over all that the caller may see."""
        principal = await authenticate(request)
        if suggest is not None and q is not None:
            raise Invalid.of("query q", "cannot be said together with suggest")
        is_customer = principal.is_customer
        chosen = Chosen(
            words=_checked(suggest if suggest is not None else q),
            status="published" if is_customer or suggest is not None else status,
            audience="public" if is_customer else audience,
            language=_checked(language),
            tag=_checked(tag),
            limit=limit,
        )
        if suggest is not None and not suggest.strip():
            return json_answer(Articles([]))
        return json_answer(Articles(await knowledge.listed(chosen)))

    @router.get("/articles/{name}", summary="One article.", openapi_extra=openapi_body(answer=Read))
    async def read(name: str, request: Request) -> Response:
        principal = await authenticate(request)
        return _shown(await knowledge.shown(name, to_everybody=principal.is_customer))

    @router.get(
        "/articles/{name}/versions",
        summary="All versions of an article, with their authors.",
        openapi_extra=openapi_body(answer=Versions),
    )
    async def versions(name: str, request: Request) -> Response:
        await authenticate(request, Role.AGENT)
        return json_answer(Versions(await knowledge.versions(name)))

    @router.post(
        "/articles/{name}/judgements",
        summary="Say whether an article helped; the last word counts.",
        openapi_extra=openapi_body(Judgement, answer=Read),
    )
    async def judge(name: str, request: Request) -> Response:
        principal = await authenticate(request)
        said = await read_json(request, Judgement)
        stamp, _ = await _stamp(request, principal, clock)
        return _shown(
            await knowledge.judge(
                name,
                is_helpful=said.is_helpful,
                stamp=stamp,
                to_everybody=principal.is_customer,
            )
        )


def _add_writing(router: APIRouter, knowledge: Knowledge, clock: Clock) -> None:
    @router.put(
        "/articles/{name}",
        summary="Write an article, or a new version of it.",
        openapi_extra=openapi_body(Article, answer=Written),
    )
    async def put(name: str, request: Request) -> Response:
        """Agents write drafts; what customers or colleagues find, a supervisor has published."""
        principal = await authenticate(request, Role.AGENT)
        _check_name(name)
        article = await read_json(request, Article)
        article.check()
        return await written(name, article, request, principal)

    @router.delete(
        "/articles/{name}",
        summary="Take an article away; its versions stay in the events.",
        openapi_extra=openapi_body(answer=Written),
    )
    async def delete(name: str, request: Request) -> Response:
        principal = await authenticate(request, Role.SUPERVISOR)
        return await written(name, None, request, principal)

    async def written(
        name: str, article: Article | None, request: Request, principal: Principal
    ) -> Response:
        stamp, claim = await _stamp(request, principal, clock)
        expected = version_expected(request)
        done = await knowledge.write(
            name,
            article,
            stamp,
            may_publish=principal.may(Role.SUPERVISOR),
            expected=expected,
            claim=claim,
        )
        return json_answer(Written(done.name, done.version), headers={"ETag": etag(done.version)})


def _add_answers(router: APIRouter, knowledge: Knowledge, clock: Clock) -> None:
    @router.get(
        "/answers",
        summary="Every prepared text, with how often replies named it.",
        openapi_extra=openapi_body(answer=UsedAnswers),
    )
    async def answers(request: Request, order: Literal["name", "uses"] = "name") -> Response:
        await authenticate(request, Role.AGENT)
        return json_answer(UsedAnswers(await knowledge.answers(by_uses=order == "uses")))

    @router.post(
        "/answers/{name}/promote",
        status_code=_CREATED,
        summary="Make a draft article of a prepared text.",
        openapi_extra=openapi_body(Promotion, answer=Written, status=_CREATED),
    )
    async def promote(name: str, request: Request) -> Response:
        principal = await authenticate(request, Role.AGENT)
        raw = await request.body()
        said = await read_json(request, Promotion) if raw else Promotion()
        _check_name(said.name or name)
        stamp, claim = await _stamp(request, principal, clock)
        changes = {"language": said.language, "audience": said.audience, "tags": said.tags}
        done = await knowledge.promote(name, said.name or name, changes, stamp, claim=claim)
        return json_answer(
            Written(done.name, done.version),
            status=_CREATED,
            headers={"ETag": etag(done.version), "Location": f"/v1/articles/{done.name}"},
        )


async def _stamp(
    request: Request, principal: Principal, clock: Clock
) -> tuple[Stamp, Claim | None]:
    key = CommandKey.of(request, principal)
    claim = None if key is None else key.claim(await request.body())
    now = clock.now()
    return Origin.of(request, principal).stamp(0, now, now), claim


def _shown(shown: Shown) -> Response:
    return json_answer(
        Read(
            name=shown.name,
            version=shown.version,
            article=shown.article,
            html=to_html(shown.article.body),
            helpful_count=shown.helpful_count,
            not_helpful_count=shown.not_helpful_count,
        ),
        headers={"ETag": etag(shown.version)},
    )


def _checked(words: str | None) -> str | None:
    """Raises Invalid: a NUL character, which no table knows."""
    if words is not None and "\0" in words:
        raise Invalid.of("query", "holds a NUL character")
    return words


def _check_name(name: str) -> None:
    if not is_slug(name):
        raise Invalid.of("path name", NO_SLUG)
