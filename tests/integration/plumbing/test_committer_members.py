"""What one member of a group does or suffers never reaches its neighbours, and everybody gets an answer."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from shared.eventstore import EventStore, GroupCommitter
from shared.eventstore.store import EVENT_BYTES_MAX, EventTooLarge
from shared.identifiers import new_id
from shared.observability.correlation import correlated, current_correlation_id
from tests.support.events import opened
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


def open_ticket(ticket_id, **changes):
    def work(tx):
        tx.append(opened(ticket_id, **changes))
        return {"ticket_id": str(ticket_id)}

    return work


@asynccontextmanager
async def one_group(committer: GroupCommitter[int]) -> AsyncIterator[None]:
    """What is submitted within goes into one transaction: the writer is kept busy meanwhile."""
    is_busy, may_go = threading.Event(), threading.Event()

    def keep_busy(_tx):
        is_busy.set()
        may_go.wait(30)
        return {}

    busy = asyncio.create_task(committer.submit(keep_busy))
    await asyncio.to_thread(is_busy.wait, 30)
    try:
        yield
    finally:
        may_go.set()
        await busy


async def together(committer: GroupCommitter[int], *works) -> list[Any]:
    async with one_group(committer):
        tasks = [asyncio.create_task(committer.submit(work)) for work in works]
        await waiting(committer, len(tasks))
    return await within_limit(asyncio.gather(*tasks, return_exceptions=True))


async def waiting(committer: GroupCommitter[int], count: int) -> None:
    await eventually(lambda: committer._queue.qsize() >= count, what=f"{count} in the queue")


async def within_limit(answers: Awaitable[Any]) -> Any:
    async with asyncio.timeout(20):
        return await answers


async def test_work_that_ends_with_stop_iteration_strands_nobody(store: EventStore[int]):
    committer = GroupCommitter(store)
    fine = new_id()
    wrong, right = await together(committer, lambda _tx: next(iter(())), open_ticket(fine))
    await committer.stop()
    assert isinstance(wrong, RuntimeError)
    assert right.result == {"ticket_id": str(fine)}


async def test_a_value_past_the_limits_of_postgresql_fails_only_its_own_member(
    store: EventStore[int],
):
    store.transact(
        lambda tx: (
            tx.cursor.execute("CREATE TABLE IF NOT EXISTS names (t text PRIMARY KEY)") and None
        )
    )
    committer = GroupCommitter(store, isolate=True)
    too_long = "".join(str(new_id()) for _ in range(1000))

    def write(tx):
        tx.cursor.execute("INSERT INTO names VALUES (%s)", (too_long,))
        return {}

    fine = new_id()
    wrong, right = await together(committer, write, open_ticket(fine))
    await committer.stop()
    assert isinstance(wrong, psycopg.errors.ProgramLimitExceeded)
    assert right.result == {"ticket_id": str(fine)}


async def test_an_event_too_large_fails_only_its_own_member(store: EventStore[int]):
    committer = GroupCommitter(store)
    fine = new_id()
    wrong, right = await together(
        committer, open_ticket(new_id(), body="x" * EVENT_BYTES_MAX), open_ticket(fine)
    )
    await committer.stop()
    assert isinstance(wrong, EventTooLarge)
    assert right.result == {"ticket_id": str(fine)}


async def test_an_outage_gives_each_member_an_error_of_its_own(store: EventStore[int]):
    committer = GroupCommitter(store)

    def locked(_tx):
        raise psycopg.errors.LockNotAvailable("canceling statement due to lock timeout")

    one, two = await together(committer, locked, open_ticket(new_id()))
    await committer.stop()
    assert type(one) is type(two) is psycopg.errors.LockNotAvailable
    assert one is not two, "two callers raising one exception mix up its traceback and context"


async def test_what_is_submitted_while_the_writer_stops_is_still_answered(store: EventStore[int]):
    committer = GroupCommitter(store)
    ticket = new_id()
    async with one_group(committer):
        stopping = asyncio.create_task(committer.stop())
        await waiting(committer, 1)
        late = asyncio.create_task(committer.submit(open_ticket(ticket)))
        await waiting(committer, 2)
    await within_limit(stopping)
    assert (await within_limit(late)).result == {"ticket_id": str(ticket)}
    assert committer._thread is None


async def test_a_caller_that_gives_up_takes_no_neighbour_with_it(store: EventStore[int]):
    committer = GroupCommitter(store)
    ids = [new_id() for _ in range(3)]
    async with one_group(committer):
        tasks = [asyncio.create_task(committer.submit(open_ticket(ticket))) for ticket in ids]
        await waiting(committer, 3)
        tasks[1].cancel()
    answers = await within_limit(asyncio.gather(*tasks, return_exceptions=True))
    await committer.stop()
    assert isinstance(answers[1], asyncio.CancelledError)
    assert [answers[i].result["ticket_id"] for i in (0, 2)] == [str(ids[0]), str(ids[2])]
    assert [len(store.history(ticket)) for ticket in ids] == [1, 1, 1], (
        "it was asked, so it is done"
    )


async def test_what_a_command_logs_carries_the_correlation_id_of_its_request(
    store: EventStore[int],
):
    committer = GroupCommitter(store)

    def tell(_tx):
        return {"id": current_correlation_id()}

    with correlated("request-1"):
        outcome = await committer.submit(tell)
    await committer.stop()
    assert outcome.result == {"id": "request-1"}
