"""One ticket at an instant, folded from its own events by the same code that keeps the present."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from services.query.changes import changes_of
from services.query.past.backlog import ENDED, fields_at
from services.query.past.events import Streams, events_of
from services.query.projections import assignments, tickets
from services.query.projections.promises import PromiseFacts, Promises
from services.query.projections.writes import Writes
from services.query.views.pools import Pool
from services.query.views.scope import Scope
from services.query.views.ticket import conversation
from shared.errors import NotFound
from shared.events import Event
from shared.events.assignments import AssignmentEvent
from shared.events.sla import SlaEvent
from shared.events.tickets import MessagesSplit, SplitUndone, TicketEvent
from shared.topics import Topic

_TOPICS: Final = (Topic.TICKETS, Topic.ASSIGNMENTS, Topic.SLA)

# The names of the present ticket's answer → the columns that hold them.
_TICKET: Final = {
    **{name: name for name in (
        "ticket_id", "number", "external_id", "subject", "label", "priority", "language", "is_open", "requester_id",
        "requester_name", "requester_email", "organization", "updated_at", "version", "last_agent_reply_at",
        "last_customer_message_at", "closed_at", "merged_into_number", "tags", "fields", "links", "is_outbound",
        "waiting_since", "first_reply_at", "postponed_until", "merged_into_id", "closed_reason", "reopen_count",
        "resolution_count", "customer_message_count", "agent_reply_count", "note_count",
    )},
    "status": "category", "type": "ticket_type", "channel": "via", "created_at": "opened_at",
    "status_since": "category_since",
}  # fmt: skip
_ROUTING: Final = (
    "group_id", "assignee_id", "assignee_name", "assigned_at", "queued_at", "routing_why", "routing_version",
)  # fmt: skip
_PROMISES: Final = (
    "policy_id", "policy_version", "due_at", "due_metric", "is_at_risk", "is_breached", "at_risk_metrics",
    "breached_metrics", "clocks", "sla_version",
)  # fmt: skip


async def ticket_at(pool: Pool, ticket_id: UUID, instant: datetime) -> dict[str, Any]:
    """The ticket with its conversation as it was; only for those who see internal facts.

    Raises:
        NotFound: it was not there yet.
    """
    fields = (await fields_at(pool, [ticket_id], instant)).get(ticket_id)
    if fields is None:
        raise NotFound("this ticket was opened later")
    async with pool.connection() as connection:
        streams = (await events_of(connection, [ticket_id], _TOPICS))[ticket_id]
    shown = await conversation(pool, ticket_id, Scope(), until=instant)
    moved = _moved_on(streams[Topic.TICKETS], instant)
    for message in shown["messages"]:
        message["split_into"] = moved.get(message["message_id"])
    return _told(ticket_id, streams, instant) | _agreed(fields) | shown


def _moved_on(events: list[Event], instant: datetime) -> dict[UUID, int]:
    """Message → the number of the ticket that it had been split into."""
    moved: dict[UUID, int] = {}
    for event in events:
        if event.occurred_at <= instant and isinstance(event, MessagesSplit):
            moved |= dict.fromkeys(event.message_ids, event.into_number)
        elif event.occurred_at <= instant and isinstance(event, SplitUndone):
            moved = {id_: into for id_, into in moved.items() if id_ not in event.message_ids}
    return moved


async def states_at(
    pool: Pool, ticket_ids: Iterable[UUID], instant: datetime
) -> dict[UUID, dict[str, Any]]:
    """These tickets as they were, without conversation; one that was opened later is left out."""
    ids = list(ticket_ids)
    fields = await fields_at(pool, ids, instant)
    async with pool.connection() as connection:
        streams = await events_of(connection, list(fields), _TOPICS)
    return {
        ticket_id: _told(ticket_id, streams[ticket_id], instant) | _agreed(fields[ticket_id])
        for ticket_id in ids
        if ticket_id in fields
    }


def _agreed(fields: dict[str, Any]) -> dict[str, Any]:
    """What lists and counts go by, so that no ticket stands in a list under another status than its own."""
    return {
        "status": fields["category"],
        "is_open": fields["category"] not in ENDED,
        "priority": fields["priority"],
        "group_id": fields["group_id"],
        "assignee_id": fields["assignee_id"],
    }


def _told(ticket_id: UUID, streams: Streams, instant: datetime) -> dict[str, Any]:
    known = {
        topic: [event for event in events if event.occurred_at <= instant]
        for topic, events in streams.items()
    }
    writes = Writes()
    facts = tickets.TicketFacts(ticket_id=ticket_id)
    for event in known[Topic.TICKETS]:
        tickets.fold(facts, cast(TicketEvent, event), writes)
    routing = assignments.RoutingFacts(ticket_id=ticket_id)
    for event in known[Topic.ASSIGNMENTS]:
        assignments.fold(routing, cast(AssignmentEvent, event), writes)
    promises = Promises(PromiseFacts(ticket_id=ticket_id), [])
    for event in known[Topic.SLA]:
        promises.fold(cast(SlaEvent, event))
    promises.summarise()
    return {
        **{name: getattr(facts, column) for name, column in _TICKET.items()},
        "resolved_at": None if facts.is_open else facts.resolved_at,
        "changed_at": max(filter(None, (facts.updated_at, routing.routed_at))),
        **{name: getattr(routing, name) for name in _ROUTING},
        **{name: getattr(promises.facts, name) for name in _PROMISES},
        **_said(streams[Topic.TICKETS], instant),
    }


def _said(events: list[Event], instant: datetime) -> dict[str, Any]:
    """Type, tags and custom fields: a word counts from its moment on, but never from before the one it followed."""
    counts_from: dict[str, datetime] = {}
    said: dict[str, Any] = {}
    for event in events:
        for name, (_, value) in changes_of(event).items():
            counts_from[name] = max(event.occurred_at, counts_from.get(name, event.occurred_at))
            if counts_from[name] <= instant:
                said[name] = value
    fields = {
        name.removeprefix("fields."): value
        for name, value in said.items()
        if name.startswith("fields.") and value is not None
    }
    return {"type": said.get("type"), "tags": list(said.get("tags", ())), "fields": fields}
