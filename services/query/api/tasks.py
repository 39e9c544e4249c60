"""`/v1/tasks`: what is to be done, over all tickets. For people who work here."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.query.api.answers import Text, answer
from services.query.parts import Parts
from services.query.views.tasks import LIMIT_MAX, TaskFilter, list_tasks
from shared.security import Principal, Role, require

Agent = Annotated[Principal, Depends(require(Role.AGENT))]


class TasksQuery(BaseModel):
    """`owner`: an agent's id, `me`, or `none` for tasks that nobody has. `is_done`: open ones when left away."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    owner: Text | None = None
    is_done: bool = False
    due_before: AwareDatetime | None = None
    due_after: AwareDatetime | None = None
    checklist: Text | None = None
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = 50
    cursor: Text | None = None

    def filter(self, principal: Principal) -> TaskFilter:
        """The same for the view; `me` is the caller."""
        return TaskFilter(
            owner=principal.id if self.owner == "me" else self.owner,
            is_done=self.is_done,
            due_before=self.due_before,
            due_after=self.due_after,
            checklist=self.checklist,
        )


def make_router(parts: Parts) -> APIRouter:
    """The route."""
    router = APIRouter(tags=["tasks"])

    @router.get("/tasks", summary="Tasks over all tickets, due first.")
    async def tasks(principal: Agent, query: Annotated[TasksQuery, Query()]) -> Response:
        page = await list_tasks(
            await parts.pool(), query.filter(principal), limit=query.limit, after=query.cursor
        )
        return answer(parts, {"tasks": page.tasks, "next": page.next})

    return router
