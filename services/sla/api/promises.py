"""`/v1/policies` and `/v1/calendars`: what is promised, every version of it."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from services.sla.app import Sla
from services.sla.promises.define import Defined
from shared.eventstore import Claim
from shared.http.bodies import json_answer, read_json
from shared.http.conditional import ExpectedVersion, etag
from shared.http.idempotency import CommandKey, OptionalKey
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


class Policies(msgspec.Struct):
    """In the order in which they are asked; the first whose conditions hold is taken (S10)."""

    items: list[Defined]


class Calendars(msgspec.Struct):
    """By id."""

    items: list[Defined]


def router(sla: Sla) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1")

    @routes.get(
        "/policies",
        tags=["policies"],
        summary="All policies in their order.",
        dependencies=_READERS,
        openapi_extra=openapi_body(answer=Policies),
    )
    async def list_policies() -> Response:
        return json_answer(Policies(await sla.policies()))

    @routes.put(
        "/policies/order",
        tags=["policies"],
        summary="Ask the policies in this order from now on.",
        dependencies=_EDITORS,
        openapi_extra=openapi_body(Order, answer=Policies),
    )
    async def order_policies(request: Request, origin: RequestOrigin, key: OptionalKey) -> Response:
        wanted = await read_json(request, Order)
        claim = await _claim(request, key)
        answer = await sla.order_policies(wanted.order, origin=origin, claim=claim)
        return json_answer(Policies(answer))

    @routes.get(
        "/policies/{policy_id}",
        tags=["policies"],
        summary="One policy.",
        dependencies=_READERS,
        openapi_extra=openapi_body(answer=Defined),
    )
    async def get_policy(policy_id: str, version: Version = None) -> Response:
        return _answer(await sla.policy(policy_id, version))

    @routes.put(
        "/policies/{policy_id}",
        tags=["policies"],
        summary="Make a policy, or a new version of it. Open tickets keep theirs until they match anew.",
        dependencies=_EDITORS,
        openapi_extra=openapi_body(dict[str, Any], answer=Defined),
    )
    async def put_policy(
        policy_id: str,
        request: Request,
        origin: RequestOrigin,
        expected: ExpectedVersion,
        key: OptionalKey,
    ) -> Response:
        document = await read_json(request, dict[str, Any])
        claim = await _claim(request, key)
        return _answer(
            await sla.define_policy(
                policy_id, document, origin=origin, expected=expected, claim=claim
            )
        )

    @routes.get(
        "/calendars",
        tags=["calendars"],
        summary="All calendars.",
        dependencies=_READERS,
        openapi_extra=openapi_body(answer=Calendars),
    )
    async def list_calendars() -> Response:
        return json_answer(Calendars(await sla.calendars()))

    @routes.get(
        "/calendars/{calendar_id}",
        tags=["calendars"],
        summary="One calendar.",
        dependencies=_READERS,
        openapi_extra=openapi_body(answer=Defined),
    )
    async def get_calendar(calendar_id: str, version: Version = None) -> Response:
        return _answer(await sla.calendar(calendar_id, version))

    @routes.put(
        "/calendars/{calendar_id}",
        tags=["calendars"],
        summary="Make a calendar, or a new version of it. Open clocks on it are computed anew (S12).",
        dependencies=_EDITORS,
        openapi_extra=openapi_body(dict[str, Any], answer=Defined),
    )
    async def put_calendar(
        calendar_id: str,
        request: Request,
        origin: RequestOrigin,
        expected: ExpectedVersion,
        key: OptionalKey,
    ) -> Response:
        document = await read_json(request, dict[str, Any])
        claim = await _claim(request, key)
        return _answer(
            await sla.define_calendar(
                calendar_id, document, origin=origin, expected=expected, claim=claim
            )
        )

    return routes


def _answer(defined: Defined) -> Response:
    return json_answer(defined, headers={"etag": etag(defined.version)})


async def _claim(request: Request, key: CommandKey | None) -> Claim | None:
    return key.claim(await request.body()) if key is not None else None
