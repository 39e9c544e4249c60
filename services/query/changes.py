"""What an event says that it changed: field → (old value, new value). The audit reads nothing else. Pure."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec

from shared.events import Event
from shared.events.agents import (
    AgentDefined,
    AgentPresenceChanged,
    GroupDefined,
    RoutingRulesDefined,
    RoutingSettingsDefined,
)
from shared.events.articles import ArticleJudged
from shared.events.assignments import (
    GroupChanged,
    MoveRefused,
    TicketAssigned,
    TicketEscalated,
    TicketOffered,
    TicketOfferEnded,
    TicketSkipped,
    TicketUnassigned,
)
from shared.events.configuration import ConfigurationDefined
from shared.events.contacts import (
    ContactDefined,
    ContactMerged,
    ContactMergeReceived,
    ContactMergeUndone,
    ContactUnmerged,
    OrganizationDefined,
)
from shared.events.operations import IntakeOperation, RoutingOperation, SlaOperation
from shared.events.policies import (
    AlertSinkDefined,
    CalendarDefined,
    OncallContactDefined,
    RotaDefined,
    RotaOverridden,
    RotaOverrideEnded,
    SlaPolicyDefined,
)
from shared.events.satisfaction import SatisfactionRated
from shared.events.sla import (
    SlaBreached,
    SlaBreachRetracted,
    SlaDueChanged,
    SlaPolicyApplied,
    SlaResumed,
    SlaStarted,
)
from shared.events.steps import GroupRequested
from shared.events.tickets import (
    Changed,
    FamilyRuleChanged,
    FieldsChanged,
    MergeReceived,
    MergeUndone,
    MessagesSplit,
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
    TicketLinked,
    TicketMerged,
    TicketOpened,
    TicketReopened,
    TicketResolved,
    TicketUnlinked,
    TicketUnmerged,
    TypeChanged,
)
from shared.events.triage import TriageRequested

Changes = dict[str, tuple[Any, Any]]
E = TypeVar("E", bound=Event)


def changes_of(event: Event) -> Changes:
    """Old and new value of every field that this event set; empty for a message or a clock's tick."""
    told = _TOLD.get(type(event))
    return {} if told is None else told(event)


_TOLD: Final[dict[type[Event], Callable[[Any], Changes]]] = {}
"""By kind: every event is asked, and a table costs the same for all of them."""


def _of(kind: type[E]) -> Callable[[Callable[[E], Changes]], Callable[[E], Changes]]:
    def keep(told: Callable[[E], Changes]) -> Callable[[E], Changes]:
        _TOLD[kind] = told
        return told

    return keep


# --- of tickets


@_of(TicketOpened)
def _opened(event: TicketOpened) -> Changes:
    changes: Changes = {
        "status": (None, event.category),
        "priority": (None, event.priority),
        "subject": (None, event.subject),
        "requester": (None, event.requester.id),
    }
    optional = {"label": event.label, "type": event.ticket_type, "tags": event.tags or None}
    changes |= {name: (None, value) for name, value in optional.items() if value is not None}
    changes |= {f"fields.{name}": (None, value) for name, value in event.fields.items()}
    return changes


@_of(StatusChanged)
def _status(event: StatusChanged) -> Changes:
    changes: Changes = {}
    if event.category is not event.previous_category:
        changes["status"] = (event.previous_category, event.category)
    if event.label != event.previous_label:
        changes["label"] = (event.previous_label, event.label)
    return changes


@_of(SatisfactionRated)
def _rated(event: SatisfactionRated) -> Changes:
    words = {
        "satisfaction": (event.previous_score, event.score),
        "satisfaction.comment": (event.previous_comment, event.comment),
        "satisfaction.reason": (event.previous_reason, event.reason),
    }
    return {name: change for name, change in words.items() if change[0] != change[1]}


@_of(TagsChanged)
def _tags(event: TagsChanged) -> Changes:
    kept = [tag for tag in event.tags if tag not in event.added]
    return {"tags": (sorted([*kept, *event.removed]), event.tags)}


@_of(TriageRequested)
def _triage(event: TriageRequested) -> Changes:
    # A wish: the ticket's own events tell whether it came true.
    changes: Changes = {"wish.tags": (None, event.tags)} if event.tags else {}
    if event.priority is not None:
        changes["wish.priority"] = (event.previous_priority, event.priority)
    return changes


def _each(prefix: str, changes: Mapping[str, Changed]) -> Changes:
    return {f"{prefix}.{name}": (change.previous, change.value) for name, change in changes.items()}


_of(TicketResolved)(lambda event: {"status": (event.previous_category, "solved")})
_of(TicketClosed)(lambda event: {"status": (event.previous_category, "closed")})
_of(TicketMerged)(lambda event: {"status": (event.previous_category, "closed")})
_of(TicketReopened)(lambda event: {"status": (event.previous_category, event.category)})
_of(TicketUnmerged)(lambda event: {"status": (event.previous_category, event.category)})
_of(PriorityChanged)(lambda event: {"priority": (event.previous, event.priority)})
_of(TypeChanged)(lambda event: {"type": (event.previous, event.ticket_type)})
_of(SubjectChanged)(lambda event: {"subject": (event.previous, event.subject)})
_of(FieldsChanged)(lambda event: _each("fields", event.changes))
_of(FamilyRuleChanged)(
    lambda event: {"waits_for_children": (event.previous, event.waits_for_children)}
)
_of(TaskAdded)(lambda event: {"task": (None, event.title)})
_of(TaskChanged)(lambda event: _each("task", event.changes))
_of(TaskRemoved)(lambda event: {"task": (event.title, None)})
_of(ParticipantAdded)(lambda event: {f"participant.{event.role}": (None, event.person.id)})
_of(ParticipantRemoved)(lambda event: {f"participant.{event.role}": (event.person_id, None)})
_of(TicketLinked)(lambda event: {f"link.{event.relation}": (None, event.other_number)})
_of(TicketUnlinked)(lambda event: {f"link.{event.relation}": (event.other_number, None)})
_of(MergeReceived)(lambda event: {"part": (None, event.from_number)})
_of(MergeUndone)(lambda event: {"part": (event.other_number, None)})
_of(MessagesSplit)(lambda event: {"split": (None, event.into_number)})
_of(SplitUndone)(lambda event: {"split": (event.into_number, None)})
_of(GroupRequested)(lambda event: {"wish.group": (event.previous_group_id, event.group_id)})

