"""In and out: a token is handed in once and lives on in a cookie (`shared.security.session`)."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import RedirectResponse, Response
from starlette.status import HTTP_303_SEE_OTHER

from services.query.web.entrance import page_router, place_after_login
from services.query.web.rendering import page
from shared.errors import Refused
from shared.security import Principal, authenticate
from shared.security.guard import COOKIE

router = page_router()


@router.get("/login")
async def login(
    request: Request, wanted: Annotated[str | None, Query(alias="next")] = None
) -> Response:
    """Where a token is pasted. Opened as `/login#<token>` it signs in by itself: what follows # is never sent."""
    return page(
        request, "login.html", present=await _signed_in(request), after=place_after_login(wanted)
    )


@router.get("/logout")
async def ask_to_log_out(request: Request) -> Response:
    """Asks first: an address that somebody else links must not end a session."""
    return page(request, "logout.html", await _signed_in(request))


@router.post("/logout")
async def log_out() -> Response:
    """Forget the session; works for one that has expired as well."""
    answer = RedirectResponse("/login", status_code=HTTP_303_SEE_OTHER)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return answer


async def _signed_in(request: Request) -> Principal | None:
    try:
        return await authenticate(request)
    except Refused:  # no session, or one that has ended: the page is there for both
        return None
