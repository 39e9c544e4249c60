"""A ticket as routing sees it: what it needs, where it waits, who has it."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from services.routing.domain.agent import OPEN
from shared.events.base import Priority, StatusCategory

RANKS: Final = {priority: rank for rank, priority in enumerate(Priority)}
PRIORITIES: Final = tuple(Priority)

_NEVER: Final = float("inf")


class Facts(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What rules may ask about a ticket. The text of the opening message is known only while it opens."""

    channel: str
    subject: str = ""
    body: str = ""
    ticket_type: str | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    fields: dict[str, Any] = {}
    requester_id: str | None = None
    requester_email: str | None = None
    organization: str | None = None
    tier: str | None = None
    is_outbound: bool = False


class Ticket(msgspec.Struct, kw_only=True):
    """One ticket. It is known once intake's opening event was seen (`ticket_version` > 0).

    Attributes:
        version: of the ticket's stream here (assignments). `ticket_version`: of its stream in intake.
        rank: of the priority; the higher, the more urgent.
        lane: the queue lane it waits in; None when it does not wait.
        strategy: how it is shared out when a rule says so; None for the group's own way.
        queued_at: when it began to need somebody. It stays the same while it is handed on (R9).
        generation: how often it began to wait; names the decision (R13).
        refusals: the reason codes of the last `TicketQueued`, sorted (R8).
        dues: open SLA deadlines by metric; `due_at` is the earliest (R3).
        excluded: agents who gave it back (R4).
        channel: through which it came.
        units: the room that it takes now, in the hands of its agent or of the one to whom it is offered; else 0.
        optional: skills that are liked: name → level (R7).
        step: how many widening steps of its group it has taken in this wait, which began at `waits_since` (R7).
        is_by_hand: somebody gave it to its agent, so no rule takes it away until it is solved (R11).
        is_group_by_hand: somebody chose its group, so rules leave it there.
        is_raised: an SLA warning put it before the others (R16).
        overdue_since: `queued_at`, once it waits longer than its group allows: before all others, the longest first.
        offered_to: whom it is offered, from `offered_at` until `offer_until` (R10).
        declined: agents who declined the offer, let it or the lease run out, or skipped it; forgotten at `forgive_at`,
            if nobody else can take it then (R10).
        lease_until: it was asked for, and goes back if it is still untouched then.
        holders: all who had it, first to last. `escalation_count`: how often it went a tier up.
        timer_at: the first moment at which time alone does something to it; see `timing.next_moment`.
        is_held: imported and left alone by live routing until the import has ended and settled.
        touched_at: when we last heard of it.
        opened_at: when it came, in the world.
        trail: what was added to it in this transaction; see `trail`.
        facts: what the rules ask; None when it was not loaded.
    """

    ticket_id: UUID
    version: int = 0
    ticket_version: int = 0
    number: int | None = None
    external_id: str | None = None
    requester_id: str | None = None
    rank: int = 1
    category: StatusCategory = StatusCategory.NEW
    group_id: str | None = None
    agent_id: str | None = None
    skills: dict[str, int] = {}
    rule: str | None = None
    rules_version: int | None = None
    strategy: str | None = None
    lane: int | None = None
    queued_at: datetime | None = None
    generation: int = 0
    refusals: str = ""
    due_at: datetime | None = None
    dues: dict[str, datetime] = {}
    excluded: tuple[str, ...] = ()
    is_held: bool = False
    touched_at: datetime | None = None
    facts: Facts | None = None
    channel: str = "api"
    units: float = 0.0
    optional: dict[str, int] = {}
    step: int = 0
    waits_since: datetime | None = None
    is_by_hand: bool = False
    is_raised: bool = False
    overdue_since: datetime | None = None
    offered_to: str | None = None
    offered_at: datetime | None = None
    offer_until: datetime | None = None
    declined: tuple[str, ...] = ()
    forgive_at: datetime | None = None
    lease_until: datetime | None = None
    holders: tuple[str, ...] = ()
    escalation_count: int = 0
    is_group_by_hand: bool = False
    timer_at: datetime | None = None
    opened_at: datetime | None = None
    trail: tuple[tuple[datetime, str, str], ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether intake's opening event has been seen."""
        return self.ticket_version > 0

    @property
    def needs_agent(self) -> bool:
        """Whether somebody should have it in hand now."""
        return self.category in OPEN and not self.is_held

    @property
    def priority(self) -> Priority:
        """The priority in words."""
        return PRIORITIES[self.rank]


def queue_key(ticket: Ticket) -> tuple[float, ...]:
    """The order of the queue (R3): longest overdue, raised by a warning (R16), most urgent, earliest due, longest wait.

    So nobody starves where a group sets `wait_seconds_max`: once overdue, only those who wait longer come before.
    The table's index `tickets_waiting` has the same order.
    """
    return (
        ticket.overdue_since.timestamp() if ticket.overdue_since else _NEVER,
        not ticket.is_raised,
        -ticket.rank,
        ticket.due_at.timestamp() if ticket.due_at else _NEVER,
        ticket.queued_at.timestamp() if ticket.queued_at else _NEVER,
        ticket.ticket_id.int,
    )
