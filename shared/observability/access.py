"""One line and one measurement for every request."""

from time import perf_counter
from typing import Any, Final

import structlog
from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.observability import metrics

log = structlog.get_logger(__name__)

CLIENT_CLOSED: Final = 499
"""Status noted when the caller went away before an answer began (nginx's number for it)."""

_SERVER_ERROR: Final = 500
_PATH_CHARS_MAX: Final = 200  # enough to see what was asked for, too short to flood the log
_QUIET: Final = frozenset({"/livez", "/readyz", "/startupz", "/metrics"})  # asked every few seconds


def route_template(scope: Scope) -> str:
    """The address with its parameters' names (`/v1/tickets/{ticket_id}`) or `unmatched`: fit for a label."""
    # FastAPI resolves the prefixes of included routers lazily and keeps the whole address only here.
    context = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(context, "path", None) or getattr(scope.get("route"), "path", None)
    return path or "unmatched"


class AccessMiddleware:
    """Measures each request and logs one line: method, route, path, status, seconds. Never bodies or queries."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._seconds: dict[tuple[str, str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = CLIENT_CLOSED

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        begun = perf_counter()
        metrics.HTTP_REQUESTS_IN_PROGRESS.inc()
        try:
            await self.app(scope, receive, send_noting_status)
        except Exception:
            status = _SERVER_ERROR
            raise
        finally:
            metrics.HTTP_REQUESTS_IN_PROGRESS.dec()
            self._note(scope, status, perf_counter() - begun)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method, route = scope["method"], route_template(scope)
        key = (method if route != "unmatched" else "*", route, status)
        child = self._seconds.get(key)
        if child is None:
            child = self._seconds[key] = metrics.HTTP_REQUEST_SECONDS.labels(*key)
        child.observe(seconds)
        if route in _QUIET and status < _SERVER_ERROR:
            return
        fields: dict[str, Any] = {
            "method": method,
            "route": route,
            "path": scope["path"][:_PATH_CHARS_MAX],
            "status": status,
            "seconds": round(seconds, 6),
        }
        log.info("http_request", **fields)
