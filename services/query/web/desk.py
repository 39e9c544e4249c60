"""An agent's own desk: what to do first, what waits for others, load, tasks, turns on call."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import Response

from services.query.views.desk import desk_of
from services.query.web.entrance import page_router
from services.query.web.rendering import page, parts_of
from services.query.web.state import directory_of
from shared.security import Principal, Role, require

router = page_router()


@router.get("/desk")
async def desk(
    request: Request, principal: Annotated[Principal, Depends(require(Role.AGENT))]
) -> Response:
    """The caller's own desk; nobody looks at another's by this address (the page of agents shows the load)."""
    pool = await parts_of(request).pool()
    return page(
        request,
        "desk.html",
        principal,
        desk=await desk_of(pool, principal.id, datetime.now(UTC)),
        names=await directory_of(request).names(pool),
    )
