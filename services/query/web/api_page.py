"""The API's documents as a page: what each service says of itself, read by the browser from the front door."""

from typing import Annotated, Final

from fastapi import Depends, Request
from starlette.responses import Response

from services.query.web.entrance import page_router
from services.query.web.rendering import page
from shared.security import Principal, require

router = page_router()

SERVICES: Final = (
    ("intake", "tickets, conversation, channels, configuration of tickets"),
    ("routing", "agents, groups, rules, the queue, assignment and its reasons"),
    ("sla", "policies, calendars, clocks, on-call, alerts"),
    ("query", "lists, search, timeline, reports, audit, export"),
)
"""Service → what its API is about. The addresses are those of the front door; services do not call each other."""


@router.get("/api")
async def api(request: Request, principal: Annotated[Principal, Depends(require())]) -> Response:
    """The frame; the documents themselves are fetched and laid out by the page's own script."""
    return page(request, "api.html", principal, services=SERVICES)
