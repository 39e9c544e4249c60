"""What lies far behind is worked off by processes beside the reader's own: each event once, whatever dies or stops."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import psutil
import pytest
from aiokafka import AIOKafkaProducer

from shared.events import Event, Owner, encode
from shared.identifiers import new_id
from shared.messaging.catching_up import CatchUp
from shared.messaging.records import headers_of
from shared.observability import metrics
from shared.topics import Topic
from tests.integration.plumbing.conftest import Place
from tests.integration.plumbing.readers import Table, is_in_order, note
from tests.support.events import noted, opened
from tests.support.topics import PARTITIONS
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

STREAMS = 60
VERSIONS = 20
POISON = "poison"


def noting() -> Callable[[Any, Any], None]:
    """Made in each process."""
    return note


def noting_slowly() -> Callable[[Any, Any], None]:
    """So that there is a middle."""

    def slowly(tx: Any, batch: Any) -> None:
        tx.cursor.execute("SELECT pg_sleep(0.15)")
        note(tx, batch)

    return slowly


def refusing_poison() -> Callable[[Any, Any], None]:
    """Cannot read one kind of event."""

    def refuse(tx: Any, batch: Any) -> None:
        for received in batch:
            if getattr(received.event, "body", None) == POISON:
                raise ValueError("cannot read it")
        note(tx, batch)

    return refuse


@pytest.fixture
async def producer(place: Place) -> AsyncIterator[AIOKafkaProducer]:
    made = AIOKafkaProducer(bootstrap_servers=place.servers.kafka)
    await made.start()
    yield made
    await made.stop()


async def publish(place: Place, producer: AIOKafkaProducer, *events: Event) -> None:
    for event in events:
        raw = encode(event)
        await producer.send(
            place.prefix + Topic.TICKETS,
            raw,
            partition=event.stream_id.int % PARTITIONS,
            headers=headers_of(Owner.INTAKE, event.stream_id, event.version, event.wire_type, raw),
        )
    await producer.flush()


def backlog() -> list[Event]:
    streams = [new_id() for _ in range(STREAMS)]
    return [
        opened(stream) if version == 1 else noted(stream, version)
        for version in range(1, VERSIONS + 1)
        for stream in streams
    ]


def a_table(place: Place, handler: Callable[[], Any], instance: str = "1") -> Table:
    return Table(
        place,
        instance,
        catch_up=CatchUp(handler, processes=2, behind_min=400),
        consumer_batch_max=100,
    )


@contextlib.asynccontextmanager
async def reading(table: Table) -> AsyncIterator[Table]:
    await table.consumer.start()
    try:
        yield table
    finally:
        await table.consumer.stop()
        await table.close()


def workers() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if any("spawn_main" in word for word in child.cmdline()):
                found.append(child)
    return found


def count_of(table: Table) -> int:
    return int(table.rows("SELECT count(*) AS n FROM applied")[0]["n"])


async def at_least(table: Table, count: int) -> None:
    await eventually(
        lambda: count_of(table) >= count, seconds_max=60, what=f"{count} events are applied"
    )


def require_each_once(table: Table, events: list[Event]) -> None:
    assert count_of(table) == len(events)
    for stream in {event.stream_id for event in events}:
        versions = table.versions(stream)
        assert is_in_order(versions)
        assert len(versions) == VERSIONS


async def test_each_event_is_applied_once_in_order_and_told(place: Place, producer) -> None:
    events = backlog()
    await publish(place, producer, *events)
    counter = metrics.CONSUMER_APPLIED.labels("reader")._value
    before = counter.get()
    async with reading(a_table(place, noting)) as table:
        seen = await eventually(workers, seconds_max=30, what="processes work it off")
        await at_least(table, len(events))
        await eventually(lambda: len(table.told) == len(events), what="all are told")
        await eventually(lambda: not workers(), what="the processes end")
        assert len(seen) <= 2
        require_each_once(table, events)
        assert sorted(table.told) == sorted(
            (str(event.stream_id), event.version) for event in events
        )
        assert table.consumer.problem is None
        late = noted(events[0].stream_id, VERSIONS + 1)
        await publish(place, producer, late)
        await at_least(table, len(events) + 1)
        await eventually(
            lambda: set(table.consumer.lag().values()) == {0}, what="the lag is known again"
        )
        assert counter.get() - before == len(events) + 1


async def test_records_of_an_aborted_transaction_leave_a_hole_that_is_passed(
    place: Place, producer
) -> None:
    events = backlog()
    middle = len(events) // 2
    await publish(place, producer, *events[:middle])
    stranger = AIOKafkaProducer(
        bootstrap_servers=place.servers.kafka, transactional_id=f"{place.prefix}stranger"
    )
    await stranger.start()
    await stranger.begin_transaction()
    await stranger.send_and_wait(place.prefix + Topic.TICKETS, b"never", partition=0)
    await stranger.abort_transaction()
    await stranger.stop()
    await publish(place, producer, *events[middle:])
    async with reading(a_table(place, noting)) as table:
        await eventually(workers, what="processes work it off")
        await at_least(table, len(events))
        require_each_once(table, events)


async def test_a_process_that_is_killed_costs_nothing(place: Place, producer) -> None:
    events = backlog()
    await publish(place, producer, *events)
    async with reading(a_table(place, noting_slowly)) as table:
        await eventually(workers, what="processes work it off")
        victim, *_ = workers()
        victim.kill()
        await eventually(lambda: not workers(), what="the other ends too")
        await at_least(table, len(events))
        require_each_once(table, events)
        await eventually(lambda: table.consumer.problem is None, what="the reader is well")


async def test_stopped_in_the_middle_the_next_one_goes_on(place: Place, producer) -> None:
    events = backlog()
    await publish(place, producer, *events)
    async with reading(a_table(place, noting_slowly)) as table:
        await eventually(lambda: workers() and count_of(table), what="processes work it off")
    assert not workers()
    async with reading(a_table(place, noting)) as table:
        half = count_of(table)
        assert 0 < half < len(events)
        await at_least(table, len(events))
        require_each_once(table, events)


async def test_a_second_reader_takes_its_share_in_the_middle(place: Place, producer) -> None:
    events = backlog()
    await publish(place, producer, *events)
    async with reading(a_table(place, noting_slowly)) as one:
        await at_least(one, 1)
        async with reading(a_table(place, noting_slowly, "2")) as two:
            await at_least(two, len(events))
            require_each_once(two, events)
            await eventually(
                lambda: two.consumer.lag() and one.consumer.lag(), what="both have partitions"
            )


async def test_poison_is_set_aside_and_the_rest_goes_on(place: Place, producer) -> None:
    events = backlog()
    sick = new_id()
    # In the middle: the service itself applies the first batch, before it knows how much there is.
    events[600:600] = [opened(sick), noted(sick, 2, POISON), noted(sick, 3)]
    await publish(place, producer, *events)
    async with reading(a_table(place, refusing_poison)) as table:
        await at_least(table, len(events) - 2)
        (parked,) = table.consumer.parked()
        assert (parked.stream_id, parked.version) == (sick, 2)
        assert table.versions(sick) == [1]


async def test_another_log_than_the_one_that_was_read_is_noticed(place: Place, producer) -> None:
    events = backlog()
    await publish(place, producer, *events)
    table = a_table(place, noting)

    def pretend(tx: Any) -> None:
        tx.cursor.execute(
            "INSERT INTO consumer_positions (consumer, topic, partition, position, last_record)"
            " SELECT 'reader', %s, n, 5, 'intake:of another log:1' FROM generate_series(0, %s) AS n",
            (Topic.TICKETS.value, PARTITIONS - 1),
        )

    await asyncio.to_thread(table.database.transact, pretend)
    async with reading(table):
        problem = await eventually(
            lambda: (said := table.consumer.problem) and "LogReplaced" in said and said,
            seconds_max=30,
            what="it says so",
        )
        assert "of another log" in problem
    assert not workers()
