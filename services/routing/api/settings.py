"""What holds for every group, over HTTP: the room that a ticket takes, and which changes ask the rules again."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from services.routing.api.answers import Staff, answer, cause_of
from services.routing.app.asking import SettingsView
from services.routing.app.routing import Routing
from shared.events.agents import RoutingSettings
from shared.http.bodies import json_answer
from shared.http.changes import Change
from shared.http.conditional import etag
from shared.http.openapi import openapi_body
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
        _: Supervisor,
        change: Change,
    ) -> Response:
        body = await change.read(SettingsBody)
        outcome = await routing.command(
            lambda tx: routing.asking.define_settings(
                tx, body.settings(), cause_of(change.origin), change.expected
            ),
            await change.claim(),
        )
        return answer(outcome)

    return api
