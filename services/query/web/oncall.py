"""On call: who has it now, until when, who is next; the coming week; pages that wait for somebody."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import Response

from services.query.views.oncall import open_pages, rotas_now
from services.query.web.entrance import page_router
from services.query.web.rendering import page, parts_of
from services.query.web.state import directory_of
from shared.security import Principal, Role, require

router = page_router()


@router.get("/oncall")
async def oncall(
    request: Request, principal: Annotated[Principal, Depends(require(Role.AGENT))]
) -> Response:
    """Every rota and every open page, in the order of urgency."""
    pool = await parts_of(request).pool()
    moment = datetime.now(UTC)
    pages = await open_pages(pool)
    return page(
        request,
        "oncall.html",
        principal,
        rotas=await rotas_now(pool, moment),
        waiting=[each for each in pages if each["state"] != "acknowledged"],
        taken=[each for each in pages if each["state"] == "acknowledged"],
        names=await directory_of(request).names(pool),
    )
