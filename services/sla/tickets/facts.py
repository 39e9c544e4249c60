"""Wire events of intake and routing, as the facts that the engine judges; one line each."""

from typing import Any, Final

from services.sla import engine
from services.sla.tickets.states import Row
from shared.events import assignments, tickets
from shared.events.base import ActorKind, Event

_TEXT_MAX: Final = 200
"""Longer texts are not conditions of a promise; keeping them would only make every state larger."""

_SPAM: Final = "spam"


def fact_of(event: Event, row: Row, *, with_assignments: bool) -> engine.Fact | None:
    """What this event says to the engine; None: nothing.

    Args:
        event: of intake or routing.
        row: the ticket as known before it.
        with_assignments: whether any promise depends on who has the ticket.
    """
    if isinstance(event, tickets.TicketOpened):
        return _created(event, row)
    if row.state is None or (not with_assignments and event.OWNER == "routing"):
        return None
    return _told(event, row.state)


def note_assignment(event: Event, row: Row) -> None:
    """Remember who has the ticket: breaches name group and agent."""
    match event:
        case assignments.GroupChanged():
            row.group_id = event.group_id
        case assignments.TicketAssigned():
            row.agent_id, row.group_id = event.agent_id, event.group_id
        case assignments.TicketUnassigned():
            row.agent_id = None
        case _:
            pass


def catch_up_facts(event: Event, row: Row) -> list[engine.Fact]:
    """What routing said before the engine was interested, so that it does not stay unknown."""
    assert row.state is not None
    known = row.state.attributes
    missed: list[engine.Fact] = []
    if known.get("group") != row.group_id:
        missed.append(engine.GroupChanged(at=event.occurred_at, group=row.group_id))
    if known.get("assignee") != row.agent_id:
        missed.append(engine.Assigned(at=event.occurred_at, assignee=row.agent_id))
    return missed


def _told(event: Event, state: engine.State) -> engine.Fact | None:  # noqa: C901, PLR0911, PLR0912  # one line a kind
    at = event.occurred_at
    match event:
        case tickets.CustomerReplied():
            if event.courtesy is not None:  # a mere "thank you" waits for no answer
                return engine.NoteAdded(at=at)
            return engine.CustomerReplied(at=at)
        case tickets.AgentReplied():
            return engine.AgentReplied(
                at=at,
                human=not event.is_automatic,
                by_requester=event.actor.id == state.attributes.get("requester.id"),
            )
        case tickets.StatusChanged():
            return engine.StatusChanged(at=at, category=event.category.value)
        case tickets.PriorityChanged():
            return engine.PriorityChanged(at=at, priority=event.priority.value)
        case tickets.TypeChanged():
            return engine.AttributesChanged(at=at, attributes={"type": event.ticket_type})
        case tickets.TagsChanged():
            return engine.AttributesChanged(at=at, attributes={"tags": list(event.tags)})
        case tickets.FieldsChanged():
            changes = {key: change.value for key, change in event.changes.items()}
            return engine.AttributesChanged(at=at, attributes=_fields(changes))
        case tickets.TicketResolved():
            return engine.Resolved(at=at)
        case tickets.TicketClosed():
            if event.reason == _SPAM:
                return engine.Discarded(at=at, reason="spam")
            return engine.Closed(at=at)
        case tickets.TicketReopened():
            by_customer = event.actor.kind is ActorKind.CUSTOMER
            return engine.Reopened(at=at, category=event.category.value, by_customer=by_customer)
        case tickets.TicketMerged():
            return engine.Merged(at=at)
        case tickets.TicketUnmerged():
            return engine.Unmerged(at=at, category=event.category.value)
        case tickets.MergeReceived():
            return engine.MergeReceived(at=at, customer_message=event.has_open_customer_message)
        case assignments.GroupChanged():
            return engine.GroupChanged(at=at, group=event.group_id)
        case assignments.TicketAssigned():
            return engine.Assigned(at=at, assignee=event.agent_id)
        case assignments.TicketUnassigned():
            return engine.Assigned(at=at, assignee=None)
        case _:
            return None


def _created(event: tickets.TicketOpened, row: Row) -> engine.Created:
    attributes: dict[str, Any] = {
        "channel": event.via.value,
        "type": event.ticket_type,
        "tags": list(event.tags),
        "language": event.language,
        "requester.id": event.requester.id,
        "requester.organization": event.requester.organization,
        "requester.tier": event.requester.tier,
        "group": row.group_id,
        "assignee": row.agent_id,
        **_fields(event.fields),
    }
    return engine.Created(
        at=event.occurred_at,
        direction="outbound" if event.is_outbound or event.is_internal else "inbound",
        category=event.category.value,
        priority=event.priority.value,
        attributes={key: value for key, value in attributes.items() if value not in (None, [])},
    )


def _fields(values: dict[str, Any]) -> dict[str, Any]:
    return {
        f"fields.{key}": value
        for key, value in values.items()
        if not (isinstance(value, str) and len(value) > _TEXT_MAX)
    }
