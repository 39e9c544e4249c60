"""The guard at the entrance: who is it (401), may they (403)."""

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request
from starlette.requests import HTTPConnection
from starlette.types import Scope

from shared.errors import Forbidden
from shared.security.principal import Principal, Role
from shared.security.tokens import InvalidToken, TokenVerifier, Unauthorized

COOKIE: Final = "ticketing_session"
"""The browser's session: the token itself, out of reach of scripts."""

_PRINCIPAL: Final = "ticketing.principal"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class RoleNotEnough(Forbidden):
    """The caller is known, and their role does not include this."""


class FromAnotherSite(Forbidden):
    """A browser sent our cookie along with a request that another site made."""


async def authenticate(request: Request, *roles: Role, machines: bool = True) -> Principal:
    """The caller of this request; the plain function behind `require` for hot paths.

    Raises:
        Unauthorized: no token, or one that is malformed, expired or not ours.
        Forbidden: the role is not enough, or a cookie came with a request from another site.
    """
    scope = request.scope
    principal: Principal | None = scope.get(_PRINCIPAL)
    if principal is None:
        principal, _ = await verified(request, token_of(request))
        scope[_PRINCIPAL] = principal
    if roles and not any(principal.may(role) for role in roles):
        raise RoleNotEnough(f"This needs the role {' or '.join(roles)}.")
    if not machines and principal.role is Role.SERVICE:
        raise RoleNotEnough("Machine accounts may not do this.")
    return principal


async def verified(asked: HTTPConnection, token: str) -> tuple[Principal, float]:
    """Who the token speaks for, and when it ends (Unix seconds); a refused one is told to the audit.

    Raises:
        InvalidToken, NotYet: see `TokenVerifier.verify`.
    """
    verifier: TokenVerifier = asked.app.state.tokens
    uses = None if verifier.knows(token) else getattr(asked.app.state, "token_uses", None)
    try:
        principal, ends_at = await verifier.verify_until(token)
    except InvalidToken as error:
        # A service has it; an API without a log of its own has none.
        if (refusals := getattr(asked.app.state, "refused_logins", None)) is not None:
            refusals.saw(asked.scope, token, error)
        raise
    if uses is not None:
        uses.saw(asked.scope, token, principal, ends_at)
    return principal, ends_at


def is_known(scope: Scope) -> bool:
    """Whether the request of this scope came from somebody whom `authenticate` has found."""
    return _PRINCIPAL in scope


def require(*roles: Role, machines: bool = True) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency that lets a caller pass whose role includes one of `roles` (none given: anybody known).

    `require(Role.AGENT)` also admits supervisors, admins and machine accounts. `machines=False` keeps machine
    accounts out where they may not act as admin (deleting).
    """

    async def guard(request: Request) -> Principal:
        return await authenticate(request, *roles, machines=machines)

    return guard


def token_of(request: Request) -> str:
    """The token in `Authorization`, else in the session's cookie.

    Raises:
        Unauthorized: there is none.
        FromAnotherSite: a cookie, a method that changes something, and no sign that our own page asked.
    """
    authorization = request.headers.get("authorization")
    if authorization is not None:
        return bearer_token(authorization)
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        raise Unauthorized("A bearer token is needed.", field="header Authorization")
    if request.method not in _SAFE and not _is_same_origin(request):
        raise FromAnotherSite("Requests of other sites may not use this session.")
    return cookie


def bearer_token(authorization: str) -> str:
    """The token of an `Authorization` header.

    Raises:
        Unauthorized: the header is of another scheme or has no token.
    """
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise Unauthorized("Expected: Authorization: Bearer <token>", field="header Authorization")
    return token


def _is_same_origin(request: Request) -> bool:
    """Whether a page of ours made the request: the browser's own word, else `Origin` naming this host."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == request.headers.get("host")
