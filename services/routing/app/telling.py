"""The decisions about a ticket, told in plain words: one sentence for each, oldest first. Pure."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from shared.events.assignments import (
    GroupChanged,
    MoveRefused,
    TicketAssigned,
    TicketEscalated,
    TicketOffered,
    TicketOfferEnded,
    TicketQueued,
    TicketSkipped,
    TicketUnassigned,
    TicketWithdrawn,
)
from shared.events.base import Event


class Told(msgspec.Struct, frozen=True):
    """One decision. `by`: the person, or `routing`."""

    at: datetime
    by: str
    said: str


def tell(events: Iterable[Event]) -> list[Told]:
    """Everything that was decided."""
    return [
        Told(event.recorded_at, event.actor.name or event.actor.id, said)
        for event in events
        if (said := _sentence(event)) is not None
    ]


def _sentence(event: Event) -> str | None:  # noqa: PLR0911  # one for each kind
    match event:
        case GroupChanged():
            return f"Group {event.group_id or 'none'}: {event.why}"
        case TicketQueued():
            waited = f" It has waited {event.waited_seconds:.0f} s." if event.waited_seconds else ""
            return f"In the queue of {event.group_id or 'no group'}: {event.why}{waited}"
        case TicketAssigned():
            return f"{event.agent_name or event.agent_id} has it: {event.why}{_ruled(event)}"
        case TicketOffered():
            return (
                f"Offered to {event.agent_name or event.agent_id} until {event.expires_at:%H:%M:%S} UTC:"
                f" {event.why}{_ruled(event)}"
            )
        case TicketOfferEnded():
            reason = f": {event.reason}" if event.reason else ""
            return f"The offer to {event.agent_id} was {event.outcome}{reason}"
        case TicketUnassigned():
            return f"{event.previous_agent_id} no longer has it: {event.why or event.reason}"
        case TicketSkipped():
            return f"{event.agent_id} skipped it: {event.reason}"
        case TicketEscalated():
            had = f" It was with {', '.join(event.agents)}." if event.agents else ""
            return f"Escalated to {event.group_id}: {event.reason}.{had}"
        case MoveRefused():
            return f"Not moved to {event.asked_group_id or 'the next tier'}: {event.why}"
        case TicketWithdrawn():
            return f"It needs nobody any more: {event.reason}."
        case _:
            return None


def _ruled(event: TicketAssigned | TicketOffered) -> str:
    said = f" Load {event.load_before:g} before, {event.load_after:g} after."
    if event.waited_seconds:
        said += f" It had waited {event.waited_seconds:.0f} s."
    if event.rule is not None:
        said += f" Rule {event.rule}, version {event.rules_version}."
    return said
