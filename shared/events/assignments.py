"""Events of routing about a ticket: which group, which agent, and why. Stream = ticket."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

import msgspec

from shared.events.base import Event, Owner, Priority


class Candidate(msgspec.Struct, frozen=True, omit_defaults=True):
    """An agent who was looked at. `refused`: reason code why not (R4); `score`: what the strategy compared."""

    agent_id: str
    load: float
    capacity: float | None = None
    score: float | None = None
    refused: str | None = None


class _AssignmentEvent(Event, frozen=True, kw_only=True):
    OWNER: ClassVar[Owner] = Owner.ROUTING

    ticket_id: UUID

    @property
    def stream_id(self) -> UUID:
        return self.ticket_id


class GroupChanged(_AssignmentEvent, frozen=True, kw_only=True, tag="assignment.group_changed.v1"):
    """The ticket belongs to another group. `mode`: `rule`, `manual`, `import`. `why` is one plain sentence."""

    group_id: str | None
    previous_group_id: str | None
    mode: str
    why: str
    rule: str | None = None
    rules_version: int | None = None


class TicketQueued(_AssignmentEvent, frozen=True, kw_only=True, tag="assignment.queued.v1"):
    """Nobody can take it now; it waits. `reasons` counts the agents refused for each reason (R4, R8).

    `queued_at` is when the wait began; it stays the same when the reasons change or an agent gives it back.
    """

    group_id: str | None
    queued_at: datetime
    priority: Priority
    reasons: dict[str, int]
    candidates: tuple[Candidate, ...] = ()
    rule: str | None = None
    rules_version: int | None = None
    why: str = ""


class TicketAssigned(_AssignmentEvent, frozen=True, kw_only=True, tag="assignment.assigned.v1"):
    """One agent has it. Everything that the decision looked at is here (R14).

    `mode`: `auto`, `manual`, `pull`, `import`. `candidates` is cut to the ten best plus the first refused;
    `candidates_count` and `refused_counts` are whole. `load_before` and `load_after` are in capacity units.
    """

    agent_id: str
    agent_name: str | None
    previous_agent_id: str | None
    group_id: str | None
    mode: str
    strategy: str | None
    decision_id: UUID
    why: str
    load_before: float
    load_after: float
    capacity: float | None = None
    candidates: tuple[Candidate, ...] = ()
    candidates_count: int = 0
    refused_counts: dict[str, int] = {}
    rule: str | None = None
    rules_version: int | None = None
    waited_seconds: float = 0.0
    ticket_version: int = 0


class TicketUnassigned(_AssignmentEvent, frozen=True, kw_only=True, tag="assignment.unassigned.v1"):
    """The agent no longer has it. `reason`: `manual`, `group_changed`, `agent_left`, `agent_offline`, `import`."""

    previous_agent_id: str
    group_id: str | None
    reason: str
    why: str = ""


class TicketWithdrawn(_AssignmentEvent, frozen=True, kw_only=True, tag="assignment.withdrawn.v1"):
    """It left the queue without being assigned: solved, closed or merged (R12). `reason` says which."""

    group_id: str | None
    reason: str
    waited_seconds: float = 0.0


AssignmentEvent = GroupChanged | TicketQueued | TicketAssigned | TicketUnassigned | TicketWithdrawn
