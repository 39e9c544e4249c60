"""`/v1/views`: the views of the ticket list that the caller is shown, with how many tickets are in each."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import ValidationError

from services.query.api.answers import answer
from services.query.api.list_filter import ListFilter
from services.query.parts import Parts
from services.query.views.saved_views import SavedView, views_of
from shared.errors import Invalid
from shared.security import Principal, Role, require

Agent = Annotated[Principal, Depends(require(Role.AGENT))]


async def counted_views(parts: Parts, principal: Principal) -> list[dict[str, Any]]:
    """The views with `count`, `is_more` and `counted_at`; one that can no longer be asked says why (`problem`)."""
    pool = await parts.pool()

    async def told(view: SavedView) -> dict[str, Any]:
        said = {
            "name": view.name, "kind": view.kind, "title": view.title, "filter": view.filter,
            "sort": view.sort, "columns": view.columns, "place": view.place,
        }  # fmt: skip
        try:
            wanted = ListFilter.model_validate(view.filter).filter(principal)
            counted = await parts.view_counts.count(pool, wanted)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            return {**said, "problem": f"{'.'.join(map(str, first['loc']))}: {first['msg']}"}
        except Invalid as error:
            return {**said, "problem": error.detail}
        return {**said, **counted.told()}

    views = await views_of(pool, principal.id, principal.role)
    return list(await asyncio.gather(*map(told, views)))


def make_router(parts: Parts) -> APIRouter:
    """The routes. Writing a view is intake's: `PUT /v1/views/mine/{name}`, `/v1/views/shared/{name}`."""
    router = APIRouter(tags=["views"])

    @router.get("/views", summary="The views that the caller is shown, with counts.")
    async def list_views(principal: Agent) -> Response:
        return answer(parts, {"views": await counted_views(parts, principal)})

    return router
