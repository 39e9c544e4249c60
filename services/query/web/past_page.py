"""A ticket as it was: a slider over the instants at which it changed; without scripts the same by links."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import Depends, Query, Request
from msgspec import to_builtins
from pydantic import AwareDatetime
from starlette.responses import Response

from services.query.past.instant import past_instant
from services.query.past.ticket import ticket_at
from services.query.views.scope import Scope
from services.query.views.ticket import find_ticket, parse_reference
from services.query.views.timeline import LIMIT_MAX, timeline
from services.query.web.clocks import clocks
from services.query.web.entrance import page_router
from services.query.web.rendering import page, parts_of
from services.query.web.routing_story import story
from services.query.web.state import directory_of
from shared.security import Principal, Role, require

router = page_router()

EVENTS_MAX: Final = 4 * LIMIT_MAX
"""More events than any honest ticket has; the page says so when there are more."""


@router.get("/tickets/{reference}/past")
async def past_page(
    reference: str,
    request: Request,
    principal: Annotated[Principal, Depends(require(Role.AGENT))],
    as_of: Annotated[AwareDatetime | None, Query()] = None,
) -> Response:
    """The ticket at an instant; without one, at its first."""
    pool = await parts_of(request).pool()
    ticket = await find_ticket(pool, parse_reference(reference), Scope())
    await parts_of(request).reads.note(request, principal, ticket)
    events, has_more = await _events(request, ticket)
    steps = _steps(events)
    instant = past_instant(as_of) if as_of else steps[0]["at"]
    number = max((step["number"] for step in steps if step["at"] <= instant), default=1)
    then = await ticket_at(pool, ticket["ticket_id"], instant)
    names = await directory_of(request).names(pool)
    return page(
        request,
        "past.html",
        principal,
        ticket=then,
        then=instant,
        clocks=clocks([to_builtins(clock) for clock in then["clocks"]], instant),
        story=story((event for event in events if event["occurred_at"] <= instant), names),
        may_decide=False,
        subject_now=ticket["subject"],
        instant=instant,
        steps=steps,
        step=steps[number - 1],
        before=steps[number - 2] if number > 1 else None,
        after=steps[number] if number < len(steps) else None,
        has_more=has_more,
        names=names,
        definitions=await directory_of(request).definitions(pool),
    )


async def _events(request: Request, ticket: dict[str, Any]) -> tuple[list[dict[str, Any]], bool]:
    pool = await parts_of(request).pool()
    events: list[dict[str, Any]] = []
    after: str | None = None
    while len(events) < EVENTS_MAX:
        found = await timeline(pool, ticket["ticket_id"], after=after)
        events += found["events"]
        after = found["next"]
        if after is None:
            break
    return events, after is not None


def _steps(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The instants at which something happened from the opening on, each with its events and address."""
    opened_at = next(event["occurred_at"] for event in events if event["owner"] == "intake")
    steps: list[dict[str, Any]] = []
    for event in events:
        at: datetime = max(event["occurred_at"], opened_at)
        if not steps or steps[-1]["at"] != at:
            address = f"?as_of={at.astimezone(UTC).isoformat().replace('+00:00', 'Z')}"
            steps.append({"at": at, "number": len(steps) + 1, "events": [], "address": address})
        steps[-1]["events"].append(event)
    return steps