# --- of routing

_of(GroupChanged)(lambda event: {"group": (event.previous_group_id, event.group_id)})
_of(TicketAssigned)(lambda event: {"assignee": (event.previous_agent_id, event.agent_id)})
_of(TicketUnassigned)(lambda event: {"assignee": (event.previous_agent_id, None)})
_of(TicketOffered)(lambda event: {"offer": (None, event.agent_id)})
_of(TicketSkipped)(lambda event: {"skip": (event.agent_id, event.reason)})
_of(MoveRefused)(
    lambda event: {"move": (event.group_id, f"{event.asked_group_id or 'next tier'}: {event.why}")}
)
_of(TicketEscalated)(
    lambda event: {"escalation": (event.previous_group_id, f"{event.group_id}: {event.reason}")}
)
_of(AgentPresenceChanged)(lambda event: {"presence": (event.previous, event.presence)})
_of(RoutingRulesDefined)(lambda event: {"rules": (event.previous, event.rules)})
_of(AgentDefined)(lambda event: _differences(event.previous, event.profile))
_of(GroupDefined)(lambda event: _differences(event.previous, event.profile))
_of(RoutingSettingsDefined)(lambda event: _differences(event.previous, event.settings))


@_of(TicketOfferEnded)
def _offer_ended(event: TicketOfferEnded) -> Changes:
    said = f"{event.outcome}: {event.reason}" if event.reason else event.outcome
    return {"offer": (event.agent_id, said)}


# --- of promises. While a clock stands still it has no deadline, and what it had is in no event: so a pause has none.

_of(SlaPolicyApplied)(lambda event: {"sla_policy": (event.previous_policy_id, event.policy_id)})
_of(SlaStarted)(lambda event: _deadline(event.metric, event.due_at))
_of(SlaResumed)(lambda event: _deadline(event.metric, event.due_at))
_of(SlaDueChanged)(lambda event: {f"due.{event.metric}": (event.previous_due_at, event.due_at)})
_of(SlaBreached)(lambda event: {f"breach.{event.metric}": (None, event.breached_at)})
_of(SlaBreachRetracted)(lambda event: {f"breach.{event.metric}": (event.breached_at, None)})


def _deadline(metric: str, due_at: datetime | None) -> Changes:
    return {f"due.{metric}": (None, due_at)} if due_at is not None else {}


# --- of documents and persons

_of(ArticleJudged)(lambda event: {"is_helpful": (event.previous, event.is_helpful)})
_of(ContactDefined)(lambda event: _differences(event.previous, event.contact))
_of(ContactMergeReceived)(lambda event: _differences(event.previous, event.contact))
_of(ContactMergeUndone)(lambda event: _differences(event.previous, event.contact))
_of(ContactMerged)(lambda event: {"same_as": (None, event.into_contact_id)})
_of(ContactUnmerged)(lambda event: {"same_as": (event.from_contact_id, None)})
_of(OrganizationDefined)(lambda event: _differences(event.previous, event.organization))
_of(SlaPolicyDefined)(lambda event: _differences(event.previous, event.definition))
_of(CalendarDefined)(lambda event: _differences(event.previous, event.definition))
_of(ConfigurationDefined)(lambda event: _differences(event.previous, event.definition))
_of(RotaDefined)(lambda event: _differences(event.previous, event.definition))
_of(AlertSinkDefined)(lambda event: _differences(event.previous, event.definition))


@_of(OncallContactDefined)
def _reached(event: OncallContactDefined) -> Changes:
    return _differences(
        {"ways": event.previous_ways, "agents": event.previous_agents},
        {"ways": event.ways, "agents": event.agents},
    )


@_of(RotaOverridden)
def _overridden(event: RotaOverridden) -> Changes:
    return {"on_call": (event.instead_of, _turn(event))}


@_of(RotaOverrideEnded)
def _override_ended(event: RotaOverrideEnded) -> Changes:
    return {"on_call": (_turn(event), None)}


for _kind in (IntakeOperation, RoutingOperation, SlaOperation):
    _of(_kind)(lambda event: dict(event.changes))


def _turn(event: RotaOverridden | RotaOverrideEnded) -> dict[str, Any]:
    return {"agent": event.agent_id, "from": event.starts_at, "to": event.ends_at}


def _differences(previous: Any, defined: Any) -> Changes:
    """By member; nothing (`None`) before or after counts as a document without members."""
    before = _members(previous)
    after = _members(defined)
    names = sorted(before.keys() | after.keys())
    return {
        name: (before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    }


def _members(document: Any) -> dict[str, Any]:
    members: dict[str, Any] = {} if document is None else msgspec.to_builtins(document)
    return members
