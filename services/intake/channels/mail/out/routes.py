"""`/v1/channels/email/outbox`: mails out, what became of them, and decisions about those that did not arrive."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.intake.app import Asking, Intake, Tx
from services.intake.channels.mail.out import outbox
from services.intake.domain import Ticket
from services.intake.domain.commands import RecordNotDelivered
from shared.errors import Invalid, NotFound, Refused
from shared.events import Channel
from shared.eventstore import EventStore
from shared.http.bodies import json_answer
from shared.http.origin import Origin
from shared.observability.correlation import current_correlation_id, new_correlation_id
from shared.operations import Operation, note_in_events
from shared.security import Role, authenticate

R = TypeVar("R")

STATES: Final = ("waiting", "claimed", "sent", "dead", "discarded")
_DEAD: Final = ("dead",)


class MailIsNotDead(Refused):
    """It waits, is under way, has arrived or was discarded: there is nothing to retry."""

    title = "Mail is not dead"


class MailIsUnderWay(Refused):
    """It is being handed over, or has been: nobody can call it back."""

    title = "Mail is under way or gone"


def outbox_router(  # noqa: C901  # four addresses
    intake: Intake, store: EventStore[Ticket]
) -> APIRouter:
    """The addresses of the outbox.

    Args:
        intake: the verbs, to note on the ticket that a mail was discarded.
        store: where the outbox is.
    """
    router = APIRouter(prefix="/v1/channels/email/outbox", tags=["channels"])

    async def transact(work: Callable[[Tx], R]) -> R:
        return await asyncio.to_thread(store.transact, work)

    @router.get("")
    async def listed(
        request: Request,
        state: Annotated[list[str], Query(max_length=5)] = list(_DEAD),  # noqa: B006  # FastAPI copies it
        ticket_id: UUID | None = None,
        before: UUID | None = None,
        limit: Annotated[int, Query(ge=1, le=outbox.LISTED_MAX)] = 50,
    ) -> Response:
        """Mails out, newest first; without a state those that did not arrive."""
        await authenticate(request, Role.AGENT)
        for one in state:
            if one not in STATES:
                raise Invalid.of("query state", f"must be one of {', '.join(STATES)}")
        rows = await transact(
            lambda tx: outbox.listed(
                tx, states=state, ticket_id=ticket_id, before=before, limit=limit
            )
        )
        return json_answer({"mails": rows, "next": rows[-1]["id"] if len(rows) == limit else None})

    @router.get("/{mail_id}")
    async def show(mail_id: UUID, request: Request) -> Response:
        """One mail out: to whom, how often tried, who has it, who has not, and the server's last words."""
        await authenticate(request, Role.AGENT)
        return json_answer(await transact(lambda tx: _known(tx, mail_id)))

    @router.post("/{mail_id}/retry")
    async def retry(mail_id: UUID, request: Request) -> Response:
        """Send a dead mail again, to those who have not got it."""
        principal = await authenticate(request, Role.SUPERVISOR)

        def work(tx: Tx) -> dict[str, Any]:
            row = _known(tx, mail_id, is_locked=True)
            if row["state"] != "dead":
                raise MailIsNotDead(f"the mail is {row['state']}")
            outbox.send_again(tx, mail_id, by=principal.id)
            _note(tx, Origin.of(request, principal), "mail.retry", row, becomes="waiting")
            return _known(tx, mail_id)

        return json_answer(await transact(work))

    @router.post("/{mail_id}/discard")
    async def discard(mail_id: UUID, request: Request) -> Response:
        """Give a mail up: it is tried no more, and the ticket says so. The same again changes nothing."""
        principal = await authenticate(request, Role.SUPERVISOR)
        correlation_id = current_correlation_id() or new_correlation_id()
        by = Origin.of(request, principal).actor
        asking = Asking(actor=by, via=Channel.API, correlation_id=correlation_id)

        def work(tx: Tx) -> dict[str, Any]:
            row = _known(tx, mail_id, is_locked=True)
            if row["state"] in {"claimed", "sent"}:
                raise MailIsUnderWay(f"the mail is {row['state']}")
            if row["state"] == "waiting":
                command = RecordNotDelivered(
                    message_id=row["message_id"],
                    kind=row["kind"],
                    sent_by=outbox.MailOutbox.name,
                    recipients=(row["recipient"],),
                    cause="discarded",
                    reason=row["last_error"] or "not tried yet",
                )
                intake.changing(tx, row["ticket_id"], command, asking)
            if row["state"] != "discarded":
                outbox.discard(tx, mail_id, by=principal.id)
                _note(tx, Origin.of(request, principal), "mail.discard", row, becomes="discarded")
            return _known(tx, mail_id)

        return json_answer(await transact(work))

    return router


def _note(tx: Tx, origin: Origin, what: str, row: dict[str, Any], *, becomes: str) -> None:
    changes = {"state": (row["state"], becomes)}
    note_in_events(
        tx,
        Operation.by(origin, what, str(row["id"]), ticket_id=row["ticket_id"], changes=changes),
    )


def _known(tx: Tx, mail_id: UUID, *, is_locked: bool = False) -> dict[str, Any]:
    row = outbox.row_of(tx, mail_id, is_locked=is_locked)
    if row is None:
        raise NotFound("there is no such mail in the outbox")
    return row
