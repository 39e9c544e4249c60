"""The operations wall: the live board, as a page and as parts that replace themselves."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response
from starlette.status import HTTP_303_SEE_OTHER

from services.query.web.directory import Names
from services.query.web.entrance import page_router
from services.query.web.rendering import fragment, page, parts_of
from services.query.web.state import directory_of
from services.query.web.words import PRIORITY, STATUS
from shared.security import Principal, require

router = page_router()

PARTS: Final = ("figures", "promises", "backlog", "agents", "rate", "consumers")
AGENTS_MAX: Final = 24
"""As many as fit on a wall; the page of agents shows everybody."""

_SHOWN_STATUSES: Final = tuple(STATUS)[:6]
"""Those in which a ticket is open, in the order of its life."""


@router.get("/")
async def wall(request: Request, principal: Annotated[Principal, Depends(require())]) -> Response:
    """Backlog, promises, people, intake and lag at one look. Customers have a list instead."""
    if principal.is_customer:
        return RedirectResponse("/tickets", status_code=HTTP_303_SEE_OTHER)
    parts = parts_of(request)
    names = await directory_of(request).names(await parts.pool())
    # Through JSON, as the stream sends it: the page and its later parts come out of one form.
    board = msgspec.json.decode(msgspec.json.encode(await parts.dashboard()))
    return page(
        request, "wall.html", principal, parts=board_parts(board, names, now=datetime.now(UTC))
    )


def board_parts(
    board: dict[str, Any], names: Names, *, now: datetime | None = None
) -> dict[str, str]:
    """Part of the wall → its HTML; with `now` also the countdowns as they stand, for browsers without scripts."""
    content = {"board": board, "names": names, "now": now, **_arranged(board)}
    return {name: fragment(f"parts/{name}.html", **content) for name in PARTS}


def _arranged(board: dict[str, Any]) -> dict[str, Any]:
    backlog, agents, rate = board["backlog"], board["agents"], board["intake_per_minute"]
    minutes = [minute["count"] for minute in rate]
    complete = minutes[:-1]  # a minute that still runs would pull the average down
    urgent = board["promises"]["tickets"]
    present = [agent for agent in agents if agent["presence"] != "offline"]
    return {
        "statuses": [name for name in _SHOWN_STATUSES if backlog["by_status"].get(name)],
        "priorities": list(PRIORITY),
        "breached": [ticket for ticket in urgent if ticket["is_breached"]],
        "at_risk": [ticket for ticket in urgent if not ticket["is_breached"]],
        "shown_agents": (present + [agent for agent in agents if agent not in present])[
            :AGENTS_MAX
        ],
        "online_count": sum(agent["presence"] == "online" for agent in agents),
        "per_minute": sum(complete[-5:]) / 5,
        "hour_count": sum(minutes),
        "peak": max(minutes, default=0),
    }
