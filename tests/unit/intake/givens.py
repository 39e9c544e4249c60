"""Builders that say what was given: tickets with a past, commands, circumstances."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.intake.domain import Command, Context, OpenTicket, Ticket, decide, evolve, open_ticket
from services.intake.domain.commands import (
    AddAgentReply,
    AddCustomerReply,
    ChangeStatus,
    Close,
    Merge,
    Resolve,
)
from shared.events import Actor, ActorKind, Channel, StatusCategory
from shared.events.tickets import Person, TicketEvent

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(hours=2)
TICKET = UUID("01900000-0000-7000-8000-000000000001")
OTHER = UUID("01900000-0000-7000-8000-000000000002")
MESSAGE = UUID("01900000-0000-7000-8000-0000000000aa")

ANNA = Actor(kind=ActorKind.AGENT, id="anna", name="Anna")
BEN = Person(id="ben", name="Ben", email="ben@example.com")


def circumstances(
    *, actor: Actor = ANNA, via: Channel = Channel.AGENT, recorded_at: datetime = LATER
) -> Context:
    return Context(actor=actor, via=via, correlation_id="c-1", recorded_at=recorded_at)


IMPORT = circumstances(via=Channel.IMPORT)


def to_open(**said) -> OpenTicket:
    return OpenTicket(
        **{
            "ticket_id": TICKET,
            "message_id": MESSAGE,
            "subject": "Printer on fire",
            "body": "It burns.",
            "requester": BEN,
        }
        | said
    )


def a_ticket(*commands: Command, number: int = 7, **said) -> Ticket:
    """A ticket opened with `said`, after these commands, each a minute after the one before."""
    first = open_ticket(to_open(**said), number=number, context=IMPORT, at=NOW - timedelta(days=1))
    ticket = evolve(None, first)
    for minute, command in enumerate(commands):
        at = NOW - timedelta(hours=1) + timedelta(minutes=minute)
        ticket = after(ticket, decide(ticket, command, context=circumstances(), at=at))
    return ticket


def after(ticket: Ticket, events: Sequence[TicketEvent]) -> Ticket:
    for event in events:
        ticket = evolve(ticket, event)
    return ticket


def in_status(category: StatusCategory, **said) -> Ticket:
    """A ticket that came to this status by ordinary commands."""
    match category:
        case StatusCategory.NEW:
            return a_ticket(**said)
        case StatusCategory.POSTPONED:
            return a_ticket(postpone(), **said)
        case StatusCategory.SOLVED:
            return a_ticket(Resolve(summary="Put it out"), **said)
        case StatusCategory.CLOSED:
            return a_ticket(Close(reason="confirmed"), **said)
        case _:
            return a_ticket(ChangeStatus(category=category), **said)


def a_merged_ticket() -> Ticket:
    return a_ticket(Merge(into_ticket_id=OTHER, into_number=8))


def postpone(until: datetime = NOW + timedelta(days=3)) -> ChangeStatus:
    return ChangeStatus(category=StatusCategory.POSTPONED, until=until)


def customer_writes(body: str = "Still burning") -> AddCustomerReply:
    return AddCustomerReply(message_id=MESSAGE, body=body)


def agent_writes(body: str = "Use water", **said) -> AddAgentReply:
    return AddAgentReply(message_id=MESSAGE, body=body, **said)


def when(ticket: Ticket, command: Command, *, context: Context | None = None, at: datetime = NOW):
    """What follows from the command, as (class name, the event's own fields that are not defaults)."""
    return [
        told(event) for event in decide(ticket, command, context=context or circumstances(), at=at)
    ]


_STAMP = {
    "message_id",
    "ticket_id",
    "version",
    "occurred_at",
    "recorded_at",
    "actor",
    "via",
    "correlation_id",
    "causation_id",
}


def told(event: TicketEvent) -> tuple[str, dict]:
    own = {name: getattr(event, name) for name in event.__struct_fields__ if name not in _STAMP}
    said = {name: value for name, value in own.items() if value is not None}
    for name in ("attachments", "is_third_party", "sources"):  # most messages have none
        if not said.get(name, True):
            del said[name]
    return type(event).__name__, said
