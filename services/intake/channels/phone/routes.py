"""`/v1/channels/phone/calls`: calls in from the exchange or an agent's softphone, and the log of them."""

import itertools
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request, Response
from msgspec import Meta

from services.intake.api.words import Email, Identity, Moment, Name, Summary
from services.intake.channels.installed import ChannelIsOff
from services.intake.channels.phone.call import Call, Direction
from services.intake.channels.phone.calls import LISTED_MAX, CallDone, Logged, PhoneCalls, listed
from services.intake.channels.phone.numbers import e164
from services.intake.people import tel
from shared.clock import Clock
from shared.errors import FieldError, Invalid
from shared.events.tickets import Person
from shared.eventstore import EventStore
from shared.http.bodies import json_answer, read_json
from shared.http.openapi import openapi_body
from shared.http.origin import Origin
from shared.security import Principal, Role, authenticate

_Number = Annotated[str, Meta(min_length=3, max_length=40)]
_Url = Annotated[str, Meta(pattern=r"^https?://[^\s]+$", max_length=2_000)]
_CREATED: Final = 201


class CallAgent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who spoke for us."""

    id: Identity
    name: Name | None = None


class CallCustomer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The customer, if known. `id` left away: the person of the number. What is said here is remembered for it."""

    id: Identity | None = None
    name: Name | None = None
    email: Email | None = None


class PhoneCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A call that is over.

    `call_id`: of the exchange. `answered_at` left away: nobody answered. `agent`: who spoke; only machine accounts name
    another than the caller. `ticket_id`: what it was about.
    """

    call_id: Identity
    direction: Direction
    caller: _Number
    callee: _Number
    started_at: Moment
    ended_at: Moment
    answered_at: Moment | None = None
    agent: CallAgent | None = None
    recording_url: _Url | None = None
    summary: Summary | None = None
    customer: CallCustomer | None = None
    ticket_id: UUID | None = None


class Calls(msgspec.Struct, frozen=True):
    """Calls, newest first; `next`: give it as `before`."""

    calls: list[Logged]
    next: UUID | None = None


def phone_router(calls: PhoneCalls | None, store: EventStore[Any], clock: Clock) -> APIRouter:
    """The addresses of the telephone; `calls` None: it is not switched on."""
    router = APIRouter(prefix="/v1/channels/phone", tags=["channels"])
    documents = openapi_body(
        PhoneCall, answer=CallDone, status=_CREATED, description="What the call has come to."
    )

    @router.post("/calls", status_code=_CREATED, openapi_extra=documents)
    async def take_call(request: Request) -> Response:
        """Log a call. A ticket, a message, a note or nothing comes of it by the line's rule; `why` says it.

        The same call again (by `call_id`) gets the first answer; another one under its id is refused (422).
        """
        principal = await authenticate(request, Role.AGENT)
        phone = _on(calls)
        call = _call(await read_json(request, PhoneCall), phone.region, principal, clock.now())
        origin = Origin.of(request, principal)
        said = msgspec.json.encode(call)
        outcome = await phone.receive(call, said, origin.actor, origin.correlation_id)
        headers = {"Idempotency-Replayed": "true"} if outcome.replayed else {}
        if outcome.result.ticket_id is not None:
            headers["Location"] = f"/v1/tickets/{outcome.result.ticket_id}"
        return json_answer(outcome.result, status=_CREATED, headers=headers)

    @router.get("/calls", openapi_extra=openapi_body(answer=Calls))
    async def list_calls(
        request: Request,
        number: Annotated[str | None, Query(max_length=40)] = None,
        ticket_id: UUID | None = None,
        before: UUID | None = None,
        limit: Annotated[int, Query(ge=1, le=LISTED_MAX)] = 50,
    ) -> Response:
        """The log of calls, newest first: of a number, of a ticket, or all."""
        await authenticate(request, Role.AGENT)
        region = _on(calls).region
        wanted = None if number is None else e164(number, region, field="query number")
        rows = await listed(store, number=wanted, ticket_id=ticket_id, before=before, limit=limit)
        return json_answer(Calls(rows, rows[-1].id if len(rows) == limit else None))

    return router


def _on(calls: PhoneCalls | None) -> PhoneCalls:
    if calls is None:
        raise ChannelIsOff("phone")
    return calls


def _call(body: PhoneCall, region: str | None, principal: Principal, now: datetime) -> Call:
    _check_order(body, now)
    agent_id, agent_name = _agent(body, principal)
    caller = e164(body.caller, region, field="caller")
    callee = e164(body.callee, region, field="callee")
    customers = caller if body.direction is Direction.INBOUND else callee
    return Call(
        call_id=body.call_id,
        direction=body.direction,
        caller=caller,
        callee=callee,
        started_at=body.started_at.astimezone(UTC),
        answered_at=body.answered_at.astimezone(UTC) if body.answered_at else None,
        ended_at=body.ended_at.astimezone(UTC),
        agent_id=agent_id,
        agent_name=agent_name,
        recording=body.recording_url,
        summary=body.summary,
        person=_person(body.customer, tel(customers)),
        ticket_id=body.ticket_id,
    )


def _agent(body: PhoneCall, principal: Principal) -> tuple[str | None, str | None]:
    if body.agent is not None and (principal.may_backdate or body.agent.id == principal.id):
        return body.agent.id, body.agent.name
    if body.agent is not None:
        raise Invalid.of("agent.id", "only machine accounts and admins may name another agent")
    return (None, None) if principal.role is Role.SERVICE else (principal.id, principal.name)


def _person(said: CallCustomer | None, address: str) -> Person | None:
    if said is None:
        return None
    return Person(id=said.id or address, name=said.name, email=said.email)


def _check_order(body: PhoneCall, now: datetime) -> None:
    moments = [("started_at", body.started_at), ("ended_at", body.ended_at)]
    if body.answered_at is not None:
        moments.insert(1, ("answered_at", body.answered_at))
    wrong = [
        FieldError(name, f"lies before {earlier}")
        for (earlier, first), (name, second) in itertools.pairwise(moments)
        if second < first
    ]
    wrong += [
        FieldError(name, "lies in the future")
        for name, moment in moments
        if (moment - now).total_seconds() > 5  # noqa: PLR2004  # how far clocks may differ
    ]
    if wrong:
        detail = "; ".join(f"{one.field} {one.message}" for one in wrong)
        raise Invalid(f"The moments of the call: {detail}", errors=wrong)
