"""Where reading begins, goes back and stops, on a real Kafka: offsets, holes, headers, a topic made anew."""

import asyncio
import contextlib
import gc
import time

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import CommitFailedError
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import ConsumerRecord

from shared.events import Owner, encode
from shared.identifiers import new_id
from shared.messaging.asking import FILL_BYTES
from shared.messaging.records import headers_of
from shared.topics import Topic
from tests.integration.plumbing.conftest import Place
from tests.integration.plumbing.readers import Table
from tests.support.events import noted, opened
from tests.support.topics import PARTITIONS, make_anew
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


class Publisher:
    """Publishes by hand, as the relay does or as it never would."""

    def __init__(self, place: Place, producer: AIOKafkaProducer) -> None:
        self._topic = place.prefix + Topic.TICKETS
        self._producer = producer

    async def __call__(self, event, *, partition: int = 0, more=()) -> None:
        raw = encode(event)
        headers = headers_of(Owner.INTAKE, event.stream_id, event.version, event.wire_type, raw)
        await self._producer.send_and_wait(
            self._topic, raw, partition=partition, headers=[*headers, *more]
        )


@contextlib.asynccontextmanager
async def publishing(place: Place, **options):
    producer = AIOKafkaProducer(bootstrap_servers=place.servers.kafka, **options)
    await producer.start()
    try:
        yield Publisher(place, producer)
    finally:
        await producer.stop()


@contextlib.asynccontextmanager
async def reading(table: Table):
    await table.consumer.start()
    try:
        yield table
    finally:
        await table.consumer.stop()


async def applied(table: Table, count: int) -> None:
    async def is_there() -> bool:
        rows = await asyncio.to_thread(table.rows, "SELECT count(*) AS n FROM applied")
        return rows[0]["n"] >= count

    await eventually(is_there, what=f"{count} applied")


async def committed(place: Place, partition: int = 0) -> int | None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=place.servers.kafka,
        group_id=f"{place.prefix}reader",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        return await consumer.committed(TopicPartition(place.prefix + Topic.TICKETS, partition))
    finally:
        await consumer.stop()


async def test_a_header_that_is_no_text_does_not_stop_its_partition(place: Place):
    first, second = new_id(), new_id()
    table = Table(place)
    async with publishing(place) as publish, reading(table):
        await publish(opened(first), more=[("trace", b"\xff\xfe")])
        await publish(opened(second))
        await applied(table, 2)
    await table.close()


async def test_records_of_an_aborted_transaction_leave_a_hole_that_is_passed(place: Place):
    table = Table(place)
    ticket = new_id()
    topic = place.prefix + Topic.TICKETS
    stranger = AIOKafkaProducer(
        bootstrap_servers=place.servers.kafka, transactional_id=f"{place.prefix}stranger"
    )
    await stranger.start()
    async with publishing(place) as publish, reading(table):
        await publish(opened(ticket))
        await applied(table, 1)
        await stranger.begin_transaction()
        await stranger.send_and_wait(topic, b"never", partition=0)
        await stranger.abort_transaction()
        await publish(noted(ticket, 2))
        await applied(table, 2)
    await stranger.stop()
    assert table.versions(ticket) == [1, 2]
    await table.close()


async def test_after_a_restart_there_is_no_lag_where_nothing_is_new(place: Place):
    table = Table(place)
    async with publishing(place) as publish, reading(table):
        for partition in range(PARTITIONS):
            await publish(opened(new_id()), partition=partition)
        await applied(table, PARTITIONS)
    again = Table(place)
    async with reading(again):
        lag = await eventually(
            lambda: (lag := again.consumer.lag()) and len(lag) >= PARTITIONS and lag
        )
        assert set(lag.values()) == {0}
    await table.close()
    await again.close()


async def test_a_reader_that_stops_tells_kafka_how_far_it_came(place: Place):
    table = Table(place)
    async with publishing(place) as publish, reading(table):
        for _ in range(3):
            await publish(opened(new_id()), partition=2)
        await applied(table, 3)
    assert await committed(place, 2) == 3
    await table.close()


async def test_what_was_applied_is_given_back_without_the_collector(place: Place):
    table = Table(place)
    count = 30
    async with publishing(place) as publish, reading(table):
        gc.collect()
        gc.disable()
        try:
            for done in range(1, count + 1):
                await publish(opened(new_id()))
                await applied(table, done)
            alive = sum(isinstance(one, ConsumerRecord) for one in gc.get_objects())
        finally:
            gc.enable()
    assert alive < count / 3, "batches that were applied long ago are still in memory"
    await table.close()


