"""The board of promises: what is late, what will be, with countdowns, what needs a person; by group and by policy."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query, Request
from starlette.responses import Response

from services.query.views.promises_board import CLOCKS_MAX, promises_board
from services.query.web.entrance import page_router
from services.query.web.rendering import page, parts_of
from services.query.web.state import directory_of
from shared.security import Principal, Role, require

router = page_router()

Name = Annotated[str | None, Query(max_length=200)]


@router.get("/promises")
async def promises(
    request: Request,
    principal: Annotated[Principal, Depends(require(Role.AGENT))],
    group: Name = None,
    policy: Name = None,
) -> Response:
    """Every clock that is late or due within the hour, of all or of one group or policy."""
    pool = await parts_of(request).pool()
    board = await promises_board(
        pool, datetime.now(UTC), group=group or None, policy=policy or None
    )
    clocks = board["clocks"]
    return page(
        request,
        "promises.html",
        principal,
        board=board,
        group=group or None,
        policy=policy or None,
        waiting=[each for each in clocks if each["is_late"] and not each["is_acknowledged"]],
        soon=[each for each in clocks if each["is_soon"] and not each["is_late"]],
        later=[each for each in clocks if not each["is_soon"]],
        taken=[each for each in clocks if each["is_late"] and each["is_acknowledged"]],
        may_decide=principal.may(Role.SUPERVISOR),
        is_cut=len(clocks) == CLOCKS_MAX,
        names=await directory_of(request).names(pool),
    )
