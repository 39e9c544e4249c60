"""Events of routing about a ticket: which group, which agent, and why. Stream = ticket."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

import msgspec

from shared.events.base import Event, Owner, Priority


class Candidate(msgspec.Struct, frozen=True, omit_defaults=True):
    """An agent who was looked at. `refused`: reason code why not (R4); `score`: what the strategy compared.

    `optional_skills`: how many of the optional skills the agent has. `is_overflow`: of a secondary group (R7).
    """

    agent_id: str
    load: float
    capacity: float | None = None
    score: float | None = None
    refused: str | None = None
    optional_skills: int = 0
    is_overflow: bool = False


class _AssignmentEvent(Event, frozen=True, kw_only=True):
    OWNER: ClassVar[Owner] = Owner.ROUTING

    ticket_id: UUID

    @property
    def stream_id(self) -> UUID:
        return self.ticket_id


class GroupChanged(_AssignmentEvent, frozen=True, kw_only=True, tag="assignment.group_changed.v1"):
    """The ticket belongs to another group. `why` is one plain sentence.

    `mode`: `rule`, `manual`, `import`, `escalation`, `follow_up`.
    """

    group_id: str | None
    previous_group_id: str | None
    mode: str
    why: str
    rule: str | None = None
    rules_version: int | None = None


class TicketQueued(_AssignmentEvent, frozen=True, kw_only=True, tag="assignment.queued.v1"):
    """Nobody can take it now; it waits. `reasons` counts the agents refused for each reason (R4, R8).

    `queued_at` is when the wait began; it stays the same when the reasons change or an agent gives it back.
    `relaxed`: skills that are no longer asked; `overflow`: secondary groups that are looked at too (R7).
    `is_raised`: an SLA warning put it before the others (R16). `units`: the room that it will take.
    `is_overdue`: it waits longer than its group allows, so it comes before all others (R3).
    """

    group_id: str | None
    queued_at: datetime
    priority: Priority
    reasons: dict[str, int]
    candidates: tuple[Candidate, ...] = ()
    rule: str | None = None
    rules_version: int | None = None
    why: str = ""
    waited_seconds: float = 0.0
    skills: dict[str, int] = {}
    relaxed: tuple[str, ...] = ()
    overflow: tuple[str, ...] = ()
    is_raised: bool = False
    units: float = 1.0
    is_overdue: bool = False


class TicketAssigned(_AssignmentEvent, frozen=True, kw_only=True, tag="assignment.assigned.v1"):
    """One agent has it. Everything that the decision looked at is here (R14).

    `mode`: `auto`, `offer`, `manual`, `pull`, `import`, `follow_up`.
    `candidates` is cut to the ten best plus the first refused; `candidates_count` and `refused_counts` are whole. Where
    no strategy chose (by hand, asked for, accepted), it is the agent alone, with what would have kept rules from it.
    `load_before` and `load_after` are in capacity units.
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
    units: float = 1.0
    skills: dict[str, int] = {}
    relaxed: tuple[str, ...] = ()
    overflow: tuple[str, ...] = ()
    leased_until: datetime | None = None


class TicketUnassigned(_AssignmentEvent, frozen=True, kw_only=True, tag="assignment.unassigned.v1"):
    """The agent no longer has it.

    `reason`: `manual` (also: skipped), `group_changed`, `escalated`, `rerouted`, `agent_left`, `agent_offline`,
    `agent_away`, `off_shift`, `lease_expired`, `sla_warning`, `reopened`, `import`.
    """

    previous_agent_id: str
    group_id: str | None
    reason: str
    why: str = ""


class TicketWithdrawn(_AssignmentEvent, frozen=True, kw_only=True, tag="assignment.withdrawn.v1"):
    """It left the queue without being assigned: solved, closed or merged (R12). `reason` says which."""

    group_id: str | None
    reason: str
    waited_seconds: float = 0.0


class TicketOffered(_AssignmentEvent, frozen=True, kw_only=True, tag="assignment.offered.v1"):
    """One agent is asked, and the room for it is kept until `expires_at` (R10). The rest as in `TicketAssigned`."""

    agent_id: str
    agent_name: str | None
    group_id: str | None
    strategy: str
    decision_id: UUID
    expires_at: datetime
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
    units: float = 1.0
    relaxed: tuple[str, ...] = ()
    overflow: tuple[str, ...] = ()


class TicketOfferEnded(
    _AssignmentEvent, frozen=True, kw_only=True, tag="assignment.offer_ended.v1"
):
    """The agent did not take the offer.

    `outcome`: `declined` (with the agent's `reason`), `expired`, `cancelled` (somebody else has it now, or the agent
    left), `withdrawn` (nobody needs to take it any more).
    """

    agent_id: str
    group_id: str | None
    outcome: str
    reason: str = ""
    offered_seconds: float = 0.0


class TicketSkipped(_AssignmentEvent, frozen=True, kw_only=True, tag="assignment.skipped.v1"):
    """An agent did not want it and said why; this agent is asked again only when nobody else can take it (R10).

    `held`: it was in the agent's hands.
    """

    agent_id: str
    group_id: str | None
    reason: str
    held: bool
    waited_seconds: float = 0.0


class TicketEscalated(_AssignmentEvent, frozen=True, kw_only=True, tag="assignment.escalated.v1"):
    """It goes to a higher tier, with everything that the next person needs to know.

    `agents`: all who had it so far, first to last. `given_back_by`: who skipped or declined it.
    `handling_seconds`: since it first needed somebody.
    """

    group_id: str
    previous_group_id: str | None
    previous_agent_id: str | None
    reason: str
    note: str = ""
    priority: Priority
    due_at: datetime | None = None
    skills: dict[str, int] = {}
    agents: tuple[str, ...] = ()
    given_back_by: tuple[str, ...] = ()
    handling_seconds: float = 0.0
    escalation_count: int = 1


class MoveRefused(_AssignmentEvent, frozen=True, kw_only=True, tag="assignment.move_refused.v1"):
    """Another service asked for a move that cannot be; the ticket stays where it is. `why` is one plain sentence.

    `actor`: who asked there. `asked_by`: `request` (a macro or trigger of intake), `ladder` (a step of an SLA policy).
    `asked_group_id`: None for the next tier of its group. `code`: of the refusal, as over HTTP.
    """

    group_id: str | None
    asked_group_id: str | None
    asked_by: str
    code: str
    why: str


AssignmentEvent = (
    GroupChanged
    | TicketQueued
    | TicketAssigned
    | TicketUnassigned
    | TicketWithdrawn
    | TicketOffered
    | TicketOfferEnded
    | TicketSkipped
    | TicketEscalated
    | MoveRefused
)
