"""How a page is entered: without a session by way of the login, and refusals become pages that people can read."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import RedirectResponse, Response

from services.query.web.rendering import page, parts_of
from shared.errors import NotYet, Refused
from shared.http.problems import problem_answer, problem_of
from shared.security import Principal, authenticate
from shared.security.guard import COOKIE
from shared.security.tokens import Unauthorized

HOME: Final = "/"
_NEXT_CHARS_MAX: Final = 1_500
"""An address with every filter set is some 600 characters."""

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(APIRoute):
    """A route that answers people: no session leads to the login, everything refused is a page with the reason."""

    def get_route_handler(self) -> _Handler:
        handle = super().get_route_handler()

        async def handle_for_people(request: Request) -> Response:
            try:
                if _brings_a_session(request):
                    await parts_of(request).lag.know_position()
                return await handle(request)
            except Unauthorized as error:
                return _to_login(request, error)
            except (Refused, NotYet, RequestValidationError) as error:
                if wants_part(request):
                    return problem_answer(error)
                return await _told(request, error)

        return handle_for_people


def page_router() -> APIRouter:
    """A router for pages; none of them is part of the API document."""
    return APIRouter(route_class=PageRoute, include_in_schema=False)


def wants_part(request: Request) -> bool:
    """Whether a script of ours asks for a part of a page, and not a browser for the whole."""
    return "hx-request" in request.headers and "hx-history-restore-request" not in request.headers


def place_after_login(wanted: str | None) -> str:
    """Where to go after the login: an address of ours, or home. Never another site's."""
    if not wanted or len(wanted) > _NEXT_CHARS_MAX or not wanted.isprintable():
        return HOME
    parts = urlsplit(wanted)
    # `//host`, `/\host` and tabs are how browsers are lured to another host by something that looks like a path.
    if parts.scheme or parts.netloc or not wanted.startswith("/") or "\\" in wanted:
        return HOME
    return HOME if wanted.startswith("//") or parts.path in {"/login", "/logout"} else wanted


def _brings_a_session(request: Request) -> bool:
    """Whoever brings none is sent to the login, and nothing is read for them."""
    return COOKIE in request.cookies or "authorization" in request.headers


def _to_login(request: Request, error: Unauthorized) -> Response:
    if wants_part(request):
        return problem_answer(error)
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    after = place_after_login(wanted)
    query = f"?{urlencode({'next': after})}" if after != HOME else ""
    return RedirectResponse(f"/login{query}", status_code=HTTPStatus.SEE_OTHER)


async def _told(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    answer = page(
        request,
        "problem.html",
        await _whoever(request),
        status=problem.status,
        problem=problem,
    )
    if isinstance(error, NotYet):
        answer.headers["Retry-After"] = str(error.retry_after_seconds)
    return answer


async def _whoever(request: Request) -> Principal | None:
    """The caller if known: a page about a refusal may greet, it does not need to."""
    try:
        return await authenticate(request)
    except Refused:
        return None
