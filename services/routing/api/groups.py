"""Groups over HTTP."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Response

from services.routing.api.answers import Staff, answer, cause_of
from services.routing.app.asking import GroupView
from services.routing.app.routing import Routing
from shared.events.agents import GroupProfile
from shared.http.bodies import json_answer
from shared.http.changes import Change
from shared.http.conditional import etag
from shared.http.openapi import openapi_body
from shared.security import Principal, Role, require

Supervisor = Annotated[Principal, Depends(require(Role.SUPERVISOR))]


class GroupBody(GroupProfile, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group as it shall be from now on."""

    wait_seconds_max: int | None = 86_400
    """Nobody starves unless somebody decides it: after a day whatever still waits goes first."""

    def profile(self) -> GroupProfile:
        """The same as events carry it."""
        return GroupProfile(
            **{name: getattr(self, name) for name in GroupProfile.__struct_fields__}
        )


class GroupsView(msgspec.Struct, frozen=True):
    """All groups, by id."""

    groups: list[GroupView]


def router(routing: Routing) -> APIRouter:
    """Addresses under `/v1/groups`."""
    api = APIRouter(prefix="/v1/groups", tags=["groups"])

    @api.get("", summary="All groups.", openapi_extra=openapi_body(answer=GroupsView))
    async def list_groups(_: Staff) -> Response:
        return json_answer(GroupsView(await routing.reading.groups()))

    @api.get("/{group_id}", summary="One group.", openapi_extra=openapi_body(answer=GroupView))
    async def get_group(group_id: str, _: Staff) -> Response:
        group = await routing.reading.group(group_id)
        return json_answer(group, headers={"ETag": etag(group.version)})

    @api.put(
        "/{group_id}",
        summary="Add or change a group.",
        openapi_extra=openapi_body(GroupBody, answer=GroupView),
    )
    async def define_group(
        group_id: str,
        _: Supervisor,
        change: Change,
    ) -> Response:
        body = await change.read(GroupBody)
        outcome = await routing.command(
            lambda tx: routing.asking.define_group(
                tx, group_id, body.profile(), cause_of(change.origin), change.expected
            ),
            await change.claim(),
        )
        return answer(outcome)

    return api
