"""`/v1/oncall/sinks`: where alerts go, every version of it, and whether it works."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from services.sla.alerts.desk import AlertDesk, SinkState, Tested
from services.sla.alerts.registry import SinkDefined
from shared.http.bodies import json_answer, read_json
from shared.http.conditional import ExpectedVersion, etag
from shared.http.openapi import openapi_body
from shared.http.origin import RequestOrigin
from shared.security import Role, require

_READERS = [Depends(require(Role.SUPERVISOR))]
_EDITORS = [Depends(require(Role.ADMIN))]


class Sinks(msgspec.Struct):
    """Those of the environment first, then by id."""

    items: list[SinkState]


def router(desk: AlertDesk) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1/oncall/sinks", tags=["oncall"])

    @routes.get(
        "",
        summary="All sinks: documents, what waits, circuit breakers.",
        dependencies=_READERS,
        openapi_extra=openapi_body(answer=Sinks),
    )
    async def list_sinks() -> Response:
        return json_answer(Sinks(await desk.sinks()))

    @routes.get(
        "/{sink_id}",
        summary="One sink.",
        dependencies=_READERS,
        openapi_extra=openapi_body(answer=SinkState),
    )
    async def get_sink(
        sink_id: str,
        version: Annotated[
            int | None, Query(ge=1, le=2**31 - 1, description="An older version.")
        ] = None,
    ) -> Response:
        found = await desk.sink(sink_id, version)
        return json_answer(found, headers={"etag": etag(found.version)})

    @routes.put(
        "/{sink_id}",
        summary="Make a sink, or a new version of it; secrets are named, never written out.",
        dependencies=_EDITORS,
        openapi_extra=openapi_body(dict[str, Any], answer=SinkDefined),
    )
    async def put_sink(
        sink_id: str, request: Request, origin: RequestOrigin, expected: ExpectedVersion
    ) -> Response:
        document = await read_json(request, dict[str, Any])
        defined = await desk.define(sink_id, document, origin=origin, expected=expected)
        return json_answer(defined, headers={"etag": etag(defined.version)})

    @routes.post(
        "/{sink_id}/test",
        summary="Send the beginning and the end of an alert about nothing; says what became of it.",
        dependencies=_EDITORS,
        openapi_extra=openapi_body(answer=Tested),
    )
    async def test_sink(sink_id: str, origin: RequestOrigin) -> Response:
        return json_answer(await desk.test(sink_id, origin=origin))

    return routes
