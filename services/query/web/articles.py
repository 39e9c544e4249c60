"""The knowledge base for people who work here: all articles, one as its readers see it, and its text to be edited."""

from typing import Annotated, Any, Final, Literal

from fastapi import Depends, Query, Request
from starlette.responses import Response

from services.query.views.articles import DEFAULTS, find_article, find_articles, wait_for_article
from services.query.web.entrance import page_router
from services.query.web.rendering import page, parts_of
from shared.markdown import to_html
from shared.security import Principal, Role, require

router = page_router()

Staff = Annotated[Principal, Depends(require(Role.AGENT))]
_NEW: Final[dict[str, Any]] = {"name": "", "version": 0, "article": DEFAULTS, "versions": []}


@router.get("/articles")
async def articles(
    request: Request,
    principal: Staff,
    status: Literal["draft", "published", "archived"] | None = None,
    audience: Literal["public", "internal"] | None = None,
) -> Response:
    """All articles, and the prepared texts that are used most."""
    found = await find_articles(await parts_of(request).pool(), status=status, audience=audience)
    return page(request, "articles.html", principal, found=found, chosen=status, audience=audience)


@router.get("/articles/new")
async def new_article(request: Request, principal: Staff) -> Response:
    """An empty one."""
    return _page(request, principal, _NEW)


@router.get("/articles/{name}")
async def article(
    name: str,
    request: Request,
    principal: Staff,
    min_version: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> Response:
    """One article; `min_version` waits, bounded, for what was just written."""
    pool = await parts_of(request).pool()
    if min_version is not None:
        seconds_max = parts_of(request).settings.min_version_seconds_max
        await wait_for_article(pool, name, min_version, seconds_max=seconds_max)
    return _page(request, principal, await find_article(pool, name))


def _page(request: Request, principal: Principal, found: dict[str, Any]) -> Response:
    return page(
        request,
        "article.html",
        principal,
        found=found,
        html=to_html(found["article"]["body"]),
        may_publish=principal.may(Role.SUPERVISOR),
    )
