"""The rule set over HTTP: read and replaced as a whole."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from services.routing.api.answers import cause_of
from services.routing.app.asking import RulesView
from services.routing.app.routing import Routing
from services.routing.domain.rules import DEFAULT_RULE
from shared.errors import Invalid
from shared.events.agents import RoutingRule
from shared.http.bodies import json_answer, read_json
from shared.http.conditional import ExpectedVersion, etag
from shared.http.idempotency import OptionalKey
from shared.http.openapi import openapi_body
from shared.http.origin import RequestOrigin
from shared.security import Principal, Role, require

Staff = Annotated[Principal, Depends(require(Role.AGENT))]
Admin = Annotated[Principal, Depends(require(Role.SUPERVISOR))]


class RulesBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All rules in order, the first match wins; what none takes goes to `default_group`."""

    rules: tuple[RoutingRule, ...]
    default_group: str | None = None

    def ordered(self) -> tuple[RoutingRule, ...]:
        """The rules with the default as the last one, which asks nothing.

        Raises:
            Invalid: a rule of the caller bears the name of the default.
        """
        for place, rule in enumerate(self.rules):
            if rule.id == DEFAULT_RULE:
                message = "is the name of the rule made from default_group"
                raise Invalid.of(f"rules[{place}].id", message)
        if self.default_group is None:
            return self.rules
        return (*self.rules, RoutingRule(id=DEFAULT_RULE, group=self.default_group))


class RulesDocument(msgspec.Struct, frozen=True):
    """The rule set as it is, in the shape in which it is put."""

    version: int
    rules: tuple[RoutingRule, ...]
    default_group: str | None

    @classmethod
    def of(cls, view: RulesView) -> "RulesDocument":
        """Take the default rule out of the ordered list."""
        rules = view.rules
        if rules and rules[-1].id == DEFAULT_RULE:
            return cls(view.version, rules[:-1], rules[-1].group)
        return cls(view.version, rules, None)


def router(routing: Routing) -> APIRouter:
    """The address `/v1/routing/rules`."""
    api = APIRouter(prefix="/v1/routing/rules", tags=["rules"])

    @api.get("", summary="The rule set.", openapi_extra=openapi_body(answer=RulesDocument))
    async def get_rules(_: Staff) -> Response:
        document = RulesDocument.of(await routing.reading.rules())
        return json_answer(document, headers={"ETag": etag(document.version)})

    @api.put(
        "",
        summary="Replace the rule set.",
        openapi_extra=openapi_body(RulesBody, answer=RulesDocument),
    )
    async def define_rules(
        request: Request,
        _: Admin,
        origin: RequestOrigin,
        expected: ExpectedVersion,
        key: OptionalKey,
    ) -> Response:
        body = await read_json(request, RulesBody)
        rules = body.ordered()
        outcome = await routing.command(
            lambda tx: routing.asking.define_rules(tx, rules, cause_of(origin), expected),
            key.claim(await request.body()) if key else None,
        )
        document = RulesDocument.of(msgspec.convert(outcome.result, RulesView))
        return json_answer(document, headers={"ETag": etag(document.version)})

    return api
