"""Browser sessions: a token handed in once lives on in a cookie that scripts cannot read."""

import time
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from starlette.status import HTTP_204_NO_CONTENT

from shared.errors import Invalid
from shared.http.bodies import json_answer
from shared.security.guard import COOKIE, authenticate, bearer_token, verified
from shared.security.principal import Principal
from shared.security.tokens import Unauthorized

_COOKIE_CHARS_MAX: Final = 3_800
"""Browsers keep 4096 bytes per cookie, its name and attributes included (RFC 6265 §6.1)."""


def session_router() -> APIRouter:
    """`POST /session` (log in), `GET /session` (who am I), `DELETE /session` (log out)."""
    router = APIRouter(tags=["session"])

    @router.post("/session", summary="Exchange the bearer token for a session cookie.")
    async def log_in(request: Request) -> Response:
        # The header, never a cookie or an address: another site cannot set it, and no log shows it.
        authorization = request.headers.get("authorization")
        if authorization is None:
            raise Unauthorized("A bearer token is needed.", field="header Authorization")
        token = bearer_token(authorization)
        principal, ends_at = await verified(request, token)
        if len(token) > _COOKIE_CHARS_MAX:
            raise Invalid.of("header Authorization", "the token is too long for a browser's cookie")
        answer = json_answer(_described(principal))
        answer.set_cookie(
            COOKIE,
            token,
            max_age=max(0, int(ends_at - time.time())),
            path="/",
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    @router.get("/session", summary="Who the session or token belongs to.")
    async def who_am_i(request: Request) -> Response:
        return json_answer(_described(await authenticate(request)))

    @router.delete("/session", summary="Forget the session.", status_code=HTTP_204_NO_CONTENT)
    async def log_out() -> Response:
        answer = Response(status_code=HTTP_204_NO_CONTENT)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return answer

    return router


def _described(principal: Principal) -> dict[str, Any]:
    return {"id": principal.id, "role": principal.role, "name": principal.name}
