"""`/v1/oncall/rotas`, `/v1/oncall/{rota}`: rotas, who is on call, schedules, calendar feeds."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from services.sla.oncall.desk import RotaDesk
from services.sla.oncall.rotas import NewOverride, RotaView
from shared.errors import Invalid, NotFound
from shared.http.bodies import json_answer, read_json
from shared.http.changes import Change
from shared.http.conditional import etag
from shared.http.idempotency import OptionalKey
from shared.http.openapi import openapi_body
from shared.http.origin import RequestOrigin
from shared.identifiers import is_slug
from shared.oncall import OnCall, Override, Span
from shared.security import Role, require

_READERS = [Depends(require(Role.AGENT))]
_EDITORS = [Depends(require(Role.SUPERVISOR))]
_CREATED, _NO_CONTENT = 201, 204

At = Annotated[datetime | None, Query(description="A moment with its offset; now without it.")]


class Rotas(msgspec.Struct):
    """By id."""

    items: list[RotaView]


class Schedule(msgspec.Struct):
    """In order; where nobody is on call there is no span."""

    items: list[Span]


class NewFeed(msgspec.Struct, forbid_unknown_fields=True):
    """`agent_id`: only this person's turns."""

    agent_id: str | None = None


class Feed(msgspec.Struct):
    """The address for a calendar program; it is told this once and works without a login."""

    path: str


def router(desk: RotaDesk) -> APIRouter:
    """The routes. The ones with fixed words come first: a rota's id stands in the same place."""
    routes = APIRouter(prefix="/v1/oncall", tags=["oncall"])
    _add_rotas(routes, desk)
    _add_feeds(routes, desk)
    _add_questions(routes, desk)
    return routes


def _add_rotas(routes: APIRouter, desk: RotaDesk) -> None:
    @routes.get(
        "/rotas",
        summary="All rotas, with gaps and overlaps of the coming year.",
        dependencies=_READERS,
        openapi_extra=openapi_body(answer=Rotas),
    )
    async def list_rotas() -> Response:
        return json_answer(Rotas(await desk.rotas()))

    @routes.get(
        "/rotas/{rota_id}",
        summary="One rota.",
        dependencies=_READERS,
        openapi_extra=openapi_body(answer=RotaView),
    )
    async def get_rota(rota_id: str) -> Response:
        return _answer(await desk.rota(rota_id))

    @routes.put(
        "/rotas/{rota_id}",
        summary="Make a rota, or a new version of it. Nobody's past turns change.",
        dependencies=_EDITORS,
        openapi_extra=openapi_body(dict[str, Any], answer=RotaView),
    )
    async def put_rota(
        rota_id: str,
        change: Change,
    ) -> Response:
        document = await change.read(dict[str, Any])
        claim = await change.claim()
        return _answer(
            await desk.define(
                rota_id, document, origin=change.origin, expected=change.expected, claim=claim
            )
        )

    @routes.post(
        "/rotas/{rota_id}/overrides",
        status_code=_CREATED,
        summary="Put somebody on call for a while, or swap. Agents may put themselves.",
        dependencies=_READERS,
        openapi_extra=openapi_body(NewOverride, answer=Override, status=_CREATED),
    )
    async def override(
        rota_id: str, request: Request, origin: RequestOrigin, key: OptionalKey
    ) -> Response:
        wanted = await read_json(request, NewOverride)
        claim = key.claim(await request.body()) if key else None
        made = await desk.override(rota_id, wanted, origin=origin, claim=claim)
        return json_answer(made, status=_CREATED)

    @routes.delete(
        "/rotas/{rota_id}/overrides/{override_id}",
        summary="Take an override back, from now on.",
        dependencies=_READERS,
        openapi_extra=openapi_body(answer=Override),
    )
    async def end_override(rota_id: str, override_id: UUID, origin: RequestOrigin) -> Response:
        return json_answer(await desk.end_override(rota_id, override_id, origin=origin))


def _add_feeds(routes: APIRouter, desk: RotaDesk) -> None:
    @routes.post(
        "/rotas/{rota_id}/feeds",
        status_code=_CREATED,
        summary="An address of the rota's calendar for calendar programs (iCal).",
        dependencies=_READERS,
        openapi_extra=openapi_body(NewFeed, answer=Feed, status=_CREATED),
    )
    async def make_feed(rota_id: str, request: Request, origin: RequestOrigin) -> Response:
        wanted = await read_json(request, NewFeed)
        if wanted.agent_id is not None and not is_slug(wanted.agent_id):
            raise Invalid.of("agent_id", "must be an agent's id")
        token = await desk.make_feed(rota_id, wanted.agent_id, origin=origin)
        return json_answer(Feed(f"/v1/oncall/{rota_id}.ics?token={token}"), status=_CREATED)

    @routes.delete(
        "/rotas/{rota_id}/feeds",
        status_code=_NO_CONTENT,
        summary="Take all addresses of the rota's calendar back.",
        dependencies=_EDITORS,
    )
    async def end_feeds(rota_id: str, origin: RequestOrigin) -> Response:
        await desk.end_feeds(rota_id, origin=origin)
        return Response(status_code=_NO_CONTENT)

    @routes.get(
        "/{rota_id}.ics",
        summary="The rota as a calendar (RFC 5545); the token in the address is the permission.",
    )
    async def get_ical(
        rota_id: Annotated[str, Path()],
        token: Annotated[str, Query(max_length=200, description="From the feed's address.")] = "",
    ) -> Response:
        if not token:
            raise NotFound("There is no such calendar feed.")
        return Response(
            await desk.ical(rota_id, token),
            media_type="text/calendar; charset=utf-8",
            headers={"cache-control": "private, max-age=300", "referrer-policy": "no-referrer"},
        )


def _add_questions(routes: APIRouter, desk: RotaDesk) -> None:
    @routes.get(
        "/{rota_id}",
        summary="Who is on call at a moment, past or future; since when, until when, who is next.",
        dependencies=_READERS,
        openapi_extra=openapi_body(answer=OnCall),
    )
    async def who(rota_id: str, at: At = None) -> Response:
        return json_answer(await desk.on_call(rota_id, _aware(at, "at")))

    @routes.get(
        "/{rota_id}/schedule",
        summary="Who is on call when; the coming week when nothing is said.",
        dependencies=_READERS,
        openapi_extra=openapi_body(answer=Schedule),
    )
    async def schedule(
        rota_id: str,
        from_: Annotated[datetime | None, Query(alias="from")] = None,
        to: At = None,
    ) -> Response:
        spans = await desk.schedule(rota_id, _aware(from_, "from"), _aware(to, "to"))
        return json_answer(Schedule(spans))


def _aware(moment: datetime | None, field: str) -> datetime | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise Invalid.of(field, "needs a time zone, 2026-01-31T09:00:00Z")
    if not 1990 < moment.year < 2200:  # noqa: PLR2004  # as in rotas; arithmetic near the ends overflows
        raise Invalid.of(field, "must lie between 1990 and 2200")
    return moment


def _answer(rota: RotaView) -> Response:
    return json_answer(rota, headers={"etag": etag(rota.version)})
