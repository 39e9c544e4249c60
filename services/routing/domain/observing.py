"""What happens to tickets elsewhere, and what it means for who has them (R2, R3, R12)."""

from datetime import datetime
from typing import Final, assert_never

import msgspec

from services.routing.domain import why
from services.routing.domain.cause import Cause
from services.routing.domain.desk import Desk
from services.routing.domain.rules import Question
from services.routing.domain.ticket import RANKS, Facts, Ticket
from shared.events.base import Channel, Event, StatusCategory
from shared.events.sla import (
    SlaBreached,
    SlaBreachRetracted,
    SlaCancelled,
    SlaDueChanged,
    SlaEvent,
    SlaMet,
    SlaPaused,
    SlaPolicyApplied,
    SlaResumed,
    SlaStarted,
    SlaWarning,
)
from shared.events.tickets import (
    AgentReplied,
    CustomerReplied,
    FamilyRuleChanged,
    FieldsChanged,
    MergeReceived,
    MergeUndone,
    MessageRecorded,
    MessagesSplit,
    NoteAdded,
    ParticipantAdded,
    ParticipantRemoved,
    PriorityChanged,
    SplitUndone,
    StatusChanged,
    SubjectChanged,
    TagsChanged,
    TaskAdded,
    TaskChanged,
    TaskRemoved,
    TicketClosed,
    TicketEvent,
    TicketLinked,
    TicketMerged,
    TicketOpened,
    TicketReopened,
    TicketResolved,
    TicketUnlinked,
    TicketUnmerged,
    TypeChanged,
)

FACT_EVENTS: Final = (SubjectChanged, TypeChanged, TagsChanged, FieldsChanged)
"""Events that change what rules ask; their tickets are loaded with facts."""

_OVER: Final = frozenset({StatusCategory.SOLVED, StatusCategory.CLOSED})


def observe(desk: Desk, event: TicketEvent) -> None:
    """Take note of what intake says, and act on it unless the ticket is held."""
    ticket = desk.ticket(event.ticket_id)
    ticket.ticket_version = event.version
    ticket.touched_at = desk.now
    match event:
        case TicketOpened():
            _opened(desk, ticket, event)
        case StatusChanged():
            _moved(desk, ticket, event, event.category, event.category.value)
        case TicketReopened():
            ticket.excluded = ()
            _moved(desk, ticket, event, event.category, "reopened")
        case TicketResolved():
            _moved(desk, ticket, event, StatusCategory.SOLVED, "solved")
        case TicketClosed():
            reason = "spam" if event.reason == "spam" else "closed"
            _moved(desk, ticket, event, StatusCategory.CLOSED, reason)
        case TicketMerged():
            _moved(desk, ticket, event, StatusCategory.CLOSED, "merged")
        case TicketUnmerged():
            _moved(desk, ticket, event, event.category, "unmerged")
        case PriorityChanged():
            ticket.rank = RANKS[event.priority]
        case SubjectChanged() | TypeChanged() | TagsChanged() | FieldsChanged():
            _learn(ticket, event)
        case (
            CustomerReplied()
            | AgentReplied()
            | NoteAdded()
            | MessageRecorded()
            | MergeReceived()
            | TicketLinked()
            | TicketUnlinked()
            | MergeUndone()
            | MessagesSplit()
            | SplitUndone()
            | FamilyRuleChanged()
            | TaskAdded()
            | TaskChanged()
            | TaskRemoved()
            | ParticipantAdded()
            | ParticipantRemoved()
        ):
            pass
        case _:
            assert_never(event)


def observe_promise(desk: Desk, event: SlaEvent) -> None:
    """Take note of a deadline: the queue is served by the earliest one (R3)."""
    match event:
        case SlaStarted() | SlaResumed() | SlaDueChanged():
            due_at = event.due_at
        case SlaPaused() | SlaMet() | SlaCancelled():
            due_at = None
        case SlaPolicyApplied() | SlaWarning() | SlaBreached() | SlaBreachRetracted():
            return
        case _:
            assert_never(event)
    ticket = desk.ticket(event.ticket_id)
    dues = {metric: due for metric, due in ticket.dues.items() if metric != event.metric}
    if due_at is not None:
        dues[event.metric] = due_at
    ticket.dues = dues
    ticket.due_at = min(dues.values(), default=None)


