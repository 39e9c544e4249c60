"""Addresses of jobs: one change of many tickets, progress, each ticket's result, undo."""

from typing import Annotated, Final
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request, Response
from msgspec import Meta

from services.intake.api.commands import uuid_of
from services.intake.api.words import Word
from services.intake.app import Asking
from services.intake.bulk import JOB_TICKETS_MAX, TICKETS_MAX, Bulk, Item, Job, State
from services.intake.domain.actions import Actions, Macro
from shared.errors import Invalid
from shared.eventstore import Claim, Outcome
from shared.http.bodies import json_answer, read_json
from shared.http.idempotency import CommandKey
from shared.http.openapi import openapi_body
from shared.http.origin import Origin
from shared.security import Principal, Role, authenticate

_ACCEPTED: Final = 202


class BulkBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A macro by name, or what shall be done under a title; and the tickets in the order in which it is done."""

    macro: Word | None = None
    title: Word | None = None
    actions: Actions | None = None
    ticket_ids: Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=TICKETS_MAX)]


class MoreTickets(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The next page of tickets for a job."""

    ticket_ids: Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=TICKETS_MAX)]


class JobAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is, and tickets in order; `next`: give it as `after` for the following ones."""

    job: Job
    items: list[Item]
    next: int | None


def bulk_router(bulk: Bulk) -> APIRouter:
    """All addresses; for people who work here."""
    router = APIRouter(prefix="/v1/bulk", tags=["bulk"])

    async def asked(request: Request, principal: Principal) -> tuple[Asking, Claim | None]:
        origin = Origin.of(request, principal)
        key = CommandKey.of(request, principal)
        claim = None if key is None else key.claim(await request.body())
        asking = Asking(actor=origin.actor, via=origin.via, correlation_id=origin.correlation_id)
        return asking, claim

    @router.post(
        "",
        status_code=_ACCEPTED,
        openapi_extra=openapi_body(BulkBody, answer=Job, status=_ACCEPTED),
    )
    async def start(request: Request) -> Response:
        """Take a job on. It goes on after a restart; each ticket is done whole or not at all, and once."""
        principal = await authenticate(request, Role.AGENT)
        body = await read_json(request, BulkBody)
        asking, claim = await asked(request, principal)
        return _accepted(await bulk.start(_wanted(body), body.ticket_ids, asking, claim))

    @router.get("/{job_id}", openapi_extra=openapi_body(answer=JobAnswer))
    async def look(
        job_id: str,
        request: Request,
        state: State | None = None,
        after: Annotated[int, Query(ge=0, le=JOB_TICKETS_MAX)] = 0,
    ) -> Response:
        """How far it is, with each ticket's result."""
        await authenticate(request, Role.AGENT)
        job = await bulk.job(uuid_of(job_id, "job_id"))
        items = await bulk.items(job.job_id, state, after)
        last = items[-1].place if items and items[-1].place < job.total else None
        return json_answer(JobAnswer(job=job, items=items, next=last))

    @router.post(
        "/{job_id}/tickets",
        status_code=_ACCEPTED,
        openapi_extra=openapi_body(MoreTickets, answer=Job, status=_ACCEPTED),
    )
    async def add(job_id: str, request: Request) -> Response:
        """More tickets for one's own job, page by page, while it is under way; one that it has is not done twice."""
        principal = await authenticate(request, Role.AGENT)
        body = await read_json(request, MoreTickets)
        asking, claim = await asked(request, principal)
        return _accepted(await bulk.add(uuid_of(job_id, "job_id"), body.ticket_ids, asking, claim))

    @router.post(
        "/{job_id}/stop",
        status_code=_ACCEPTED,
        openapi_extra=openapi_body(answer=Job, status=_ACCEPTED),
    )
    async def stop(job_id: str, request: Request) -> Response:
        """What still waits is not begun; what was done stays."""
        principal = await authenticate(request, Role.AGENT)
        asking, claim = await asked(request, principal)
        return _accepted(await bulk.stop(uuid_of(job_id, "job_id"), asking, claim))

    @router.post(
        "/{job_id}/undo",
        status_code=_ACCEPTED,
        openapi_extra=openapi_body(answer=Job, status=_ACCEPTED),
    )
    async def undo(job_id: str, request: Request) -> Response:
        """Take back what it has done, as a job of its own; what still waits is not begun."""
        principal = await authenticate(request, Role.AGENT)
        asking, claim = await asked(request, principal)
        return _accepted(await bulk.undo(uuid_of(job_id, "job_id"), asking, claim))

    return router


def _wanted(body: BulkBody) -> str | Macro:
    if (body.macro is None) is (body.actions is None):
        raise Invalid.of("macro", "say one of macro, actions")
    if body.actions is not None:
        return Macro(title=body.title or "Change of many tickets", actions=body.actions)
    if body.title is not None:
        raise Invalid.of("title", "a macro has its own")
    assert body.macro is not None
    return body.macro


def _accepted(outcome: Outcome[Job]) -> Response:
    headers = {"Location": f"/v1/bulk/{outcome.result.job_id}"}
    if outcome.replayed:
        headers["Idempotency-Replayed"] = "true"
    return json_answer(outcome.result, status=_ACCEPTED, headers=headers)
