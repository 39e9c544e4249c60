"""`/v1/policies` and `/v1/calendars`: what is promised, every version of it."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, NamedTuple

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from services.sla.app import Sla
from services.sla.promises.define import Defined
from shared.http.bodies import json_answer, read_json
from shared.http.changes import Change
from shared.http.conditional import etag
from shared.http.idempotency import OptionalKey
from shared.http.openapi import openapi_body
from shared.http.origin import RequestOrigin
from shared.security import Role, require

Version = Annotated[
    int | None, Query(ge=1, le=2**31 - 1, description="An older version; without it the newest.")
]
_READERS = [Depends(require(Role.AGENT))]
_EDITORS = [Depends(require(Role.SUPERVISOR))]


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """Every policy's id, the first one asked first."""

    order: list[str]


class Documents(msgspec.Struct):
    """Policies in the order in which they are asked, the first that holds is taken (S10); calendars by id."""

    items: list[Defined]


def router(sla: Sla) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1")
    _add_order(routes, sla)
    _add_documents(
        routes,
        ("policy", "policies"),
        _Verbs(sla.policies, sla.policy, sla.define_policy),
        put="Make a policy, or a new version of it. Open tickets keep theirs until they match anew.",
    )
    _add_documents(
        routes,
        ("calendar", "calendars"),
        _Verbs(sla.calendars, sla.calendar, sla.define_calendar),
        put="Make a calendar, or a new version of it. Open clocks on it are computed anew (S12).",
    )
    return routes


class _Verbs(NamedTuple):
    """What can be asked about one kind of document."""

    everything: Callable[[], Awaitable[list[Defined]]]
    one: Callable[[str, int | None], Awaitable[Defined]]
    define: Callable[..., Awaitable[Defined]]


def _add_order(routes: APIRouter, sla: Sla) -> None:
    @routes.put(
        "/policies/order",
        tags=["policies"],
        summary="Ask the policies in this order from now on.",
        dependencies=_EDITORS,
        openapi_extra=openapi_body(Order, answer=Documents),
    )
    async def order_policies(request: Request, origin: RequestOrigin, key: OptionalKey) -> Response:
        wanted = await read_json(request, Order)
        claim = key.claim(await request.body()) if key else None
        answer = await sla.order_policies(wanted.order, origin=origin, claim=claim)
        return json_answer(Documents(answer))


def _add_documents(routes: APIRouter, called: tuple[str, str], verbs: _Verbs, *, put: str) -> None:
    """List, read and define one kind; `called`: one and many of them, `put`: what defining one means."""
    one, many = called

    @routes.get(
        f"/{many}",
        name=f"list_{many}",
        tags=[many],
        summary=f"All {many}.",
        dependencies=_READERS,
        openapi_extra=openapi_body(answer=Documents),
    )
    async def list_all() -> Response:
        return json_answer(Documents(await verbs.everything()))

    @routes.get(
        f"/{many}/{{{one}_id}}",
        name=f"get_{one}",
        tags=[many],
        summary=f"One {one}.",
        dependencies=_READERS,
        openapi_extra=openapi_body(answer=Defined),
    )
    async def get(
        document_id: Annotated[str, Path(alias=f"{one}_id")], version: Version = None
    ) -> Response:
        return _answer(await verbs.one(document_id, version))

    @routes.put(
        f"/{many}/{{{one}_id}}",
        name=f"put_{one}",
        tags=[many],
        summary=put,
        dependencies=_EDITORS,
        openapi_extra=openapi_body(dict[str, Any], answer=Defined),
    )
    async def define(
        document_id: Annotated[str, Path(alias=f"{one}_id")],
        change: Change,
    ) -> Response:
        document = await change.read(dict[str, Any])
        claim = await change.claim()
        return _answer(
            await verbs.define(
                document_id, document, origin=change.origin, expected=change.expected, claim=claim
            )
        )


def _answer(defined: Defined) -> Response:
    return json_answer(defined, headers={"etag": etag(defined.version)})
