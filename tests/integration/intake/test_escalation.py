"""Steps of escalation ladders raise a ticket's priority: once, never down, and without reading what is not wanted."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from shared.events.base import Actor, ActorKind, Event, Priority
from shared.events.sla import SlaEscalationStep, SlaStarted
from shared.events.tickets import PriorityChanged
from shared.topics import Topic
from tests.integration.intake.desk import Caller, Desk
from tests.integration.plumbing.readers import Log
from tests.support.events import stamp

pytestmark = pytest.mark.integration

SLA = Actor(kind=ActorKind.SYSTEM, id="sla")


class Partition(Log):
    """One partition of sla.v1, as this installation names it."""

    def __init__(self, desk: Desk) -> None:
        # Far behind what other tests may have applied of this partition.
        super().__init__(desk.service.settings.topic_prefix, Topic.SLA, partition=7)


def step(ticket_id: str, version: int, to: Priority | None) -> SlaEscalationStep:
    now = datetime.now(UTC)
    return SlaEscalationStep(
        **stamp(version, now, SLA),
        ticket_id=UUID(ticket_id),
        metric="first_reply",
        cycle=1,
        policy_id="gold",
        policy_version=1,
        priority=Priority.NORMAL,
        target_seconds=60,
        step=version,
        steps_count=9,
        planned_at=now,
        raise_priority=to,
    )


@pytest.fixture(scope="module")
def partition(desk: Desk) -> Partition:
    return Partition(desk)


async def heard(desk: Desk, partition: Partition, *events: Event) -> None:
    (consumer,) = desk.service.consumers
    records = [partition.put(event) for event in events]
    assert await asyncio.to_thread(consumer._apply_records, records) == {}


async def raised(desk: Desk, ticket_id: str) -> list[PriorityChanged]:
    return [e for e in await desk.events(ticket_id) if isinstance(e, PriorityChanged)]


async def test_a_step_raises_once_whatever_is_delivered_again(
    desk: Desk, agent: Caller, partition: Partition
) -> None:
    ticket = (await agent.open(requester={"id": "ben"}))["ticket_id"]
    urgent = step(ticket, 5, Priority.URGENT)  # versions 1 to 4 are none of intake's business
    await heard(desk, partition, urgent)
    (change,) = await raised(desk, ticket)
    assert (change.priority, change.previous) == (Priority.URGENT, Priority.NORMAL)
    assert (change.actor.id, change.causation_id) == ("sla", urgent.event_id)
    lowered = await agent.send("PATCH", f"/v1/tickets/{ticket}", {"priority": "low"})
    assert lowered.status_code == 200
    await heard(desk, partition, urgent)
    assert [c.priority for c in await raised(desk, ticket)] == [Priority.URGENT, Priority.LOW]


async def test_a_step_never_lowers_and_says_nothing_without_a_priority(
    desk: Desk, agent: Caller, partition: Partition
) -> None:
    ticket = (await agent.open(requester={"id": "ben"}, priority="urgent"))["ticket_id"]
    await heard(desk, partition, step(ticket, 1, Priority.HIGH), step(ticket, 2, None))
    assert await raised(desk, ticket) == []


async def test_an_ended_ticket_stays_as_it_is(
    desk: Desk, agent: Caller, partition: Partition
) -> None:
    ticket = (await agent.open(requester={"id": "ben"}))["ticket_id"]
    await agent.post(f"/v1/tickets/{ticket}/close", {})
    await heard(desk, partition, step(ticket, 1, Priority.URGENT))
    assert await raised(desk, ticket) == []


async def test_what_is_not_wanted_leaves_nothing_behind(
    desk: Desk, agent: Caller, partition: Partition
) -> None:
    ticket = (await agent.open(requester={"id": "ben"}))["ticket_id"]
    now = datetime.now(UTC)
    fields: dict[str, Any] = {
        name: getattr(step(ticket, 1, None), name)
        for name in ("ticket_id", "metric", "cycle", "policy_id", "policy_version", "priority")
    }
    started = SlaStarted(
        **stamp(1, now, SLA), **fields, target_seconds=60, started_at=now, due_at=now
    )
    await heard(desk, partition, started)
    gate = await desk.rows("SELECT * FROM stream_versions WHERE stream_id = %s", UUID(ticket))
    assert gate == []
    await heard(desk, partition, step(ticket, 2, Priority.HIGH))
    assert len(await raised(desk, ticket)) == 1


async def test_a_step_meets_a_change_of_the_same_moment_and_both_happen(
    desk: Desk, agent: Caller, partition: Partition
) -> None:
    tickets = [(await agent.open(requester={"id": "ben"}))["ticket_id"] for _ in range(20)]
    await asyncio.gather(
        heard(desk, partition, *(step(ticket, 1, Priority.URGENT) for ticket in tickets)),
        *(agent.post(f"/v1/tickets/{ticket}/notes", {"body": "x"}) for ticket in tickets),
    )
    for ticket in tickets:
        assert len(await raised(desk, ticket)) == 1
        assert "NoteAdded" in await desk.names(ticket)
