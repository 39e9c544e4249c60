"""Wishes of routing's rules on the real PostgreSQL: done once, named, and one that is refused stops no other."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from shared.events import Actor, ActorKind, Channel, Event, Priority
from shared.events.tickets import PriorityChanged, TagsChanged
from shared.events.triage import TriageRequested
from shared.messaging import Received
from shared.topics import Topic
from tests.integration.intake.desk import Caller, Desk

pytestmark = pytest.mark.integration


def a_wish(ticket_id: str, **said) -> TriageRequested:
    now = datetime.now(UTC)
    return TriageRequested(
        version=1,
        occurred_at=now,
        recorded_at=now,
        actor=Actor(kind=ActorKind.SYSTEM, id="routing"),
        via=Channel.SYSTEM,
        correlation_id="the-request",
        ticket_id=UUID(ticket_id),
        number=2,
        rule="vip",
        rules_version=3,
        previous_priority=Priority.NORMAL,
        **said,
    )


async def heard(desk: Desk, *events: Event) -> None:
    (consumer,) = desk.service.consumers
    batch: Sequence[Received] = [Received(Topic.TRIAGE, 0, 0, event, b"") for event in events]
    await asyncio.to_thread(desk.store.transact, lambda tx: consumer._handler(tx, batch))


async def test_a_rule_sets_priority_and_tags_and_is_named_as_the_cause(
    desk: Desk, agent: Caller
) -> None:
    opened = await agent.open(requester={"id": "cora"}, tags=["old"])
    wish = a_wish(opened["ticket_id"], priority=Priority.URGENT, tags=("vip",))
    await heard(desk, wish)
    _, urgent, tagged = await desk.events(opened["ticket_id"])
    assert isinstance(urgent, PriorityChanged)
    assert isinstance(tagged, TagsChanged)
    assert (urgent.priority, urgent.previous) == (Priority.URGENT, Priority.NORMAL)
    assert (tagged.tags, tagged.added) == (("old", "vip"), ("vip",))
    for event in (urgent, tagged):
        assert (event.actor.name, event.causation_id) == ("Routing rules", wish.event_id)
        assert event.correlation_id == "the-request"


async def test_what_one_ticket_refuses_stops_no_other(desk: Desk, agent: Caller) -> None:
    full = await agent.open(requester={"id": "cora"}, tags=[f"t{n}" for n in range(50)])
    other = await agent.open(requester={"id": "cora"})
    await heard(
        desk,
        a_wish(full["ticket_id"], tags=tuple(f"x{n}" for n in range(60))),
        a_wish("01900000-0000-7000-8000-00000000dead", tags=("x",)),
        a_wish(other["ticket_id"], tags=("vip",)),
    )
    assert await desk.names(full["ticket_id"]) == ["TicketOpened"]
    assert await desk.names(other["ticket_id"]) == ["TicketOpened", "TagsChanged"]
