"""`/v1/routing/rules/dry-run`: what would these rules do, on a sample or on the tickets of the last days."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Request, Response

from services.routing.api.answers import Staff
from services.routing.api.documents import RuleBody, RulesBody
from services.routing.app.dry_run import TICKETS_MAX, DryRun
from services.routing.app.routing import Routing
from services.routing.domain.rules.trial import Sample
from services.routing.domain.ticket import Facts
from shared.errors import Invalid
from shared.events.agents import RuleMode
from shared.events.base import Channel, Priority
from shared.http.bodies import json_answer, read_json
from shared.http.openapi import openapi_body

SAMPLE_MAX: Final = 2_000
"""Tickets in one request: with messages of a usual length a few megabytes."""

DAYS_MAX: Final = 366
SHOWN_MAX: Final = 2_000


class SampleRequester(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks."""

    id: str | None = None
    email: str | None = None
    organization: str | None = None
    tier: str | None = None


class SampleTicket(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket as it comes in. Words that rules do not ask are passed over, so an exported ticket will do."""

    id: str | int | None = None
    channel: Channel = Channel.EMAIL
    subject: str = ""
    body: str | None = None
    type: str | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    fields: dict[str, Any] = {}
    requester: SampleRequester = SampleRequester()
    priority: Priority = Priority.NORMAL
    group: str | None = None
    opened_at: datetime | None = None
    is_outbound: bool = False


class DryRunBody(RulesBody, frozen=True, forbid_unknown_fields=True):
    """Rules on trial, and either `tickets` (at most 2,000) or `days`.

    `show`: how many changed tickets of the days are named. `at_most`: so many of them are looked at, the newest.
    """

    rules: tuple[RuleBody, ...]
    default_group: str | None = None
    mode: RuleMode = RuleMode.FIRST
    tickets: tuple[SampleTicket, ...] | None = None
    days: Annotated[int, msgspec.Meta(ge=1, le=DAYS_MAX)] | None = None
    show: Annotated[int, msgspec.Meta(ge=0, le=SHOWN_MAX)] = 100
    at_most: Annotated[int, msgspec.Meta(ge=1, le=TICKETS_MAX)] = TICKETS_MAX


def router(routing: Routing) -> APIRouter:
    """The address `/v1/routing/rules/dry-run`."""
    api = APIRouter(prefix="/v1/routing/rules", tags=["rules"])

    @api.post(
        "/dry-run",
        summary="What would these rules do, and what changes against those in force? Nothing is stored.",
        openapi_extra=openapi_body(DryRunBody, answer=DryRun),
    )
    async def try_rules(request: Request, _: Staff) -> Response:
        body = await read_json(request, DryRunBody)
        rules = body.ordered()
        if (body.tickets is None) == (body.days is None):
            raise Invalid.of("tickets", "either tickets or days")
        if body.days is not None:
            return json_answer(
                await routing.trials.on_days(
                    rules, body.mode, body.days, show=body.show, at_most=body.at_most
                )
            )
        tickets = body.tickets or ()
        if len(tickets) > SAMPLE_MAX:
            raise Invalid.of("tickets", f"at most {SAMPLE_MAX}")
        now = datetime.now(UTC)
        samples = [_sample(ticket, place, now) for place, ticket in enumerate(tickets)]
        return json_answer(await routing.trials.on_sample(rules, body.mode, samples))

    return api


def _sample(ticket: SampleTicket, place: int, now: datetime) -> Sample:
    at = ticket.opened_at or now
    if at.tzinfo is None:
        raise Invalid.of(f"tickets[{place}].opened_at", "needs a time zone")
    return Sample(
        id=str(ticket.id) if ticket.id is not None else str(place),
        facts=Facts(
            channel=ticket.channel.value,
            subject=ticket.subject,
            body=ticket.body or "",
            ticket_type=ticket.type,
            language=ticket.language,
            tags=ticket.tags,
            fields=ticket.fields,
            requester_id=ticket.requester.id,
            requester_email=ticket.requester.email,
            organization=ticket.requester.organization,
            tier=ticket.requester.tier,
            is_outbound=ticket.is_outbound,
        ),
        priority=ticket.priority,
        at=at,
        group=ticket.group,
        is_body_known=ticket.body is not None,
    )
