"""Parked events over HTTP: what is set aside, why, and what to do with it. For admins."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import msgspec
import structlog
from fastapi import APIRouter, Depends

from shared.errors import NotFound
from shared.messaging.consumer import Consumer
from shared.security import Principal, Role, require

log = structlog.get_logger(__name__)


class NothingParked(NotFound):
    """No event of this stream is parked here."""


def parked_router(consumers: Sequence[Consumer]) -> APIRouter:
    """`/parked` of one service: list, show, retry, discard."""
    router = APIRouter(tags=["parked events"])
    reader = Annotated[Principal, Depends(require(Role.SUPERVISOR))]
    decider = Annotated[Principal, Depends(require(Role.ADMIN))]

    @router.get("/parked", summary="Parked streams, oldest first")
    async def list_parked(_: reader) -> dict[str, Any]:
        parked: list[Any] = []
        for consumer in consumers:
            parked += await asyncio.to_thread(consumer.parked)
        return {"parked": msgspec.to_builtins(parked)}

    @router.get("/parked/{stream_id}", summary="The parked events of one stream")
    async def show_parked(stream_id: UUID, _: reader) -> dict[str, Any]:
        events: list[dict[str, Any]] = []
        for consumer in consumers:
            events += await asyncio.to_thread(consumer.parked_events, stream_id)
        if not events:
            raise NothingParked("No event of this stream is parked here.")
        return {"stream_id": str(stream_id), "events": events}

    @router.post("/parked/{stream_id}/retry", summary="Handle a stream's parked events again")
    async def retry_parked(stream_id: UUID, principal: decider) -> dict[str, Any]:
        return await decide(stream_id, principal, discard_first=False)

    @router.post(
        "/parked/{stream_id}/discard",
        summary="Give up the event that failed, and handle those behind it",
    )
    async def discard_parked(stream_id: UUID, principal: decider) -> dict[str, Any]:
        return await decide(stream_id, principal, discard_first=True)

    async def decide(
        stream_id: UUID, principal: Principal, *, discard_first: bool
    ) -> dict[str, Any]:
        left = 0
        is_found = False
        for consumer in consumers:
            if not await asyncio.to_thread(consumer.parked_events, stream_id):
                continue
            is_found = True
            left += await asyncio.to_thread(
                consumer.retry_parked, stream_id, discard_first=discard_first
            )
        if not is_found:
            raise NothingParked("No event of this stream is parked here.")
        log.info(
            "parked_decided",
            stream_id=str(stream_id),
            discarded=discard_first,
            by=principal.id,
            still_parked=left,
        )
        return {"stream_id": str(stream_id), "still_parked": left}

    return router
