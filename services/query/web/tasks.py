"""Tasks over all tickets: one's own, nobody's, everybody's; open or done."""

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import Depends, Query, Request
from starlette.responses import Response

from services.query.api.tasks import TasksQuery
from services.query.views.tasks import list_tasks
from services.query.web.entrance import page_router
from services.query.web.rendering import page, parts_of
from services.query.web.state import directory_of
from shared.security import Principal, Role, require

router = page_router()

_VIEWS: Final[tuple[tuple[str, dict[str, str]], ...]] = (
    ("Mine", {"owner": "me"}),
    ("Nobody's", {"owner": "none"}),
    ("Everybody's", {}),
    ("Mine, done", {"owner": "me", "is_done": "true"}),
)


@router.get("/tasks")
async def tasks(
    request: Request,
    principal: Annotated[Principal, Depends(require(Role.AGENT))],
    query: Annotated[TasksQuery, Query()],
) -> Response:
    """One page of tasks, due first; filters as the API takes them."""
    pool = await parts_of(request).pool()
    found = await list_tasks(pool, query.filter(principal), limit=query.limit, after=query.cursor)
    asked = {
        name: value
        for name, value in request.query_params.items()
        if name not in {"cursor", "limit"}
    }
    return page(
        request,
        "tasks.html",
        principal,
        tasks=found.tasks,
        is_done=query.is_done,
        next=f"/tasks?{urlencode({**asked, 'cursor': found.next})}" if found.next else None,
        first=f"/tasks?{urlencode(asked)}" if query.cursor else None,
        views=[(name, f"/tasks?{urlencode(view)}", view == asked) for name, view in _VIEWS],
        names=await directory_of(request).names(pool),
    )
