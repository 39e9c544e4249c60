"""What came of a scenario, told: each decision with its reason, and who has how much."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from services.routing.domain.simulation.scenario import TicketName
from shared.events.assignments import (
    Candidate,
    GroupChanged,
    TicketAssigned,
    TicketEscalated,
    TicketOffered,
    TicketOfferEnded,
    TicketQueued,
    TicketUnassigned,
    TicketWithdrawn,
)
from shared.events.base import Event


class Decided(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One decision about one ticket. `code` is for programs, `why` for people.

    `outcome`: `assigned`, `offered`, `offer_ended`, `queued`, `unassigned`, `withdrawn`, `moved`, `escalated`.
    `code`: the strategy (or `sticky`, `manual`,
    `pull`) of an assignment, the commonest refusal of a queued ticket, else the reason. `refused_counts` counts all
    refused agents by reason; `candidates` names the ten best and the first refused.
    """

    ticket: TicketName
    outcome: str
    code: str
    why: str
    agent: str | None = None
    group: str | None = None
    load_before: float | None = None
    load_after: float | None = None
    capacity: float | None = None
    waited_seconds: float | None = None
    candidates: tuple[Candidate, ...] = ()
    refused_counts: dict[str, int] = {}
    relaxed: tuple[str, ...] = ()
    overflow: tuple[str, ...] = ()
    expires_at: datetime | None = None


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one action. `action` is its place, null where only time went by (`type` `time`).

    `outcome`: that of the last decision about the action's own ticket, else `done` or `unchanged`, or `refused`.
    `decisions`: everything that was set in motion, in order. `loads`: of every agent afterwards. `field`: only of a
    refused action, the path of what it was refused for.
    """

    action: int | None
    type: str
    at: datetime
    ticket: TicketName | None
    outcome: str
    agent: str | None
    code: str
    why: str
    decisions: list[Decided]
    loads: dict[str, float]
    field: str | msgspec.UnsetType = msgspec.UNSET


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket that waits at the end. `reasons`: why nobody had it when it was last told."""

    ticket: TicketName
    group: str | None
    priority: str
    queued_at: datetime
    due_at: datetime | None
    reasons: list[str]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer. `assigned_counts`: how many assignments each agent got; `queue` is in its order (R3)."""

    id: str | int | None
    results: list[Done]
    loads: dict[str, float]
    assigned_counts: dict[str, int]
    queue: list[Waiting]


def tell(events: Iterable[Event], name_of: Callable[[UUID], TicketName]) -> list[Decided]:
    """The decisions among the events, in order."""
    return [one for event in events if (one := _decided(event, name_of)) is not None]


def last_about(decisions: Sequence[Decided], ticket: TicketName | None) -> Decided | None:
    """The last decision about this ticket."""
    return next((one for one in reversed(decisions) if one.ticket == ticket), None)


def _decided(  # noqa: PLR0911  # one for each kind
    event: Event, name_of: Callable[[UUID], TicketName]
) -> Decided | None:
    match event:
        case TicketAssigned() | TicketOffered():
            offered = event if isinstance(event, TicketOffered) else None
            mode = "offer" if isinstance(event, TicketOffered) else event.mode
            return Decided(
                ticket=name_of(event.ticket_id),
                outcome="offered" if offered else "assigned",
                code=event.strategy or mode,
                why=event.why,
                agent=event.agent_id,
                group=event.group_id,
                load_before=event.load_before,
                load_after=event.load_after,
                capacity=event.capacity,
                waited_seconds=event.waited_seconds,
                candidates=event.candidates,
                refused_counts=event.refused_counts,
                relaxed=event.relaxed,
                overflow=event.overflow,
                expires_at=offered.expires_at if offered else None,
            )
        case TicketOfferEnded():
            return Decided(
                ticket=name_of(event.ticket_id),
                outcome="offer_ended",
                code=event.outcome,
                why=event.reason,
                agent=event.agent_id,
                group=event.group_id,
            )
        case TicketEscalated():
            return Decided(
                ticket=name_of(event.ticket_id),
                outcome="escalated",
                code="escalation",
                why=event.reason,
                group=event.group_id,
            )
        case TicketQueued():
            return Decided(
                ticket=name_of(event.ticket_id),
                outcome="queued",
                code=min(event.reasons, key=lambda code: (-event.reasons[code], code)),
                why=event.why,
                group=event.group_id,
                candidates=event.candidates,
                refused_counts=event.reasons,
                relaxed=event.relaxed,
                overflow=event.overflow,
            )
        case TicketUnassigned():
            return Decided(
                ticket=name_of(event.ticket_id),
                outcome="unassigned",
                code=event.reason,
                why=event.why,
                group=event.group_id,
            )
        case TicketWithdrawn():
            return Decided(
                ticket=name_of(event.ticket_id),
                outcome="withdrawn",
                code=event.reason,
                why=f"It needs nobody any more: {event.reason}.",
                group=event.group_id,
                waited_seconds=event.waited_seconds,
            )
        case GroupChanged():
            return Decided(
                ticket=name_of(event.ticket_id),
                outcome="moved",
                code=event.mode,
                why=event.why,
                group=event.group_id,
            )
        case _:
            return None
