"""One ticket: conversation, timeline, why it is where it is, its clocks, and what can be done with it."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from fastapi import Depends, Query, Request
from starlette.responses import Response
from starlette.status import HTTP_204_NO_CONTENT

from services.query.views.contacts import person_behind
from services.query.views.oncall import pages_of
from services.query.views.pauses import pauses_of
from services.query.views.pools import Pool
from services.query.views.scope import Scope
from services.query.views.ticket import (
    conversation,
    find_ticket,
    linked_tickets,
    parse_reference,
)
from services.query.views.timeline import LIMIT_MAX, timeline
from services.query.web import fields
from services.query.web.clocks import clocks
from services.query.web.entrance import page_router
from services.query.web.rendering import HEADERS, fragment, freshness, page, parts_of
from services.query.web.routing_story import story
from services.query.web.state import directory_of
from shared.security import Principal, Role, require
from shared.subjects import why_uninformative

router = page_router()

EVENTS_MAX: Final = 4 * LIMIT_MAX
"""More events than any honest ticket has; the page says so when there are more."""

_STAFF_PARTS: Final = (
    "head",
    "conversation",
    "actions",
    "tasks",
    "clocks",
    "person",
    "facts",
    "related",
    "routing",
    "timeline",
)
_CUSTOMER_PARTS: Final = ("head", "conversation", "end", "survey")
_encode: Final = msgspec.json.Encoder().encode

Anybody = Annotated[Principal, Depends(require())]


@router.get("/tickets/{reference}")
async def ticket_page(
    reference: str,
    request: Request,
    principal: Anybody,
    min_version: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> Response:
    """The whole page, by number or id; `min_version` waits, bounded, for a ticket that was just opened."""
    if min_version is not None:
        await _arrival(request, principal, reference, min_version)
    shown = await _shown(request, principal, reference)
    return page(
        request,
        "ticket.html",
        principal,
        ticket=shown["ticket"],
        stamp=_stamp(shown["ticket"]),
        parts=_parts(shown, principal, now=shown["now"]),
    )


@router.get("/tickets/{reference}/parts")
async def ticket_parts(
    reference: str,
    request: Request,
    principal: Anybody,
    stamp: Annotated[str | None, Query(max_length=80)] = None,
    min_version: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> Response:
    """The parts of the page as JSON; 204 while they are still those of `stamp`.

    `min_version` waits, bounded, for the projection to have what was just written (504 if it does not come in time).
    """
    parts, scope = parts_of(request), Scope.of(principal)
    if min_version is not None:
        await _arrival(request, principal, reference, min_version)
    elif stamp is not None:
        found = await find_ticket(await parts.pool(), parse_reference(reference), scope)
        if _stamp(found) == stamp:
            return Response(status_code=HTTP_204_NO_CONTENT, headers=dict(HEADERS))
    shown = await _shown(request, principal, reference)
    answer = {
        "stamp": _stamp(shown["ticket"]),
        "fresh": freshness(parts),
        "parts": _parts(shown, principal),
    }
    return Response(_encode(answer), media_type="application/json", headers=dict(HEADERS))


async def _arrival(request: Request, principal: Principal, reference: str, version: int) -> None:
    parts = parts_of(request)
    await parts.arrivals.wait_for(
        await parts.pool(),
        parse_reference(reference),
        version,
        Scope.of(principal),
        seconds_max=parts.settings.min_version_seconds_max,
    )


def _stamp(ticket: dict[str, Any]) -> str:
    """The versions of all three streams: the page is out of date when any has moved."""
    return f"{ticket['version']}.{ticket.get('routing_version', 0)}.{ticket.get('sla_version', 0)}"


async def _shown(request: Request, principal: Principal, reference: str) -> dict[str, Any]:
    pool, scope = await parts_of(request).pool(), Scope.of(principal)
    ticket = await find_ticket(pool, parse_reference(reference), scope)
    await parts_of(request).reads.note(request, principal, ticket)
    shown: dict[str, Any] = {
        "ticket": ticket | await conversation(pool, ticket["ticket_id"], scope),
        "now": datetime.now(UTC),
        "principal": principal,
        "is_staff": scope.sees_internal,
        "may_decide": principal.may(Role.SUPERVISOR),
        "can_write": True,
        "subject_hint": why_uninformative(ticket["subject"]) if scope.sees_internal else None,
    }
    if scope.sees_internal:
        shown |= await _internal(request, pool, ticket)
    return shown


async def _internal(request: Request, pool: Pool, ticket: dict[str, Any]) -> dict[str, Any]:
    names = await directory_of(request).names(pool)
    definitions = await directory_of(request).definitions(pool)
    events, has_more = await _events(pool, ticket["ticket_id"])
    return {
        "names": names,
        "definitions": definitions,
        "asked": fields.of_ticket(definitions, ticket["type"], ticket["fields"]),
        "events": events[::-1],
        "has_more_events": has_more,
        "standing_steps": _standing_steps(events),
        "story": story(events, names),
        "clocks": clocks(ticket["clocks"], datetime.now(UTC)),
        "linked": await linked_tickets(pool, ticket["links"]),
        "pages": await pages_of(pool, ticket["ticket_id"]),
        "person": await person_behind(pool, ticket["requester_id"]),
        **await pauses_of(pool, ticket["ticket_id"]),
    }


_APPLIED: Final = {"ticket.actions_applied.v1", "ticket.rule_applied.v1"}


def _standing_steps(events: list[dict[str, Any]]) -> set[str]:
    """Steps of several changes, by people and by rules, that nobody has taken back yet and that changed anything."""
    applied, undone = (
        {
            event["data"]["step_id"]
            for event in events
            if event["type"] in kinds and event["data"].get("changes", True)
        }
        for kinds in (_APPLIED, {"ticket.actions_undone.v1"})
    )
    return applied - undone


async def _events(pool: Pool, ticket_id: UUID) -> tuple[list[dict[str, Any]], bool]:
    events: list[dict[str, Any]] = []
    after: str | None = None
    while len(events) < EVENTS_MAX:
        found = await timeline(pool, ticket_id, after=after)
        events += found["events"]
        after = found["next"]
        if after is None:
            break
    return events, after is not None


def _parts(
    shown: dict[str, Any], principal: Principal, *, now: datetime | None = None
) -> dict[str, str]:
    names = _CUSTOMER_PARTS if principal.is_customer else _STAFF_PARTS
    return {name: fragment(f"ticket/{name}.html", **{**shown, "now": now}) for name in names}
