"""Parked events over HTTP: what is set aside, why, and what to do with it. For admins."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
import structlog
from fastapi import APIRouter, Depends

from shared.database import Database, Transaction
from shared.errors import NotFound
from shared.eventstore import EventStore
from shared.http.origin import Origin, RequestOrigin
from shared.messaging.consumer import Consumer
from shared.operations import Note, Operation
from shared.security import Principal, Role, require
from shared.topics import Topic

log = structlog.get_logger(__name__)


_OF_TICKETS: Final = frozenset({Topic.TICKETS, Topic.ASSIGNMENTS, Topic.SLA})


class NothingParked(NotFound):
    """No event of this stream is parked here."""


def parked_router(
    consumers: Sequence[Consumer], note: Note, store: Database | EventStore[Any]
) -> APIRouter:
    """`/parked` of one service: list, show, retry, discard.

    Args:
        consumers: whose events are parked.
        note: where decisions are recorded, and who read what is parked: it may be of a sensitive ticket.
        store: of the service.
    """
    router = APIRouter(tags=["parked events"])
    reader = Annotated[Principal, Depends(require(Role.SUPERVISOR))]
    deciders = [Depends(require(Role.ADMIN))]

    @router.get("/parked", summary="Parked streams, oldest first")
    async def list_parked(_: reader) -> dict[str, Any]:
        parked: list[Any] = []
        for consumer in consumers:
            parked += await asyncio.to_thread(consumer.parked)
        return {"parked": msgspec.to_builtins(parked)}

    @router.get("/parked/{stream_id}", summary="The parked events of one stream")
    async def show_parked(stream_id: UUID, _: reader, origin: RequestOrigin) -> dict[str, Any]:
        events: list[dict[str, Any]] = []
        for consumer in consumers:
            events += await asyncio.to_thread(consumer.parked_events, stream_id)
        if not events:
            raise NothingParked("No event of this stream is parked here.")
        read = _operation(origin, "parked.read", events, stream_id, parked=(None, len(events)))
        await asyncio.to_thread(store.transact, lambda tx: note(tx, read))
        return {"stream_id": str(stream_id), "events": events}

    @router.post(
        "/parked/{stream_id}/retry",
        summary="Handle a stream's parked events again",
        dependencies=deciders,
    )
    async def retry_parked(stream_id: UUID, origin: RequestOrigin) -> dict[str, Any]:
        return await decide(stream_id, origin, discard_first=False)

    @router.post(
        "/parked/{stream_id}/discard",
        summary="Give up the event that failed, and handle those behind it",
        dependencies=deciders,
    )
    async def discard_parked(stream_id: UUID, origin: RequestOrigin) -> dict[str, Any]:
        return await decide(stream_id, origin, discard_first=True)

    async def decide(stream_id: UUID, origin: Origin, *, discard_first: bool) -> dict[str, Any]:
        left = 0
        is_found = False
        for consumer in consumers:
            parked = await asyncio.to_thread(consumer.parked_events, stream_id)
            if not parked:
                continue
            is_found = True
            what = "parked.discard" if discard_first else "parked.retry"
            left += await asyncio.to_thread(
                consumer.retry_parked,
                stream_id,
                discard_first=discard_first,
                note=partial(_record, note, origin, what, parked, stream_id),
            )
        if not is_found:
            raise NothingParked("No event of this stream is parked here.")
        log.info(
            "parked_decided",
            stream_id=str(stream_id),
            discarded=discard_first,
            by=origin.actor.id,
            still_parked=left,
        )
        return {"stream_id": str(stream_id), "still_parked": left}

    return router


def _record(
    note: Note,
    origin: Origin,
    what: str,
    parked: Sequence[dict[str, Any]],
    stream_id: UUID,
    tx: Transaction,
    left: int,
) -> None:
    changes: dict[str, tuple[Any, Any]] = {"parked": (len(parked), left)}
    if what == "parked.discard":
        changes["event"] = (f"{parked[0]['type']} {parked[0]['version']}", None)
    note(tx, _operation(origin, what, parked, stream_id, **changes))


def _operation(
    origin: Origin,
    what: str,
    events: Sequence[dict[str, Any]],
    stream_id: UUID,
    **changes: tuple[Any, Any],
) -> Operation:
    ticket_id = stream_id if events[0]["topic"] in _OF_TICKETS else None
    return Operation.by(origin, what, str(stream_id), ticket_id=ticket_id, changes=changes)
