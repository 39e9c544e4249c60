"""Events of intake → the ticket's own columns. Pure: facts in, facts and rows to write out."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from services.query.projections import life
from services.query.projections.satisfaction import satisfaction_after
from services.query.projections.writes import Writes
from shared.events import Event, Priority, StatusCategory
from shared.events.satisfaction import SatisfactionOffered, SatisfactionRated
from shared.events.steps import (
    ActionsApplied,
    ActionsUndone,
    GroupRequested,
    NoticeRequested,
    RuleApplied,
    RuleNotApplied,
)
from shared.events.tickets import (
    AgentReplied,
    Copied,
    CustomerReplied,
    FamilyRuleChanged,
    FieldsChanged,
    MergeReceived,
    MergeUndone,
    MessageNotDelivered,
    MessageRecorded,
    MessageSent,
    MessagesSplit,
    NoteAdded,
    Origin,
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

RANKS: Final = {priority: rank for rank, priority in enumerate(Priority)}
"""The more urgent, the higher."""

_ENDED: Final = frozenset({StatusCategory.SOLVED, StatusCategory.CLOSED})
_CUSTOMER_WAITS: Final = frozenset({StatusCategory.NEW, StatusCategory.OPEN})


class TicketFacts(msgspec.Struct, kw_only=True, gc=False):
    """The columns of `tickets` that topic tickets.v1 owns. Times are those of the world (`occurred_at`).

    Facts hold no cycles, and thousands are remembered: the collector need not walk them (`gc=False`).
    """

    ticket_id: UUID
    version: int = 0
    number: int | None = None
    external_id: str | None = None
    subject: str | None = None
    ticket_type: str | None = None
    language: str | None = None
    via: str | None = None
    is_outbound: bool = False
    requester_id: str | None = None
    requester_name: str | None = None
    requester_email: str | None = None
    organization: str | None = None
    priority: str | None = None
    priority_rank: int = 0
    initial_priority: str | None = None
    priority_since: datetime | None = None
    priority_version: int = 0
    priority_change_count: int = 0
    category: str | None = None
    label: str | None = None
    category_since: datetime | None = None
    category_version: int = 0
    postponed_until: datetime | None = None
    is_open: bool = False
    open_since: datetime | None = None
    tags: list[str] = []
    fields: dict[str, Any] = {}
    links: list[dict[str, Any]] = []
    merged_into_id: UUID | None = None
    merged_into_number: int | None = None
    opened_at: datetime | None = None
    updated_at: datetime | None = None
    first_reply_at: datetime | None = None
    last_agent_reply_at: datetime | None = None
    last_customer_message_at: datetime | None = None
    waiting_since: datetime | None = None
    first_resolved_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    resolution_summary: str | None = None
    resolution_code: str | None = None
    closed_reason: str | None = None
    resolution_count: int = 0
    reopen_count: int = 0
    customer_message_count: int = 0
    agent_reply_count: int = 0
    note_count: int = 0
    seconds_new: float = 0.0
    seconds_open: float = 0.0
    seconds_answered: float = 0.0
    seconds_pending: float = 0.0
    seconds_hold: float = 0.0
    seconds_postponed: float = 0.0
    seconds_solved: float = 0.0
    is_internal: bool = False
    form: str | None = None
    reopen_until: datetime | None = None
    close_at: datetime | None = None
    courtesy_count: int = 0
    waits_for_children: bool = False
    participants: list[dict[str, Any]] = []
    tasks: list[dict[str, Any]] = []
    satisfaction: dict[str, Any] | None = None


def fold(facts: TicketFacts, event: TicketEvent, writes: Writes) -> None:  # noqa: C901, PLR0912, PLR0915  # one arm per event
    """Apply one event. It never fails: the event has already happened.

    A type that is not named here changes nothing but version and time (it is in the timeline).
    """
    facts.version = event.version
    at = event.occurred_at
    facts.updated_at = at if facts.updated_at is None else max(at, facts.updated_at)
    match event:
        case TicketOpened():
            _open(facts, event, writes)
        case CustomerReplied():
            facts.customer_message_count += 1
            facts.last_customer_message_at = at
            if event.courtesy is None:
                facts.waiting_since = facts.waiting_since or at
            else:
                facts.courtesy_count += 1
            writes.add_message(
                event,
                event.message_id,
                "customer",
                event.body,
                quotes=event.quotes,
                courtesy=None if event.courtesy is None else event.courtesy.words,
                copied=event.copied,
            )
        case AgentReplied():
            _agent_replied(facts, event)
            writes.add_message(
                event,
                event.message_id,
                "agent",
                event.body,
                is_automatic=event.is_automatic,
                quotes=event.quotes,
                copied=event.copied,
            )
        case NoteAdded():
            facts.note_count += 1
            writes.add_message(
                event,
                event.message_id,
                "note",
                event.body,
                quotes=event.quotes,
                copied=event.copied,
            )
        case MessageRecorded():
            # Shown where notes are: no customer sees it, and it counts as nobody's word.
            writes.add_message(event, event.message_id, "note", event.body, is_automatic=True)
        case MessageSent() | MessageNotDelivered():
            pass  # the conversation reads them from the timeline
        case StatusChanged():
            _move(facts, event, event.category, writes)
            facts.label = event.label
            facts.postponed_until = event.until
        case PriorityChanged():
            _prioritise(facts, event, writes)
        case TypeChanged():
            facts.ticket_type = event.ticket_type
            _list(facts, writes)
        case SubjectChanged():
            facts.subject = event.subject
            writes.add_words(event.ticket_id, event.subject)
        case FieldsChanged():
            values = facts.fields | {name: change.value for name, change in event.changes.items()}
            facts.fields = {name: value for name, value in values.items() if value is not None}
            _list(facts, writes)
        case TagsChanged():
            facts.tags = list(event.tags)
            _list(facts, writes)
            writes.add_words(event.ticket_id, *event.added)
        case TicketResolved():
            _resolve(facts, event, writes)
        case TicketClosed():
            _move(facts, event, StatusCategory.CLOSED, writes)
            facts.closed_reason = event.reason
        case TicketReopened():
            _move(facts, event, event.category, writes)
            facts.reopen_count = event.reopen_count
        case TicketMerged():
            _merge(facts, event, writes)
        case MergeReceived():
            _link(facts, event.from_ticket_id, event.from_number, "merged_from")
            if event.has_open_customer_message:
                facts.waiting_since = facts.waiting_since or at
        case TicketUnmerged():
            _move(facts, event, event.category, writes)
            facts.closed_reason = facts.merged_into_id = facts.merged_into_number = None
            if event.category in _CUSTOMER_WAITS:
                facts.waiting_since = at
        case MergeUndone():
            _unlink(facts, event.other_ticket_id, "merged_from")
        case MessagesSplit():
            _link(facts, event.into_ticket_id, event.into_number, "split_into")
            writes.split(event)
        case SplitUndone():
            _unlink(facts, event.into_ticket_id, "split_into")
            writes.unsplit(event)
        case FamilyRuleChanged():
            facts.waits_for_children = event.waits_for_children
        case TaskAdded() | TaskChanged() | TaskRemoved():
            facts.tasks = life.tasks_after(facts.tasks, event, writes)
        case ParticipantAdded() | ParticipantRemoved():
            facts.participants = life.participants_after(facts.participants, event)
        case (
            ActionsApplied()
            | ActionsUndone()
            | GroupRequested()
            | NoticeRequested()
            | RuleApplied()
            | RuleNotApplied()
        ):
            pass  # what follows from them has events of its own
        case SatisfactionOffered() | SatisfactionRated():
            facts.satisfaction = satisfaction_after(facts.satisfaction, event, writes)
        case TicketLinked():
            _link(facts, event.other_ticket_id, event.other_number, event.relation)
        case TicketUnlinked():
            _unlink(facts, event.other_ticket_id, event.relation)
    if facts.language is not None:
        writes.speak(facts.ticket_id, facts.language)


def _open(facts: TicketFacts, event: TicketOpened, writes: Writes) -> None:
    at, requester = event.occurred_at, event.requester
    facts.number, facts.external_id = event.number, event.external_id
    facts.subject, facts.ticket_type, facts.language = (
        event.subject,
        event.ticket_type,
        event.language,
    )
    facts.via, facts.is_outbound, facts.opened_at = event.via.value, event.is_outbound, at
    facts.requester_id, facts.requester_name = requester.id, requester.name
    facts.requester_email, facts.organization = requester.email, requester.organization
    facts.tags, facts.fields = list(event.tags), dict(event.fields)
    _list(facts, writes, is_new=True)
    facts.is_internal, facts.form = event.is_internal, event.form
    if event.origin is not None and event.origin.kind == "split":
        _link(facts, event.origin.ticket_id, event.origin.number, "split_from")
    facts.priority = facts.initial_priority = event.priority.value
    facts.priority_rank, facts.priority_since = RANKS[event.priority], at
    facts.priority_version = event.version
    writes.open_span(event.ticket_id, "priority", event.version, facts.priority, at)
    _move(facts, event, event.category, writes)
    facts.label = event.label
    if event.is_outbound:
        facts.last_agent_reply_at = at
    elif not event.is_internal:
        facts.customer_message_count = 1
        facts.last_customer_message_at = at
        facts.waiting_since = at if facts.is_open else None
    writes.add_words(
        event.ticket_id, str(event.number), event.external_id, event.subject, requester.id, requester.name,
        requester.email, requester.organization, *event.tags,
    )  # fmt: skip
    kind = "note" if event.is_internal else "agent" if event.is_outbound else "customer"
    writes.add_message(event, event.message_id, kind, event.body, copied=_copied_from(event.origin))


def _copied_from(origin: Origin | None) -> Copied | None:
    """The message of an older ticket that opened this one."""
    if origin is None or origin.message_id is None:
        return None
    assert origin.sent_at is not None
    assert origin.author is not None
    return Copied(origin.ticket_id, origin.number, origin.message_id, origin.sent_at, origin.author)


def _agent_replied(facts: TicketFacts, event: AgentReplied) -> None:
    """Rule S1: only a human who is not the requester answers; an outbound ticket has no first reply."""
    if event.is_automatic or event.actor.id == facts.requester_id:
        return
    facts.agent_reply_count += 1
    facts.last_agent_reply_at = event.occurred_at
    facts.waiting_since = None
    if facts.first_reply_at is None and not facts.is_outbound:
        facts.first_reply_at = event.occurred_at


def _resolve(facts: TicketFacts, event: TicketResolved, writes: Writes) -> None:
    _move(facts, event, StatusCategory.SOLVED, writes)
    facts.resolved_at = event.occurred_at
    facts.first_resolved_at = facts.first_resolved_at or event.occurred_at
    facts.resolution_count = event.resolution_count
    facts.resolution_summary, facts.resolution_code = event.summary, event.code
    facts.reopen_until, facts.close_at = event.reopen_until, event.close_at
    writes.add_words(event.ticket_id, event.summary, is_public=False)


def _merge(facts: TicketFacts, event: TicketMerged, writes: Writes) -> None:
    _move(facts, event, StatusCategory.CLOSED, writes)
    facts.closed_reason = "merged"
    facts.merged_into_id, facts.merged_into_number = event.into_ticket_id, event.into_number


def _prioritise(facts: TicketFacts, event: PriorityChanged, writes: Writes) -> None:
    at = _not_before(event.occurred_at, facts.priority_since)
    if facts.priority_version:
        writes.close_span(event.ticket_id, "priority", facts.priority_version, at)
    writes.open_span(event.ticket_id, "priority", event.version, event.priority.value, at)
    facts.priority, facts.priority_rank = event.priority.value, RANKS[event.priority]
    facts.priority_since, facts.priority_version = at, event.version
    facts.priority_change_count += 1


def _move(facts: TicketFacts, event: Event, category: StatusCategory, writes: Writes) -> None:
    """The ticket enters a category: the time in the one before is added up, its span ends."""
    at = _not_before(event.occurred_at, facts.category_since)
    if facts.category != category:
        if facts.category is not None and facts.category_since is not None:
            writes.close_span(facts.ticket_id, "status", facts.category_version, at)
            if facts.category != StatusCategory.CLOSED:
                counter = f"seconds_{facts.category}"
                passed = (at - facts.category_since).total_seconds()
                setattr(facts, counter, getattr(facts, counter) + passed)
        writes.open_span(facts.ticket_id, "status", event.version, category.value, at)
        facts.category, facts.category_since = category.value, at
        facts.category_version = event.version
        _keep_period(facts, is_open=category not in _ENDED, at=at, writes=writes)
    facts.is_open = category not in _ENDED
    facts.label = None
    facts.postponed_until = facts.reopen_until = facts.close_at = None
    if not facts.is_open:
        facts.waiting_since = None
    facts.closed_at = event.occurred_at if category is StatusCategory.CLOSED else None


def _keep_period(facts: TicketFacts, *, is_open: bool, at: datetime, writes: Writes) -> None:
    """From when to when it was open: what was open at any past instant is found by this."""
    if is_open:
        facts.open_since = facts.open_since or at
    elif facts.open_since is not None:
        writes.add_period(facts.ticket_id, facts.open_since, at)
        facts.open_since = None


def _list(facts: TicketFacts, writes: Writes, *, is_new: bool = False) -> None:
    """What lists find it by, beside its columns."""
    own = {
        "type": facts.ticket_type,
        "language": facts.language,
        "organization": facts.organization,
    }
    writes.set_facets(facts.ticket_id, own, facts.tags, facts.fields, is_new=is_new)


def _not_before(at: datetime, since: datetime | None) -> datetime:
    """Imported facts may step back in time; a span never ends before it began."""
    return at if since is None else max(at, since)


def _link(facts: TicketFacts, other: UUID, number: int, relation: str) -> None:
    _unlink(facts, other, relation)
    facts.links = [
        *facts.links,
        {"ticket_id": str(other), "number": number, "relation": relation},
    ]


def _unlink(facts: TicketFacts, other: UUID, relation: str) -> None:
    facts.links = [
        link
        for link in facts.links
        if (link["ticket_id"], link["relation"]) != (str(other), relation)
    ]