def route(desk: Desk, ticket: Ticket, cause: Cause, at: datetime | None = None) -> None:
    """Ask the rules what becomes of a ticket without a group; `at`: when it came, now if not given."""
    if ticket.facts is None:
        return
    book = desk.roster.book
    verdict = book.match(Question(ticket.facts, ticket.rank, at or desk.now, ticket.group_id))
    if verdict is None:
        return
    ticket.rule = verdict.name
    ticket.rules_version = book.version
    ticket.skills = dict(verdict.skills)
    ticket.strategy = verdict.strategy
    if verdict.group is not None:
        desk.move_to_group(
            ticket,
            verdict.group,
            mode="rule",
            because=why.ruled(verdict, book.version, book.mode),
            cause=cause,
        )


def _opened(desk: Desk, ticket: Ticket, event: TicketOpened) -> None:
    requester = event.requester
    ticket.number = event.number
    ticket.external_id = event.external_id
    ticket.requester_id = requester.id
    ticket.rank = RANKS[event.priority]
    ticket.category = event.category
    ticket.is_held = event.via is Channel.IMPORT
    if requester.id in desk.roster.agents:
        ticket.excluded = (requester.id,)
    ticket.facts = Facts(
        channel=event.via.value,
        subject=event.subject,
        body=event.body,
        ticket_type=event.ticket_type,
        language=event.language,
        tags=event.tags,
        fields=event.fields,
        requester_id=requester.id,
        requester_email=requester.email,
        organization=requester.organization,
        tier=requester.tier,
        is_outbound=event.is_outbound,
    )
    if ticket.is_held:
        ticket.queued_at = event.occurred_at
    else:
        route(desk, ticket, _cause(event), event.occurred_at)
        if ticket.needs_agent:
            desk.wait(ticket, _cause(event))
    ticket.facts = msgspec.structs.replace(ticket.facts, body="")


def _moved(
    desk: Desk, ticket: Ticket, event: TicketEvent, category: StatusCategory, reason: str
) -> None:
    needed = ticket.needs_agent
    previous, ticket.category = ticket.category, category
    needs = ticket.needs_agent
    if needed and not needs:
        ticket.category = previous
        _no_longer_needed(desk, ticket, reason, _cause(event))
        ticket.category = category
    elif needs and not needed:
        ticket.category = previous
        _needed_again(desk, ticket, category, event)
    if category in _OVER:
        ticket.queued_at = None
    elif ticket.is_held and ticket.queued_at is None:
        ticket.queued_at = event.occurred_at


def _no_longer_needed(desk: Desk, ticket: Ticket, reason: str, cause: Cause) -> None:
    """Pending, hold, postponed, solved and closed free the agent's hands; the agent stays the assignee (R5)."""
    if ticket.agent_id is None:
        desk.withdraw(ticket, reason, cause)
    else:
        agent = desk.roster.agents.get(ticket.agent_id)
        if agent is not None:
            desk.free(agent)


def _needed_again(desk: Desk, ticket: Ticket, category: StatusCategory, event: TicketEvent) -> None:
    """Back to the same agent if online, even above capacity (R5); else to the queue. The wait begins now."""
    ticket.queued_at = desk.now
    agent = desk.roster.agents.get(ticket.agent_id) if ticket.agent_id else None
    if agent is not None and agent.is_online:
        ticket.category = category
        desk.take(agent)
        return
    if ticket.agent_id is not None:
        presence = agent.presence.value if agent else "unknown"
        desk.take_away(
            ticket,
            "agent_offline",
            f"It needs work again and {ticket.agent_id} is {presence}.",
            Cause.by_router(event.correlation_id, event.event_id),
        )
    ticket.category = category
    desk.wait(ticket, _cause(event))


def _learn(
    ticket: Ticket, event: SubjectChanged | TypeChanged | TagsChanged | FieldsChanged
) -> None:
    facts = ticket.facts
    if facts is None:
        return
    match event:
        case SubjectChanged():
            ticket.facts = msgspec.structs.replace(facts, subject=event.subject)
        case TypeChanged():
            ticket.facts = msgspec.structs.replace(facts, ticket_type=event.ticket_type)
        case TagsChanged():
            ticket.facts = msgspec.structs.replace(facts, tags=event.tags)
        case FieldsChanged():
            changed = {name: change.value for name, change in event.changes.items()}
            ticket.facts = msgspec.structs.replace(facts, fields={**facts.fields, **changed})


def _cause(event: Event) -> Cause:
    return Cause.by_router(event.correlation_id, event.event_id)
