"""One telephone call and what it comes to. Pure."""

from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

import msgspec

from services.intake.channels.installed import PhoneLine
from services.intake.channels.phone.numbers import for_people
from shared.events.tickets import Person

Done = Literal["opened", "replied", "noted", "kept"]


class Direction(StrEnum):
    """Who called: the customer (`inbound`) or we (`outbound`)."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A call that is over. Numbers in E.164, moments aware UTC.

    Attributes:
        call_id: of the exchange; the same call reported again is known by it.
        answered_at: None: nobody answered.
        agent_id, agent_name: who spoke for us.
        recording: address of the recording, for people who work here.
        summary: what was said, in the agent's words.
        person: the customer, if whoever reports the call knows.
        ticket_id: what it was about, if known.
    """

    call_id: str
    direction: Direction
    caller: str
    callee: str
    started_at: datetime
    ended_at: datetime
    answered_at: datetime | None = None
    agent_id: str | None = None
    agent_name: str | None = None
    recording: str | None = None
    summary: str | None = None
    person: Person | None = None
    ticket_id: UUID | None = None

    @property
    def customers_number(self) -> str:
        """The number on the customer's side."""
        return self.caller if self.direction is Direction.INBOUND else self.callee

    @property
    def our_number(self) -> str:
        """The number on our side."""
        return self.callee if self.direction is Direction.INBOUND else self.caller

    @property
    def was_missed(self) -> bool:
        """The customer called and nobody answered."""
        return self.direction is Direction.INBOUND and self.answered_at is None

    @property
    def wait_seconds(self) -> float:
        """How long it rang: until the answer, or until somebody hung up."""
        return ((self.answered_at or self.ended_at) - self.started_at).total_seconds()

    @property
    def talk_seconds(self) -> float:
        """How long they spoke."""
        if self.answered_at is None:
            return 0.0
        return (self.ended_at - self.answered_at).total_seconds()


def outcome(  # noqa: PLR0911 - one line a case
    call: Call, line: PhoneLine, *, has_open_ticket: bool
) -> tuple[Done, str]:
    """What becomes of the call, and why in words.

    `has_open_ticket`: it names a ticket, or the caller has one from an earlier call that is still open.
    """
    if call.ticket_id is not None:
        return "noted", "the call names the ticket"
    if has_open_ticket and call.was_missed:
        return "replied", "the caller has an open ticket and was not answered"
    if has_open_ticket:
        return "noted", "the number has an open ticket from an earlier call"
    if call.direction is Direction.OUTBOUND:
        if line.outbound_opens and call.answered_at is not None:
            return "opened", "answered calls out open a ticket on this line"
        return "kept", "calls out open no ticket on this line"
    if line.opens == "always" or (line.opens == "missed" and call.was_missed):
        return "opened", f"rule of the line: {line.opens}"
    return "kept", f"rule of the line: {line.opens}"


def subject(call: Call) -> str:
    """The subject of its ticket."""
    other = call.person.name if call.person and call.person.name else None
    other = other or for_people(call.customers_number)
    if call.direction is Direction.OUTBOUND:
        return f"Call to {other}"
    return f"Missed call from {other}" if call.was_missed else f"Call from {other}"


def words(call: Call, line: PhoneLine, *, is_public: bool) -> str:
    """What happened, for the ticket. Recording and summary only where no customer reads (`is_public` false)."""
    ours = for_people(call.our_number) + (f" ({line.name})" if line.name else "")
    theirs = for_people(call.customers_number)
    way = f"{theirs} to {ours}" if call.direction is Direction.INBOUND else f"{ours} to {theirs}"
    rang = f"It rang for {_length(call.wait_seconds)}"
    if call.answered_at is None:
        ended = f"{rang}, nobody answered."
    else:
        by = call.agent_name or call.agent_id
        who = f" by {by}" if by and call.direction is Direction.INBOUND else ""
        ended = f"{rang}, was answered{who} and lasted {_length(call.talk_seconds)}."
    lines = [f"Call from {way}.", ended]
    if not is_public:
        lines += [f"Recording: {call.recording}"] if call.recording else []
        lines += ["", call.summary] if call.summary else []
    return "\n".join(lines)


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
