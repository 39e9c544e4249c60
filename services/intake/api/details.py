"""Addresses of what hangs on a ticket: tasks, checklists, participants, the rule of its family."""

from collections.abc import Callable
from typing import Final, TypeVar
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.intake.api import bodies, translate
from services.intake.api.commands import answer, documents, read, uuid_of
from services.intake.app import Intake
from services.intake.domain import Command, commands, limits
from shared.clock import Clock
from shared.errors import Invalid
from shared.security import Role, authenticate

B = TypeVar("B", bound=bodies.Asked)

_CREATED: Final = 201


def add_details(router: APIRouter, intake: Intake, clock: Clock) -> None:
    """All of them are for people who work here."""

    async def change(
        ticket_id: str,
        request: Request,
        wanted: type[B],
        command_of: Callable[[B], Command],
        *,
        status: int = 200,
        id_of: Callable[[Command], UUID | None] = lambda _: None,
    ) -> Response:
        principal = await authenticate(request, Role.AGENT)
        body, asking = await read(request, wanted, principal, clock)
        command = command_of(body)
        outcome = await intake.change(uuid_of(ticket_id), command, asking, task_id=id_of(command))
        return answer(outcome, status)

    @router.post(
        "/{ticket_id}/tasks", status_code=_CREATED, openapi_extra=documents(bodies.Task, _CREATED)
    )
    async def add_task(ticket_id: str, request: Request) -> Response:
        """Add something to do, with or without owner and date."""
        return await change(
            ticket_id, request, bodies.Task, translate.task, status=_CREATED, id_of=_task_id
        )

    @router.post(
        "/{ticket_id}/checklists",
        status_code=_CREATED,
        openapi_extra=documents(bodies.Checklist, _CREATED),
    )
    async def add_checklist(ticket_id: str, request: Request) -> Response:
        """Add several tasks under one name."""
        return await change(
            ticket_id, request, bodies.Checklist, translate.checklist, status=_CREATED
        )

    @router.patch("/{ticket_id}/tasks/{task_id}", openapi_extra=documents(bodies.TaskPatch))
    async def change_task(ticket_id: str, task_id: str, request: Request) -> Response:
        """Finish a task, take it up again, rename it, give it to somebody, move its date."""
        task = uuid_of(task_id, "task_id")
        return await change(
            ticket_id, request, bodies.TaskPatch, lambda body: translate.task_change(task, body)
        )

    @router.delete("/{ticket_id}/tasks/{task_id}", openapi_extra=documents(bodies.Removal))
    async def remove_task(ticket_id: str, task_id: str, request: Request) -> Response:
        """Take a task away that was a mistake."""
        task = uuid_of(task_id, "task_id")
        return await change(
            ticket_id, request, bodies.Removal, lambda _: commands.RemoveTask(task_id=task)
        )

    @router.put("/{ticket_id}/family", openapi_extra=documents(bodies.FamilyRule))
    async def set_family_rule(ticket_id: str, request: Request) -> Response:
        """Say whether the ticket waits for its children before it is solved or closed."""
        return await change(
            ticket_id,
            request,
            bodies.FamilyRule,
            lambda body: commands.SetFamilyRule(waits_for_children=body.waits_for_children),
        )

    @router.post(
        "/{ticket_id}/participants",
        status_code=_CREATED,
        openapi_extra=documents(bodies.Participant, _CREATED),
    )
    async def add_participant(ticket_id: str, request: Request) -> Response:
        """Let somebody take part."""
        return await change(
            ticket_id, request, bodies.Participant, translate.participant, status=_CREATED
        )

    @router.delete("/{ticket_id}/participants/{person_id}", openapi_extra=documents(bodies.Removal))
    async def remove_participant(ticket_id: str, person_id: str, request: Request) -> Response:
        """Somebody no longer takes part."""
        if len(person_id) > limits.IDENTITY_CHARS_MAX:
            raise Invalid.of("path person_id", "is too long to be anybody's")
        return await change(
            ticket_id,
            request,
            bodies.Removal,
            lambda _: commands.RemoveParticipant(person_id=person_id),
        )


def _task_id(command: Command) -> UUID | None:
    return command.task_id if isinstance(command, commands.AddTask) else None
