"""The limit for creates: a FastAPI handler that stores the same event with the same group commit, and nothing else.

No domain, no token check, no idempotency, no logs, no metrics: what is left is the price of HTTP, JSON and one
durable insert on this machine.
"""

import asyncio
import queue
import threading
from datetime import UTC, datetime
from typing import Final

import msgspec
import psycopg
from fastapi import FastAPI, Request, Response

from services.intake.api.bodies import Open
from shared.events import Actor, ActorKind, Channel, StatusCategory
from shared.events.tickets import Person, TicketOpened
from shared.identifiers import new_id

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS bare_events (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    topic text,
    state bytea,
    notification_id bigserial,
    PRIMARY KEY (originator_id, originator_version)
) WITH (autovacuum_vacuum_insert_threshold = -1);
CREATE UNIQUE INDEX IF NOT EXISTS bare_events_notification_id ON bare_events (notification_id ASC);
"""
"""The event table of the product's own store, column for column and index for index."""

_INSERT: Final = (
    "INSERT INTO bare_events (originator_id, originator_version, topic, state)"
    " SELECT * FROM unnest(%b::uuid[], %b::bigint[], %b::text[], %b::bytea[])"
)
_GROUP_MAX: Final = 500
_ACTOR: Final = Actor(ActorKind.SERVICE, "bench")
_DECODE: Final = msgspec.json.Decoder(Open).decode
_ENCODE: Final = msgspec.json.Encoder().encode

_Waiting = tuple[TicketOpened, "asyncio.Future[None]"]


class Writer:
    """One thread, one connection; while it commits, the next group gathers."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._queue: queue.SimpleQueue[_Waiting] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to write; call it in the event loop."""
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, name="bare-writer", daemon=True).start()

    async def store(self, event: TicketOpened) -> None:
        """Return when the event is stored for good."""
        assert self._loop is not None, "start() comes first"
        future = self._loop.create_future()
        self._queue.put((event, future))
        await future

    def _run(self) -> None:
        assert self._loop is not None
        with psycopg.connect(self._url) as connection:
            while True:
                group = [self._queue.get()]
                while len(group) < _GROUP_MAX and not self._queue.empty():
                    group.append(self._queue.get())
                connection.execute(
                    _INSERT,
                    (
                        [event.ticket_id for event, _ in group],
                        [event.version for event, _ in group],
                        [event.wire_type for event, _ in group],
                        [_ENCODE(event) for event, _ in group],
                    ),
                )
                connection.commit()
                self._loop.call_soon_threadsafe(_settle, [future for _, future in group])


def _settle(futures: list["asyncio.Future[None]"]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


def bare_app(database_url: str) -> FastAPI:
    """The application with its one handler."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    writer = Writer(database_url)

    @app.get("/readyz")
    async def ready() -> Response:
        return Response()

    @app.post("/v1/tickets")
    async def open_ticket(request: Request) -> Response:
        body = _DECODE(await request.body())
        event = _event(body)
        await writer.store(event)
        return Response(
            _ENCODE({"ticket_id": event.ticket_id, "number": event.number, "version": 1}),
            status_code=201,
            headers={"Location": f"/v1/tickets/{event.ticket_id}"},
            media_type="application/json",
        )

    app.state.writer = writer
    return app


def _event(body: Open) -> TicketOpened:
    """The same JSON that intake would store, so that the same bytes travel to the disk."""
    assert body.requester is not None, "the load names one"
    now = datetime.now(UTC)
    return TicketOpened(
        version=1,
        occurred_at=now,
        recorded_at=now,
        actor=_ACTOR,
        via=Channel.API,
        correlation_id=new_id().hex,
        ticket_id=new_id(),
        number=1,
        subject=body.subject,
        message_id=new_id(),
        body=body.body,
        requester=Person(
            body.requester.id,
            body.requester.name,
            body.requester.email,
            body.requester.organization,
        ),
        priority=body.priority,
        category=StatusCategory.NEW,
        ticket_type=body.ticket_type,
        tags=body.tags,
    )
