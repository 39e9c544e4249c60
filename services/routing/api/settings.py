"""What holds for every group, over HTTP: the room that a ticket takes, and which changes ask the rules again."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from services.routing.api.answers import Staff, answer, cause_of
from services.routing.app.asking import SettingsView
from services.routing.app.routing import Routing
from shared.events.agents import RoutingSettings
from shared.http.bodies import json_answer, read_json
from shared.http.conditional import ExpectedVersion, etag
from shared.http.idempotency import OptionalKey
from shared.http.openapi import openapi_body
from shared.http.origin import RequestOrigin
from shared.security import Principal, Role, require

Supervisor = Annotated[Principal, Depends(require(Role.SUPERVISOR))]


class SettingsBody(RoutingSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings as they shall be from now on; what is left out is as if it had never been said."""

    def settings(self) -> RoutingSettings:
        """The same as events carry it."""
        return RoutingSettings(units=self.units, reroute_on=self.reroute_on)


def router(routing: Routing) -> APIRouter:
    """The address `/v1/routing/settings`."""
    api = APIRouter(prefix="/v1/routing/settings", tags=["settings"])

    @api.get(
        "", summary="What holds for every group.", openapi_extra=openapi_body(answer=SettingsView)
    )
    async def get_settings(_: Staff) -> Response:
        view = await routing.reading.settings()
        return json_answer(view, headers={"ETag": etag(view.version)})

    @api.put(
        "",
        summary="Change what holds for every group.",
        openapi_extra=openapi_body(SettingsBody, answer=SettingsView),
    )
    async def define_settings(
        request: Request,
        _: Supervisor,
        origin: RequestOrigin,
        expected: ExpectedVersion,
        key: OptionalKey,
    ) -> Response:
        body = await read_json(request, SettingsBody)
        outcome = await routing.command(
            lambda tx: routing.asking.define_settings(
                tx, body.settings(), cause_of(origin), expected
            ),
            key.claim(await request.body()) if key else None,
        )
        return answer(outcome)

    return api
