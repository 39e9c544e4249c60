"""What every request must respect before anybody reads it: the size of the body, the text of the address."""

from typing import Final
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import FieldError, Invalid, Refused

_LIMIT: Final = "ticketing.body_bytes_max"


class TooLarge(Refused):
    """The body is larger than this address accepts."""

    status = 413
    title = "Body too large"


class LimitsMiddleware:
    """Counts the body's bytes as they are read and refuses NUL characters in the address.

    FastAPI has a body limit of its own; it answers in plain text from outside our middlewares, without problem
    details and correlation id, and a route's larger limit would have to be repeated where the route is declared.

    Args:
        app: what to protect.
        body_bytes_max: the most that a body may have, unless the reader of the address allows more (`allow_body`).
    """

    def __init__(self, app: ASGIApp, *, body_bytes_max: int) -> None:
        self.app = app
        self.body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # PostgreSQL text holds no NUL; the check belongs here because every parameter may end up there.
        if "\0" in scope["path"]:
            raise Invalid.of("path", "holds a NUL character")
        if b"%00" in scope["query_string"]:
            raise _nul_in_query(scope["query_string"])
        scope[_LIMIT] = self.body_bytes_max
        total = 0

        async def receive_within_limit() -> Message:
            nonlocal total
            message = await receive()
            body = message.get("body")
            if body:
                total += len(body)
                if total > scope[_LIMIT]:
                    raise _too_large(scope[_LIMIT])
            return message

        await self.app(scope, receive_within_limit, send)


def allow_body(scope: Scope, bytes_max: int) -> None:
    """Let this request's body have up to `bytes_max` bytes; called before it is read.

    Raises:
        TooLarge: `Content-Length` already says that it has more.
    """
    scope[_LIMIT] = bytes_max
    refuse_announced(scope)


def refuse_announced(scope: Scope) -> None:
    """Refuse by `Content-Length` alone, before the bytes travel.

    Raises:
        TooLarge: more bytes are announced than the address accepts.
    """
    limit = scope.get(_LIMIT)
    if limit is None:  # an application not made by build_api (a test of one router)
        return
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > limit:
            raise _too_large(limit)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body may have at most {limit} bytes.", field="body")


def _nul_in_query(query: bytes) -> Invalid:
    faulty = [
        FieldError(f"query {name.replace(chr(0), '')}", "holds a NUL character")
        for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        if "\0" in name or "\0" in value
    ]
    return Invalid(
        "The address holds a NUL character.", errors=faulty or [FieldError("query", "NUL")]
    )
