"""Postponed tickets come back at their very moment, once, whoever is there to wake them."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.intake.app import Intake
from services.intake.timers import PostponementTimer
from shared.clock import SystemClock
from shared.events import ActorKind, Channel
from shared.events import StatusCategory as C
from shared.eventstore import GroupCommitter

pytestmark = pytest.mark.integration

FOR_BEN = {"requester": {"id": "ben"}}
SECONDS_MAX = 20


def intake_of(desk) -> Intake:
    """The verbs over the desk's store, as another part of the same process."""
    return Intake(desk.store, GroupCommitter(desk.store))


def postponed(until: datetime) -> dict:
    return {"status": {"category": "postponed", "until": until.isoformat()}}


async def a_ticket_overdue(importer, until: datetime) -> str:
    """A ticket whose postponement ended while nobody was there: told as history."""
    ticket = (await importer.open(**FOR_BEN))["ticket_id"]
    past = {"via": "import", "occurred_at": (until - timedelta(hours=1)).isoformat()}
    answer = await importer.send("PATCH", f"/v1/tickets/{ticket}", postponed(until) | past)
    assert answer.status_code == 200, answer.text
    return ticket


async def waiting(desk, ticket: str) -> list[dict]:
    return await desk.rows("SELECT until FROM postponements WHERE ticket_id = %s", UUID(ticket))


@asynccontextmanager
async def running(timer: PostponementTimer):
    task = asyncio.create_task(timer.run())
    try:
        yield
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def until_opened(desk, ticket: str) -> None:
    """Waits for commits until the ticket is open again."""
    loop, committed = asyncio.get_running_loop(), asyncio.Event()
    desk.store.on_commit(
        lambda: None if loop.is_closed() else loop.call_soon_threadsafe(committed.set)
    )
    async with asyncio.timeout(SECONDS_MAX):
        while (await desk.events(ticket))[-1].category is not C.OPEN:
            await committed.wait()
            committed.clear()


async def test_a_ticket_is_woken_at_its_moment_and_not_before(desk, agent):
    # The desk's own verbs ring the bell of the desk's own timer, so both must be of one `Intake`.
    timer = desk.service._task_makers[0].__self__
    async with running(timer):
        ticket = (await agent.open(**FOR_BEN))["ticket_id"]
        until = datetime.now(UTC) + timedelta(seconds=1)
        await agent.send("PATCH", f"/v1/tickets/{ticket}", postponed(until))
        assert [row["until"] for row in await waiting(desk, ticket)] == [until]
        await until_opened(desk, ticket)
    woken = (await desk.events(ticket))[-1]
    assert (woken.previous_category, woken.cause) == (C.POSTPONED, "postponement_over")
    assert (woken.actor.kind, woken.via) == (ActorKind.SYSTEM, Channel.SYSTEM)
    assert woken.occurred_at == until
    assert until <= woken.recorded_at
    assert await waiting(desk, ticket) == []


async def test_what_ended_while_nobody_was_there_is_woken_at_the_start(desk, importer):
    until = datetime.now(UTC) - timedelta(hours=3)
    ticket = await a_ticket_overdue(importer, until)
    async with running(PostponementTimer(intake_of(desk), SystemClock())):
        await until_opened(desk, ticket)
    assert (await desk.events(ticket))[-1].occurred_at == until


async def test_two_processes_wake_a_ticket_once(desk, importer, second_desk):
    until = datetime.now(UTC) - timedelta(minutes=1)
    tickets = [await a_ticket_overdue(importer, until) for _ in range(5)]
    one, two = intake_of(desk), intake_of(second_desk)
    await asyncio.gather(
        *(asyncio.to_thread(each.end_postponements, "c-1") for each in (one, two, one, two))
    )
    for ticket in tickets:
        assert await desk.names(ticket) == ["TicketOpened", "StatusChanged", "StatusChanged"]


async def test_a_ticket_that_came_back_by_itself_is_not_woken(desk, agent, customer):
    ticket = (await customer.open())["ticket_id"]
    await agent.send(
        "PATCH", f"/v1/tickets/{ticket}", postponed(datetime.now(UTC) + timedelta(days=2))
    )
    await customer.post(f"/v1/tickets/{ticket}/replies", {"body": "I cannot wait"})
    assert await waiting(desk, ticket) == []
    assert (await desk.events(ticket))[-1].category is C.OPEN


async def test_a_postponement_that_is_refused_leaves_no_trace(desk, agent):
    ticket = (await agent.open(**FOR_BEN))["ticket_id"]
    answer = await agent.send(
        "PATCH", f"/v1/tickets/{ticket}", postponed(datetime.now(UTC) - timedelta(days=2))
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "postponement_is_out_of_range")
    assert await waiting(desk, ticket) == []


async def test_the_next_moment_is_the_earliest_that_is_left(desk, agent):
    first, second = (datetime.now(UTC) + timedelta(seconds=seconds) for seconds in (60, 70))
    for until in (second, first):
        ticket = (await agent.open(**FOR_BEN))["ticket_id"]
        await agent.send("PATCH", f"/v1/tickets/{ticket}", postponed(until))
    left = await asyncio.to_thread(intake_of(desk).end_postponements, "c-1")
    assert left == first