async def test_a_database_put_back_reads_again_without_waiting_for_a_new_record(place: Place):
    table = Table(place)
    async with publishing(place) as publish, reading(table):
        for partition in range(PARTITIONS):
            await publish(opened(new_id()), partition=partition)
        await applied(table, PARTITIONS)
        await eventually(lambda: committed(place, PARTITIONS - 1))

    def put_back(tx):
        for name in ("applied", "stream_versions", "consumer_positions"):
            tx.cursor.execute(f"TRUNCATE {name}")

    table.database.transact(put_back)
    again = Table(place)
    async with reading(again):
        await applied(again, PARTITIONS)
    await table.close()
    await again.close()


async def test_a_topic_made_anew_is_said_aloud_and_not_taken_for_applied(place: Place):
    table = Table(place)
    async with publishing(place) as publish, reading(table):
        for _ in range(5):
            await publish(opened(new_id()))
        await applied(table, 5)
    await make_anew(place.servers.kafka, place.prefix + Topic.TICKETS)
    again = Table(place)
    async with publishing(place) as publish, reading(again):
        await publish(opened(new_id()))
        await eventually(lambda: "LogReplaced" in (again.consumer.problem or ""))
    await table.close()
    await again.close()


async def test_a_topic_made_anew_is_known_when_it_has_grown_past_what_was_read(place: Place):
    table = Table(place)
    async with publishing(place) as publish, reading(table):
        for _ in range(5):
            await publish(opened(new_id()), partition=0)
        await applied(table, 5)
    await make_anew(place.servers.kafka, place.prefix + Topic.TICKETS)
    again = Table(place)
    async with publishing(place) as publish:
        for _ in range(9):
            await publish(opened(new_id()), partition=0)
        async with reading(again):
            await eventually(lambda: "LogReplaced" in (again.consumer.problem or ""))
    assert len(again.rows("SELECT * FROM applied")) == 5
    await table.close()
    await again.close()


async def test_a_commit_that_kafka_refuses_costs_nothing(place: Place):
    table = Table(place)
    ticket = new_id()
    async with publishing(place) as publish, reading(table):
        kafka = table.consumer._subscriber.consumer
        commit = kafka.commit

        async def refuse(*_):
            raise CommitFailedError("the group has rebalanced")

        kafka.commit = refuse
        await publish(opened(ticket))
        await applied(table, 1)
        kafka.commit = commit
        await publish(noted(ticket, 2))
        await applied(table, 2)
        assert table.consumer.problem is None
    assert table.versions(ticket) == [1, 2]
    await table.close()


async def test_a_consumer_stops_while_its_database_is_away(place: Place):
    table = Table(place)
    async with publishing(place) as publish:
        await table.consumer.start()

        def away(_tx, _batch):
            raise OSError("the database is away")

        table.on_batch = away
        await publish(opened(new_id()))
        await eventually(lambda: "away" in (table.consumer.problem or ""))
        async with asyncio.timeout(10):
            await table.consumer.stop()
    assert table.rows("SELECT * FROM consumer_positions") == []
    await table.close()


async def test_a_broker_that_answers_no_fetch_is_a_problem_and_an_idle_topic_is_none(place: Place):
    table = Table(place)
    async with publishing(place) as publish, reading(table):
        await publish(opened(new_id()))
        await applied(table, 1)
        # Its rows are seen before its batch is over, and the quiet begins with the end of the batch.
        await table.consumer._idle.wait()
        kafka = table.consumer._subscriber.consumer
        table.consumer._quiet_since -= 90  # as if nothing had come since
        await eventually(lambda: table.consumer.problem is None, what="an answer to a fetch")
        kafka.last_poll_timestamp = lambda _: (time.time() - 75) * 1000
        assert "has not answered for 75 s" in (table.consumer.problem or "")
    await table.close()


async def test_while_nothing_comes_kafka_is_asked_for_the_next_event_and_not_for_a_batch(
    place: Place,
):
    table = Table(place)
    asked: list[tuple[int, int]] = []
    async with publishing(place) as publish, reading(table):
        client = table.consumer._subscriber.consumer._client
        send = client.send

        async def note(node, request, **options):
            if isinstance(request, FetchRequest):
                asked.append((request._min_bytes, request._max_wait_ms))
            return await send(node, request, **options)

        client.send = note
        filling, waiting = (FILL_BYTES, table.settings.consumer_wait_ms_max), (1, 500)
        await eventually(lambda: asked and asked[-1] == waiting, what="quiet")
        await publish(opened(new_id()))
        await applied(table, 1)
        await eventually(lambda: filling in asked[asked.index(waiting) :], what="batches again")
        await eventually(lambda: asked[-1] == waiting, what="quiet again")
    await table.close()
