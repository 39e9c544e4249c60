"""`/v1/channels/messengers`: webhooks in, each signed in its own way; what left, and what could not."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import PlainTextResponse

from services.intake.channels.conversations import outbox
from services.intake.channels.installed import ChannelIsOff
from services.intake.channels.messengers.kind import Forged, Messenger
from services.intake.channels.messengers.media import MediaIn
from services.intake.channels.messengers.receiving import MessengersIn, claim_of
from services.intake.channels.messengers.whatsapp import WhatsAppAdapter
from services.intake.domain import Ticket
from shared.clock import Clock
from shared.events.messages import AttachedFile
from shared.eventstore import EventStore, EventTransaction
from shared.http.bodies import json_answer
from shared.http.origin import Origin
from shared.observability.correlation import current_correlation_id, new_correlation_id
from shared.operations import Operation, note_in_events
from shared.security import Role, authenticate

_NO_CONTENT: Final = 204


def messenger_router(
    receiving: MessengersIn,
    media: MediaIn,
    messengers: Mapping[str, Messenger],
    store: EventStore[Ticket],
    clock: Clock,
) -> APIRouter:
    """The addresses of messengers."""
    router = APIRouter(prefix="/v1/channels/messengers", tags=["channels"])

    def adapter(kind: str, name: str) -> Messenger:
        found = messengers.get(f"{kind}:{name}")
        if found is None:
            raise ChannelIsOff(f"{kind} {name}")
        return found

    @router.get("/outbox", summary="Replies that leave by messengers, newest first.")
    async def list_outbox(
        request: Request,
        state: outbox.State | None = None,
        ticket_id: UUID | None = None,
        limit: Annotated[int, Query(ge=1, le=outbox.LISTED_MAX)] = 50,
    ) -> Response:
        """With what the messenger told of each (`delivery`) and why it did not leave (`last_error`)."""
        await authenticate(request, Role.AGENT)
        rows = await outbox.listed(store, state=state, ticket_id=ticket_id, limit=limit)
        return json_answer({"messages": rows})

    @router.post(
        "/outbox/{id}/{decision}",
        summary="Let a dead message try again, or lay it aside.",
        status_code=_NO_CONTENT,
    )
    async def decide(id: UUID, decision: Literal["retry", "discard"], request: Request) -> Response:  # noqa: A002
        """For messages that were given up; all parts of the same reply go together."""
        origin = Origin.of(request, await authenticate(request, Role.SUPERVISOR))
        state: Literal["waiting", "discarded"] = "waiting" if decision == "retry" else "discarded"

        def work(tx: EventTransaction[Ticket]) -> None:
            ticket_id = outbox.decide(tx, id, state)
            changes = {"state": ("dead", state)}
            done = Operation.by(
                origin, f"message.{decision}", str(id), ticket_id=ticket_id, changes=changes
            )
            note_in_events(tx, done)

        await asyncio.to_thread(store.transact, work)
        return Response(status_code=_NO_CONTENT)

    @router.get("/{kind}/{name}", summary="Confirm a webhook, as Meta asks.")
    async def confirm(kind: str, name: str, request: Request) -> Response:
        """The challenge goes back when the verify token is ours."""
        found = adapter(kind, name)
        if not isinstance(found, WhatsAppAdapter):
            raise Forged("Only WhatsApp asks like this.", field="path kind")
        said = request.query_params
        challenge = found.confirm(
            said.get("hub.mode", ""),
            said.get("hub.verify_token", ""),
            said.get("hub.challenge", "")[:200],
        )
        return PlainTextResponse(challenge, headers={"X-Content-Type-Options": "nosniff"})

    @router.post("/{kind}/{name}", summary="A webhook of a messenger.")
    async def receive_message(kind: str, name: str, request: Request) -> Response:
        """Signed as the messenger signs. Answered after everything in it is stored; repeated ones change nothing."""
        found = adapter(kind, name)
        read = found.read(await request.body(), request.headers, clock.now())
        correlation_id = current_correlation_id() or new_correlation_id()
        answers: list[Any] = []
        for message in read.messages:  # one after the other: they stand in their order
            files: tuple[AttachedFile, ...] = ()
            if message.media and not await store.is_claimed(claim_of(found, message)):
                files = await media.kept(found, message, clock.now())
            outcome = await receiving.receive(found, message, files, correlation_id)
            answers.append(outcome.result)
        for one in read.told:
            await receiving.hear(found, one, correlation_id)
        return json_answer(
            {"messages": answers, "told": len(read.told), "passed_over": read.passed_over}
        )

    return router
