"""The page behind a mail's unsubscribe link: it asks first, because programs open links too; no login."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from services.query import subscriptions
from services.query.own_log import stamp_of
from services.query.web.entrance import page_router
from services.query.web.rendering import page, parts_of
from shared.http.client_ip import TrustedProxies

router = page_router()

Token = Annotated[str, Query(min_length=20, max_length=100, pattern=r"^[A-Za-z0-9_-]+$")]


@router.get("/reports/unsubscribe")
async def ask(request: Request, token: Token) -> Response:
    """Whether it is meant."""
    found = await subscriptions.addressee(await parts_of(request).pool(), token)
    return _page(request, found, token, is_done=found["unsubscribed_at"] is not None)


@router.post("/reports/unsubscribe")
async def unsubscribe(request: Request, token: Token) -> Response:
    """It is: by the page's button or by the mail program's (RFC 8058)."""
    pool = await parts_of(request).pool()
    proxies: TrustedProxies = request.app.state.trusted_proxies
    address = proxies.address(request.scope)
    found = await subscriptions.unsubscribe(
        pool, token, now=datetime.now(UTC), by=lambda recipient: stamp_of(recipient, address)
    )
    return _page(request, found, token, is_done=True)


def _page(request: Request, found: dict[str, object], token: str, *, is_done: bool) -> Response:
    answer = page(request, "unsubscribe.html", None, found=found, token=token, is_done=is_done)
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer
