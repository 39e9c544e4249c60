"""One ticket at an instant, folded from its own events by the same code that keeps the present."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, LiteralString, cast
from uuid import UUID

from services.query.past.backlog import ENDED, fields_at
from services.query.projections import assignments, tickets
from services.query.projections.promises import PromiseFacts, Promises
from services.query.projections.writes import Writes
from services.query.views.pools import Pool
from services.query.views.scope import Scope
from services.query.views.ticket import conversation
from shared.errors import NotFound
from shared.events import Event, decode
from shared.events.assignments import AssignmentEvent
from shared.events.sla import SlaEvent
from shared.events.tickets import TicketEvent
from shared.topics import Topic

_EVENTS: Final[LiteralString] = """
SELECT stream_id, topic, type, occurred_at, raw::text AS raw FROM timeline
WHERE stream_id = ANY(%s) AND topic = ANY(%s) ORDER BY stream_id, topic, version
"""
_TOPICS: Final = [topic.value for topic in (Topic.TICKETS, Topic.ASSIGNMENTS, Topic.SLA)]

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
    found = await states_at(pool, [ticket_id], instant)
    if ticket_id not in found:
        raise NotFound("this ticket was opened later")
    ticket = found[ticket_id]
    written = (await conversation(pool, ticket_id, Scope()))["messages"]
    messages = [
        message
        for message in written
        if message["sent_at"] <= instant and message["version"] <= ticket["version"]
    ]
    return {**ticket, "messages": messages, "messages_total": len(messages)}


async def states_at(
    pool: Pool, ticket_ids: Iterable[UUID], instant: datetime, *, writes: Writes | None = None
) -> dict[UUID, dict[str, Any]]:
    """These tickets as they were, without conversation; one that was opened later is left out.

    `writes` collects what the present would have written beside the tickets' own rows.
    """
    ids = list(ticket_ids)
    async with pool.connection() as connection:
        rows = await (await connection.execute(_EVENTS, (ids, _TOPICS))).fetchall()
    streams: dict[tuple[UUID, str], list[Event]] = {}
    over: set[tuple[UUID, str]] = set()
    for row in rows:
        key = (row["stream_id"], row["topic"])
        if row["occurred_at"] > instant or key in over:
            over.add(key)  # what follows in its stream builds on what had not happened yet
            continue
        event = decode(row["type"], row["raw"].encode())
        if isinstance(event, Event):
            streams.setdefault(key, []).append(event)
    fields = await fields_at(pool, ids, instant)
    return {
        ticket_id: _folded(ticket_id, streams, writes or Writes()) | _agreed(fields[ticket_id])
        for ticket_id in ids
        if (ticket_id, Topic.TICKETS.value) in streams and ticket_id in fields
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


def _folded(
    ticket_id: UUID, streams: dict[tuple[UUID, str], list[Event]], writes: Writes
) -> dict[str, Any]:
    facts = tickets.TicketFacts(ticket_id=ticket_id)
    for event in streams[ticket_id, Topic.TICKETS]:
        tickets.fold(facts, cast(TicketEvent, event), writes)
    routing = assignments.RoutingFacts(ticket_id=ticket_id)
    for event in streams.get((ticket_id, Topic.ASSIGNMENTS.value), ()):
        assignments.fold(routing, cast(AssignmentEvent, event), writes)
    promises = Promises(PromiseFacts(ticket_id=ticket_id), [])
    for event in streams.get((ticket_id, Topic.SLA.value), ()):
        promises.fold(cast(SlaEvent, event))
    promises.summarise()
    return {
        **{name: getattr(facts, column) for name, column in _TICKET.items()},
        "resolved_at": None if facts.is_open else facts.resolved_at,
        **{name: getattr(routing, name) for name in _ROUTING},
        **{name: getattr(promises.facts, name) for name in _PROMISES},
    }
