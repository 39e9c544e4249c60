"""Addresses of the rules: one ordered document, read and replaced as a whole."""

import asyncio
from typing import Annotated, Final
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Path, Request, Response
from msgspec import Meta

from services.intake import rule_history
from services.intake.app import Intake
from services.intake.configuration import RULES, Document, document, documents
from services.intake.domain.rules.document import RULES_MAX, Known, Rule, RuleSet
from services.intake.rule_trials import TICKETS_MAX, RuleTrials, Tried
from services.intake.steps import Tx
from shared.clock import Clock
from shared.errors import NotFound
from shared.http.bodies import json_answer, read_json
from shared.http.changes import Change
from shared.http.conditional import etag
from shared.http.openapi import openapi_body
from shared.rule_history import RulesVersion
from shared.security import Principal, Role, require

Staff = Annotated[Principal, Depends(require(Role.AGENT))]
Supervisor = Annotated[Principal, Depends(require(Role.SUPERVISOR))]


class RulesDocument(msgspec.Struct, frozen=True):
    """The rule set in force. `version` 0: none was ever made."""

    version: int
    rules: tuple[Rule, ...]

    @classmethod
    def of(cls, stored: Document) -> "RulesDocument":
        """As it was accepted."""
        return cls(stored.version, msgspec.convert(stored.definition, RuleSet).rules)


class RulesHistory(msgspec.Struct, frozen=True):
    """Every version, newest first."""

    versions: list[RulesVersion]


class DryRunBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`rules`: on trial; left away: those in force. On `ticket_id`, or on the `recent` newest tickets."""

    rules: Annotated[tuple[Rule, ...], Meta(max_length=RULES_MAX)] | None = None
    ticket_id: UUID | None = None
    recent: Annotated[int, Meta(ge=0, le=TICKETS_MAX)] = 100


NO_RULES: Final = RulesDocument(0, ())


def rules_router(intake: Intake, clock: Clock) -> APIRouter:
    """All addresses."""
    router = APIRouter(prefix="/v1/rules", tags=["rules"])
    trials = RuleTrials(intake)

    @router.get(
        "",
        summary="The rules of intake, in the order in which they are asked.",
        openapi_extra=openapi_body(answer=RulesDocument),
    )
    async def get_rules(_: Staff) -> Response:
        return _answer(await asyncio.to_thread(intake.read, in_force))

    @router.put(
        "",
        summary="Replace the rules. A faulty set is refused whole, every fault named.",
        openapi_extra=openapi_body(RuleSet, answer=RulesDocument),
    )
    async def put_rules(
        _: Supervisor,
        change: Change,
    ) -> Response:
        rules = await change.read(RuleSet)
        await check(intake, rules)
        now = clock.now()
        stored = await intake.define(
            "rules",
            RULES,
            msgspec.to_builtins(rules),
            change.origin.stamp(0, now, now),
            expected=change.expected,
            claim=await change.claim(),
        )
        return _answer(RulesDocument.of(stored))

    @router.get(
        "/history",
        summary="Who changed the rules when, newest first.",
        openapi_extra=openapi_body(answer=RulesHistory),
    )
    async def get_history(_: Staff) -> Response:
        return json_answer(
            RulesHistory(await asyncio.to_thread(intake.read, rule_history.versions))
        )

    @router.get(
        "/versions/{version}",
        summary="The rules as they were.",
        openapi_extra=openapi_body(answer=RulesDocument),
    )
    async def get_version(version: Annotated[int, Path(ge=1, le=2**31 - 1)], _: Staff) -> Response:
        rules = await asyncio.to_thread(intake.read, lambda tx: rule_history.at(tx, version))
        return json_answer(RulesDocument(version, rules.rules))

    @router.post(
        "/dry-run",
        summary="What rules would have done to a ticket, or to the newest ones. Changes nothing.",
        openapi_extra=openapi_body(DryRunBody, answer=Tried),
    )
    async def dry_run(request: Request, _: Supervisor) -> Response:
        body = await read_json(request, DryRunBody)
        rules = None if body.rules is None else RuleSet(body.rules)
        if rules is not None:
            await check(intake, rules)
        return json_answer(await trials.try_on(rules, ticket_id=body.ticket_id, recent=body.recent))

    return router


def in_force(tx: Tx) -> RulesDocument:
    """The rule set as it is now."""
    try:
        return RulesDocument.of(document(tx, "rules", RULES))
    except NotFound:
        return NO_RULES


async def check(intake: Intake, rules: RuleSet) -> None:
    """Refuse a rule set that names what does not exist. Raises Invalid."""
    await asyncio.to_thread(intake.refresh_configuration)
    answers = await asyncio.to_thread(intake.read, lambda tx: documents(tx, "answer"))
    house = intake.configuration.house
    rules.check(Known(house.definitions.fields, house.calendars, {one.name for one in answers}))


def _answer(told: RulesDocument) -> Response:
    return json_answer(told, headers={"ETag": etag(told.version)})
