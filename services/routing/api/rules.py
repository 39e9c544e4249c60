"""The rule set over HTTP: read and replaced as a whole, with every version it ever had."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Path, Response

from services.routing.api.answers import Staff, cause_of
from services.routing.api.documents import RulesBody, RulesDocument
from services.routing.app.asking import RulesView
from services.routing.app.routing import Routing
from services.routing.app.rule_history import RulesVersion
from shared.http.bodies import json_answer
from shared.http.changes import Change
from shared.http.conditional import etag
from shared.http.openapi import openapi_body
from shared.security import Principal, Role, require

Admin = Annotated[Principal, Depends(require(Role.SUPERVISOR))]


class HistoryView(msgspec.Struct, frozen=True):
    """Every version, newest first."""

    versions: list[RulesVersion]


def router(routing: Routing) -> APIRouter:
    """Addresses under `/v1/routing/rules`."""
    api = APIRouter(prefix="/v1/routing/rules", tags=["rules"])

    @api.get("", summary="The rule set.", openapi_extra=openapi_body(answer=RulesDocument))
    async def get_rules(_: Staff) -> Response:
        document = RulesDocument.of(await routing.reading.rules())
        return json_answer(document, headers={"ETag": etag(document.version)})

    @api.put(
        "",
        summary="Replace the rule set. A faulty one is refused whole, every fault named.",
        openapi_extra=openapi_body(RulesBody, answer=RulesDocument),
    )
    async def define_rules(
        _: Admin,
        change: Change,
    ) -> Response:
        body = await change.read(RulesBody)
        rules = body.ordered()
        outcome = await routing.command(
            lambda tx: routing.asking.define_rules(
                tx, rules, body.mode, cause_of(change.origin), change.expected
            ),
            await change.claim(),
        )
        document = RulesDocument.of(msgspec.convert(outcome.result, RulesView))
        return json_answer(document, headers={"ETag": etag(document.version)})

    @api.get(
        "/history",
        summary="Who changed the rules when, newest first.",
        openapi_extra=openapi_body(answer=HistoryView),
    )
    async def get_history(_: Staff) -> Response:
        return json_answer(HistoryView(await routing.rule_history.versions()))

    @api.get(
        "/versions/{version}",
        summary="The rule set as it was.",
        openapi_extra=openapi_body(answer=RulesDocument),
    )
    async def get_version(version: Annotated[int, Path(ge=1, le=2**31 - 1)], _: Staff) -> Response:
        return json_answer(RulesDocument.of(await routing.rule_history.at(version)))

    return api
