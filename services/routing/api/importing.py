"""The import's front door: who had which ticket when, many lines at once."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from services.routing.api.answers import answer
from services.routing.app.asking import ImportView
from services.routing.app.importing import Imported, ImportLine, Item
from services.routing.app.routing import Routing
from shared.errors import Invalid, NotYet, Refused
from shared.http.idempotency import CommandKey
from shared.http.ndjson import Limits, ndjson_answer, read_lines
from shared.http.openapi import openapi_body
from shared.http.origin import RequestOrigin
from shared.http.problems import Problem, problem_of
from shared.security import Principal, Role, require

Admin = Annotated[Principal, Depends(require(Role.ADMIN))]

_LIMITS = Limits(lines=10_000, line_bytes=4_096, total_bytes=16 * 1024 * 1024)
"""A line is a few ids; ten thousand are ten to twenty transactions and a few seconds."""

_OK = 200


class LineResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of one line. `status` is what a request of its own would have got; 503 `not_yet`: send it again.

    `replayed`: it had been done before, by the same key; nothing was changed.
    """

    index: int
    status: int
    ticket_id: UUID | None = None
    version: int | None = None
    replayed: bool = False
    problem: Problem | None = None


def router(routing: Routing) -> APIRouter:
    """Addresses under `/v1/routing/import`."""
    api = APIRouter(prefix="/v1/routing/import", tags=["import"])

    @api.post(
        "/start",
        summary="An import begins: its tickets are left alone until it has ended.",
        openapi_extra=openapi_body(answer=ImportView),
    )
    async def start(_: Admin, origin: RequestOrigin) -> Response:
        return answer(await routing.announce_import(origin, is_open=True))

    @api.post(
        "/end",
        summary="The import has ended: its open tickets join their agents and queues.",
        openapi_extra=openapi_body(answer=ImportView),
    )
    async def end(_: Admin, origin: RequestOrigin) -> Response:
        return answer(await routing.announce_import(origin, is_open=False))

    @api.post(
        "/batch",
        summary="Lines of assignments in the past; a result for each, in order.",
        openapi_extra=openapi_body(
            ImportLine,
            answer=LineResult,
            body_media_type="application/x-ndjson",
            answer_media_type="application/x-ndjson",
        ),
    )
    async def batch(request: Request, principal: Admin, origin: RequestOrigin) -> Response:
        results: list[LineResult | None] = []
        items: list[Item] = []
        places: list[int] = []
        async for line in read_lines(request, ImportLine, _LIMITS):
            try:
                item = _item(line.value, line.refusal, line.raw, principal)
            except Refused as refusal:
                results.append(_refused(line.index, refusal))
                continue
            results.append(None)
            places.append(line.index)
            items.append(item)
        done = await routing.import_lines(items, origin.actor, origin.correlation_id)
        for place, result in zip(places, done, strict=True):
            results[place] = _told(place, result)
        return ndjson_answer(_each(results))

    return api


def _item(line: ImportLine | None, refusal: Refused | None, raw: bytes, by: Principal) -> Item:
    if line is None:
        raise refusal or Invalid.of("line", "cannot be read")
    if (line.ticket.id is None) == (line.ticket.external_id is None):
        raise Invalid.of("ticket", "needs either id or external_id")
    return Item(line, CommandKey.of_item(by, "import assignment", line.key).claim(raw))


def _told(index: int, result: Imported | Refused | None) -> LineResult:
    match result:
        case Imported():
            return LineResult(index, _OK, result.ticket_id, result.version, result.replayed)
        case Refused():
            return _refused(index, result)
        case None:
            return _refused(index, NotYet("routing has not heard of this ticket yet"))


def _refused(index: int, error: Exception) -> LineResult:
    problem = problem_of(error)
    return LineResult(index, problem.status, problem=problem)


async def _each(results: list[LineResult | None]) -> AsyncIterator[Any]:
    for result in results:
        yield result
