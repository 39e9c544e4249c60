"""Errors over HTTP: RFC 9457 problem details for whatever goes wrong."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import eventsourcing.persistence
import msgspec
import psycopg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import FieldError, Invalid, NotYet, Refused
from shared.observability import metrics
from shared.observability.correlation import current_correlation_id
from shared.observability.redaction import scrub

log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 2
"""How long a caller should wait for PostgreSQL: a restart or a failover takes seconds, not minutes."""

_SERVER_ERROR: Final = 500
_UNAVAILABLE: Final = (
    psycopg.OperationalError,  # includes psycopg_pool.PoolTimeout
    psycopg.InterfaceError,
    eventsourcing.persistence.OperationalError,
    eventsourcing.persistence.InterfaceError,
)
_ENCODER: Final = msgspec.json.Encoder()
# How FastAPI names the places of parameters, as `errors[].field` says it; a body's fields need no prefix.
_PLACES: Final = {"query": "query ", "path": "path ", "header": "header ", "cookie": "cookie "}


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One problem (RFC 9457). `code` is for programs, `detail` for people.

    Attributes:
        status: the HTTP status; inside a batch, what a request of its own would have got.
        code: a stable word, `ticket_is_closed`.
        errors: every field at fault: `subject`, `tags[2]`, `query limit`, `header If-Match`.
    """

    title: str
    status: int
    code: str
    detail: str
    type: str = "about:blank"
    errors: tuple[FieldError, ...] = ()
    correlation_id: str | None = None


def problem_of(error: Exception) -> Problem:
    """The problem that describes `error` to a caller; used for whole answers and for items of a batch."""
    match error:
        case Refused():
            problem = _refused(error)
        case NotYet():
            problem = _problem(503, "not_yet", error.detail, title="Not known here yet")
        case RequestValidationError():
            problem = _parameters(error)
        case HTTPException(__cause__=Refused() as refused):
            problem = _refused(refused)  # FastAPI wraps what reading the body raised
        case HTTPException():
            problem = _of_router(error)
        case psycopg.DataError():
            # A check of ours is missing: the caller learns what they can do, the log gets the traceback.
            problem = _problem(422, "value_not_storable", "A value does not fit where it is kept.")
        case _ if isinstance(error, _UNAVAILABLE):
            problem = _problem(503, "store_unavailable", "The store cannot be reached; try soon.")
        case _:
            words = "Something went wrong on our side; it has been noted."
            problem = _problem(500, "unexpected", words)
    return problem


def problem_answer(error: Exception) -> Response:
    """The whole answer, headers included."""
    problem = problem_of(error)
    return Response(
        _ENCODER.encode(problem),
        status_code=problem.status,
        headers=_headers(error, problem),
        media_type=MEDIA_TYPE,
    )


def install(app: FastAPI) -> None:
    """Replace FastAPI's own two handlers; everything else is answered by `ProblemsMiddleware`."""

    async def answer(_request: Request, error: Exception) -> Response:
        return problem_answer(error)

    app.add_exception_handler(RequestValidationError, answer)
    app.add_exception_handler(HTTPException, answer)


class ProblemsMiddleware:
    """Turns whatever is raised below into a problem; what nobody planned is logged with its traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answering = False

        async def send_noting_start(message: Message) -> None:
            nonlocal answering
            answering = True
            await send(message)

        try:
            await self.app(scope, receive, send_noting_start)
        except ClientDisconnect:
            return  # nobody is left to answer; the access line notes 499
        except Exception as error:
            _note(error)
            if answering:
                # Half an answer is out: only cutting the connection tells the caller that it is not whole.
                raise
            await problem_answer(error)(scope, receive, send)


def _note(error: Exception) -> None:
    if isinstance(error, Refused | NotYet):
        return  # expected; the access line has the status
    if isinstance(error, _UNAVAILABLE):
        log.warning("store_unavailable", error=type(error).__name__, reason=scrub(str(error)))
        return
    metrics.HTTP_UNEXPECTED_ERRORS.inc()
    log.error("unexpected_error", exc_info=error)


def _refused(error: Refused) -> Problem:
    if isinstance(error, Invalid):
        errors = error.errors
    else:
        errors = (FieldError(error.field, error.detail),) if error.field else ()
    return _problem(error.status, error.code, error.detail, title=error.title, errors=errors)


def _parameters(error: RequestValidationError) -> Problem:
    found: Sequence[Mapping[str, Any]] = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return _problem(
            400, "not_json", "The body is not JSON.", errors=[FieldError("body", "not JSON")]
        )
    errors = [FieldError(_field(each["loc"]), str(each["msg"])) for each in found]
    detail = "; ".join(f"{each.field}: {each.message}" for each in errors)
    return _problem(422, "invalid", detail, title=Invalid.title, errors=errors)


def _field(location: Sequence[str | int]) -> str:
    place, *steps = location
    path = ""
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return (_PLACES.get(str(place), "") + path) if path else str(place)


def _of_router(error: HTTPException) -> Problem:
    status = error.status_code
    if status == HTTPStatus.NOT_FOUND and error.detail == HTTPStatus.NOT_FOUND.phrase:
        return _problem(status, "no_such_address", "There is nothing at this address.")
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "other methods")
        return _problem(status, "method_not_allowed", f"This address answers to {allowed}.")
    title = HTTPStatus(error.status_code).phrase
    code = title.lower().replace(" ", "_").replace("-", "_")
    return _problem(error.status_code, code, str(error.detail))


def _problem(
    status: int,
    code: str,
    detail: str,
    *,
    title: str | None = None,
    errors: Sequence[FieldError] = (),
) -> Problem:
    return Problem(
        title=title or HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        errors=tuple(errors),
        correlation_id=current_correlation_id(),
    )


def _headers(error: Exception, problem: Problem) -> dict[str, str]:
    headers = dict(getattr(error, "headers", None) or {})
    if isinstance(error, NotYet):
        headers["Retry-After"] = str(error.retry_after_seconds)
    elif problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
    return headers
