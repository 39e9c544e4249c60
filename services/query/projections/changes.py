"""What an event says that it changed: field → (old value, new value). The audit reads nothing else. Pure."""

from typing import Any, Final

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
    ContactMergeReceived,
    ContactMergeUndone,
    OrganizationDefined,
)
from shared.events.policies import (
    AlertSinkDefined,
    CalendarDefined,
    OncallContactDefined,
    RotaDefined,
    SlaPolicyDefined,
)
from shared.events.satisfaction import SatisfactionRated
from shared.events.sla import SlaDueChanged, SlaPolicyApplied
from shared.events.tickets import (
    FamilyRuleChanged,
    FieldsChanged,
    PriorityChanged,
    StatusChanged,
    SubjectChanged,
    TagsChanged,
    TaskChanged,
    TicketClosed,
    TicketMerged,
    TicketOpened,
    TicketReopened,
    TicketResolved,
    TicketUnmerged,
    TypeChanged,
)

Changes = dict[str, tuple[Any, Any]]

_changing_nothing: Final[set[type[Event]]] = set()
"""Kinds of events that turned out to have no arm below: most events are of these, and asking every arm is dear."""


def changes_of(event: Event) -> Changes:  # noqa: C901, PLR0911, PLR0912  # one line per kind of event
    """Old and new value of every field that this event set; empty for a message or a clock's tick."""
    if type(event) in _changing_nothing:
        return {}
    match event:
        case TicketOpened():
            return _opened(event)
        case StatusChanged():
            changes: Changes = {}
            if event.category is not event.previous_category:
                changes["status"] = (event.previous_category, event.category)
            if event.label != event.previous_label:
                changes["label"] = (event.previous_label, event.label)
            return changes
        case TicketResolved():
            return {"status": (event.previous_category, "solved")}
        case TicketClosed() | TicketMerged():
            return {"status": (event.previous_category, "closed")}
        case TicketReopened() | TicketUnmerged():
            return {"status": (event.previous_category, event.category)}
        case PriorityChanged():
            return {"priority": (event.previous, event.priority)}
        case TypeChanged():
            return {"type": (event.previous, event.ticket_type)}
        case SubjectChanged():
            return {"subject": (event.previous, event.subject)}
        case FieldsChanged():
            return {
                f"fields.{name}": (change.previous, change.value)
                for name, change in event.changes.items()
            }
        case FamilyRuleChanged():
            return {"waits_for_children": (event.previous, event.waits_for_children)}
        case TaskChanged():
            return {
                f"task.{name}": (change.previous, change.value)
                for name, change in event.changes.items()
            }
        case SatisfactionRated():
            words = {
                "satisfaction": (event.previous_score, event.score),
                "satisfaction.comment": (event.previous_comment, event.comment),
                "satisfaction.reason": (event.previous_reason, event.reason),
            }
            return {name: change for name, change in words.items() if change[0] != change[1]}
        case TagsChanged():
            kept = [tag for tag in event.tags if tag not in event.added]
            return {"tags": (sorted([*kept, *event.removed]), event.tags)}
        case GroupChanged():
            return {"group": (event.previous_group_id, event.group_id)}
        case TicketAssigned():
            return {"assignee": (event.previous_agent_id, event.agent_id)}
        case TicketUnassigned():
            return {"assignee": (event.previous_agent_id, None)}
        case TicketOffered():
            return {"offer": (None, event.agent_id)}
        case TicketOfferEnded():
            said = f"{event.outcome}: {event.reason}" if event.reason else event.outcome
            return {"offer": (event.agent_id, said)}
        case TicketSkipped():
            return {"skip": (event.agent_id, event.reason)}
        case MoveRefused():
            return {"move": (event.group_id, f"{event.asked_group_id or 'next tier'}: {event.why}")}
        case TicketEscalated():
            return {"escalation": (event.previous_group_id, f"{event.group_id}: {event.reason}")}
        case SlaPolicyApplied():
            return {"sla_policy": (event.previous_policy_id, event.policy_id)}
        case SlaDueChanged():
            return {f"due.{event.metric}": (event.previous_due_at, event.due_at)}
        case ArticleJudged():
            return {"is_helpful": (event.previous, event.is_helpful)}
        case AgentPresenceChanged():
            return {"presence": (event.previous, event.presence)}
        case AgentDefined() | GroupDefined():
            before = msgspec.to_builtins(event.previous) if event.previous is not None else {}
            return _differences(before, msgspec.to_builtins(event.profile))
        case ContactDefined() | ContactMergeReceived() | ContactMergeUndone():
            before = msgspec.to_builtins(event.previous) if event.previous is not None else {}
            return _differences(before, msgspec.to_builtins(event.contact))
        case OrganizationDefined():
            before = msgspec.to_builtins(event.previous) if event.previous is not None else {}
            return _differences(before, msgspec.to_builtins(event.organization))
        case (
            SlaPolicyDefined()
            | CalendarDefined()
            | ConfigurationDefined()
            | RotaDefined()
            | AlertSinkDefined()
        ):
            return _differences(event.previous or {}, event.definition or {})
        case OncallContactDefined():
            return _differences(
                {"ways": event.previous_ways, "agents": event.previous_agents},
                {"ways": event.ways, "agents": event.agents},
            )
        case RoutingRulesDefined():
            return {"rules": (event.previous, event.rules)}
        case RoutingSettingsDefined():
            before = msgspec.to_builtins(event.previous) if event.previous is not None else {}
            return _differences(before, msgspec.to_builtins(event.settings))
        case _:
            _changing_nothing.add(type(event))
            return {}


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


def _differences(before: dict[str, Any], after: dict[str, Any]) -> Changes:
    names = sorted(before.keys() | after.keys())
    return {
        name: (before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    }
