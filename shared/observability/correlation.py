"""The correlation id: the same for everything that one request sets in motion."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.identifiers import new_id

HEADER: Final = "X-Correlation-Id"

# Long enough for a UUID, a W3C trace id, or what ticket desks and gateways use; nothing that could break a log line.
_WELL_FORMED: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_TRACEPARENT: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")

_current: ContextVar[str | None] = ContextVar("correlation_id", default=None)


def current_correlation_id() -> str | None:
    """The correlation id of the work at hand; `None` outside of any."""
    return _current.get()


def new_correlation_id() -> str:
    """32 hexadecimal digits, sorted by time; also a valid W3C trace id."""
    return new_id().hex


@contextmanager
def correlated(correlation_id: str) -> Iterator[None]:
    """Within the block, log lines and answers carry this id (consumers, timers)."""
    token = _current.set(correlation_id)
    try:
        yield
    finally:
        _current.reset(token)


class CorrelationMiddleware:
    """Takes the caller's correlation id when it is well-formed, else makes one; answers with it.

    `X-Correlation-Id` goes before the trace id in `traceparent` (W3C Trace Context). Malformed ones are replaced,
    as the Trace Context recommendation demands: a broken tracer must not break the request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        correlation_id = _given(scope) or new_correlation_id()
        header = (b"x-correlation-id", correlation_id.encode())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], header]
            await send(message)

        token = _current.set(correlation_id)
        try:
            await self.app(scope, receive, send_with_id)
        finally:
            _current.reset(token)


def _given(scope: Scope) -> str | None:
    trace_id = None
    for name, value in scope["headers"]:
        if name == b"x-correlation-id" and _WELL_FORMED.fullmatch(value):
            return str(value, "ascii")
        if name == b"traceparent":
            trace_id = _trace_id(value)
    return trace_id


def _trace_id(traceparent: bytes) -> str | None:
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return None
    version, trace_id, parent_id, more = found.groups()
    # All zeros and version ff are invalid; version 00 has exactly four parts (Trace Context §3.2.2).
    if version == b"ff" or not trace_id.strip(b"0") or not parent_id.strip(b"0"):
        return None
    return None if more and version == b"00" else str(trace_id, "ascii")
