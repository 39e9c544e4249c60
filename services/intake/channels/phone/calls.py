"""The log of calls: each is stored once, with the ticket or note that came of it in the same transaction."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from services.intake import people
from services.intake.app import Asking, Intake, Tx
from services.intake.channels import threads
from services.intake.channels.counting import received
from services.intake.channels.installed import Phone, PhoneLine
from services.intake.channels.phone.call import Call, Done, outcome, subject, words
from services.intake.channels.phone.numbers import e164
from services.intake.domain import OpenTicket, Ticket
from services.intake.domain.commands import AddCustomerReply, AddNote
from services.intake.domain.status import ENDED
from shared.database import Transaction
from shared.events import Actor, ActorKind, Channel
from shared.events.tickets import Person
from shared.eventstore import Claim, EventStore, Outcome
from shared.identifiers import new_id

SOURCE: Final = "phone"
LISTED_MAX: Final = 200


class CallDone(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a call has come to, and why. `kept`: it is in the log and on no ticket."""

    id: UUID
    done: Done
    why: str
    ticket_id: UUID | None = None
    number: int | None = None
    version: int | None = None


class Logged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A call as the log has it."""

    id: UUID
    call_id: str
    direction: str
    caller: str
    callee: str
    started_at: Any
    ended_at: Any
    done: str
    why: str
    answered_at: Any = None
    agent_id: str | None = None
    recording: str | None = None
    ticket_id: UUID | None = None
    number: int | None = None


class PhoneCalls:
    """Calls in.

    Args:
        intake: the verbs.
        phone: our lines.
    """

    def __init__(self, intake: Intake, phone: Phone) -> None:
        self.region = phone.region
        self._intake = intake
        self._joins_within = timedelta(hours=phone.joins_within_hours)
        self._default = phone.lines[0] if phone.lines else PhoneLine(number="")
        self._lines = {
            e164(one.number, phone.region, field=f"phone.lines[{place}].number"): one
            for place, one in enumerate(phone.lines)
        }

    async def receive(
        self, call: Call, said: bytes, reporter: Actor, correlation_id: str
    ) -> Outcome[CallDone]:
        """Store the call and what follows from it; the same call again gets the first answer.

        Args:
            call: what happened.
            said: the report itself: a second one under the same id must say the same.
            reporter: who reports it, usually the exchange's machine account.
            correlation_id: of the request.

        Raises:
            KeyReused: another call was reported under this id.
            NotFound: it names a ticket that does not exist.
        """

        def work(tx: Tx) -> CallDone:
            return _Taking(self, tx, call, reporter, correlation_id).work()

        claim = Claim.of(SOURCE, call.call_id, said)
        outcome = await self._intake.together(work, CallDone, claim=claim)
        received(Channel.PHONE, outcome)
        return outcome

    def line(self, number: str) -> PhoneLine:
        """Ours with this number."""
        return self._lines.get(number, self._default)

    def still_joins(self, thread: threads.Thread, call: Call) -> bool:
        """Whether a call so long after the last one belongs to the same ticket."""
        return call.started_at - thread.heard_at <= self._joins_within

    @property
    def intake(self) -> Intake:
        """The verbs."""
        return self._intake


class _Taking:
    """One call in its transaction. Decides first and writes last."""

    def __init__(
        self, calls: PhoneCalls, tx: Tx, call: Call, reporter: Actor, correlation_id: str
    ) -> None:
        self._calls, self._tx, self._call = calls, tx, call
        self._line = calls.line(call.our_number)
        self._reporter, self._correlation_id = reporter, correlation_id
        self._person = self._customer()

    def work(self) -> CallDone:
        call, ticket = self._call, self._ticket()
        done, why = outcome(call, self._line, has_open_ticket=ticket is not None)
        match done:
            case "opened":
                ticket = self._open()
            case "replied":
                assert ticket is not None, "it is the caller's open one"
                ticket = self._reply(ticket)
            case "noted":
                assert ticket is not None, "it was found or named"
                ticket = self._note(ticket)
            case "kept":
                ticket = None
        return self._written(done, why, ticket)

    def _customer(self) -> Person:
        address = people.tel(self._call.customers_number)
        named = self._call.person
        if named is not None and named.id != address:
            return named
        known = people.find(self._tx, (address,))
        return known or Person(id=address, name=named.name if named else None)

    def _ticket(self) -> Ticket | None:
        call, intake = self._call, self._calls.intake
        if call.ticket_id is not None:
            return intake.load(self._tx, call.ticket_id, self._asking(self._reporter))
        thread = threads.find(self._tx, SOURCE, call.customers_number)
        if thread is None or not self._calls.still_joins(thread, call):
            return None
        ticket = intake.standing(self._tx, thread.ticket_id)
        return None if ticket is None or ticket.category in ENDED else ticket

    def _open(self) -> Ticket:
        call, line, tx = self._call, self._line, self._tx
        is_outbound = call.direction.value == "outbound"
        command = OpenTicket(
            ticket_id=new_id(),
            message_id=new_id(),
            subject=subject(call),
            body=words(call, line, is_public=True),
            requester=self._calls.intake.contacts.introduced(tx, self._person),
            priority=line.priority,
            ticket_type=line.ticket_type,
            tags=line.tags,
            fields={
                **line.fields,
                "phone_wait_seconds": round(call.wait_seconds, 1),
                "phone_talk_seconds": round(call.talk_seconds, 1),
            },
            is_outbound=is_outbound,
            asks_nothing=True,
        )
        actor = self._agent() if is_outbound else self._caller()
        event = self._calls.intake.opening(tx, command, self._asking(actor))
        ticket = tx.state(event.ticket_id)
        assert ticket is not None, "it has just been opened"
        if call.recording or call.summary:
            ticket = self._note(ticket)
        return ticket

    def _reply(self, ticket: Ticket) -> Ticket:
        body = words(self._call, self._line, is_public=True)
        command = AddCustomerReply(message_id=new_id(), body=body)
        asking = self._asking(self._caller())
        after = self._calls.intake.changing(self._tx, ticket.id, command, asking)
        return self._note(after) if self._call.recording else after

    def _note(self, ticket: Ticket) -> Ticket:
        body = words(self._call, self._line, is_public=False)
        command = AddNote(message_id=new_id(), body=body)
        asking = self._asking(self._agent())
        return self._calls.intake.changing(self._tx, ticket.id, command, asking)

    def _written(self, done: Done, why: str, ticket: Ticket | None) -> CallDone:
        call, tx = self._call, self._tx
        if call.person is not None:
            address = people.tel(call.customers_number)
            asking = self._asking(self._reporter)
            self._calls.intake.introducing(tx, (address,), self._person, asking)
        if ticket is not None:
            heard_at = call.started_at
            threads.put(tx, SOURCE, call.customers_number, ticket, heard_at=heard_at)
        logged = CallDone(
            id=new_id(),
            done=done,
            why=why,
            ticket_id=ticket.id if ticket else None,
            number=ticket.number if ticket else None,
            version=ticket.version if ticket else None,
        )
        _log(tx, call, logged)
        return logged

    def _asking(self, actor: Actor) -> Asking:
        return Asking(actor=actor, via=Channel.PHONE, correlation_id=self._correlation_id)

    def _caller(self) -> Actor:
        return Actor(kind=ActorKind.CUSTOMER, id=self._person.id, name=self._person.name)

    def _agent(self) -> Actor:
        call = self._call
        if call.agent_id is None:
            return self._reporter
        name = call.agent_name
        return replace(self._reporter, kind=ActorKind.AGENT, id=call.agent_id, name=name)


async def listed(
    store: EventStore[Any],
    *,
    number: str | None,
    ticket_id: UUID | None,
    before: UUID | None,
    limit: int,
) -> list[Logged]:
    """Calls, newest first; of one number, or of one ticket."""
    pool = await store.pool()
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT id, call_id, direction, caller, callee, started_at, answered_at, ended_at,"
            " agent_id, recording, done, why, ticket_id, number FROM phone_calls"
            " WHERE (%(number)s::text IS NULL OR caller = %(number)s OR callee = %(number)s)"
            " AND (%(ticket)s::uuid IS NULL OR ticket_id = %(ticket)s)"
            " AND (%(before)s::uuid IS NULL OR id < %(before)s) ORDER BY id DESC LIMIT %(limit)s",
            {"number": number, "ticket": ticket_id, "before": before, "limit": limit},
        )
        return [Logged(**row) async for row in found]


def _log(tx: Transaction, call: Call, done: CallDone) -> None:
    tx.cursor.execute(
        "INSERT INTO phone_calls (id, call_id, direction, caller, callee, started_at, answered_at,"
        " ended_at, agent_id, recording, done, why, ticket_id, number, recorded_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            done.id, call.call_id, call.direction, call.caller, call.callee, call.started_at,
            call.answered_at, call.ended_at, call.agent_id, call.recording, done.done, done.why,
            done.ticket_id, done.number, tx.now,
        ),
    )  # fmt: skip
