"""Whole batches arrive as single records would: same partition, same order, and an end for every wait."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError
from aiokafka.structs import ConsumerRecord

from shared.messaging.producer import BATCH_BYTES_MAX, BatchingProducer
from shared.topics import Topic
from tests.integration.plumbing.conftest import Place


@pytest.fixture
async def producer(place: Place) -> AsyncIterator[BatchingProducer]:
    made = BatchingProducer(place.settings("intake"), client_id="test")
    await made.start()
    yield made
    await made.stop()


async def read(place: Place, count: int) -> list[ConsumerRecord]:
    consumer = AIOKafkaConsumer(
        place.prefix + Topic.TICKETS,
        bootstrap_servers=place.servers.kafka,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        async with asyncio.timeout(20):
            return [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()


async def test_the_partition_is_the_one_that_aiokafka_itself_chooses(
    place: Place, producer: BatchingProducer
):
    topic, keys = place.prefix + Topic.TICKETS, [f"ticket-{n}".encode() for n in range(60)]
    theirs = AIOKafkaProducer(bootstrap_servers=place.servers.kafka)
    await theirs.start()
    for key in keys:
        await theirs.send_and_wait(topic, b"theirs", key=key)
    await theirs.stop()
    sent = [await producer.send(topic, b"ours", key=key, headers=[]) for key in keys]
    await producer.flush()
    await asyncio.gather(*sent)
    places: dict[bytes | None, set[int]] = {}
    for record in await read(place, 2 * len(keys)):
        places.setdefault(record.key, set()).add(record.partition)
    assert {len(chosen) for chosen in places.values()} == {1}
    assert len(places) == len(keys)


async def test_more_than_a_batch_for_one_partition_arrives_in_the_order_of_sending(
    place: Place, producer: BatchingProducer
):
    topic = place.prefix + Topic.TICKETS
    sizes = [10, BATCH_BYTES_MAX // 2, BATCH_BYTES_MAX // 2, 2 * BATCH_BYTES_MAX, 5, 5]
    values = [bytes([65 + n]) * size for n, size in enumerate(sizes)]
    sent = [
        await producer.send(topic, value, key=b"one", headers=[("n", b"1")]) for value in values
    ]
    await producer.flush()
    await asyncio.gather(*sent)
    assert len(set(map(id, sent))) > 1, "they did not fit into one batch"
    arrived = await read(place, len(values))
    assert [record.value for record in arrived] == values
    assert {record.headers for record in arrived} == {(("n", b"1"),)}


async def test_what_was_queued_before_a_failure_hears_of_it(
    place: Place, producer: BatchingProducer, monkeypatch: pytest.MonkeyPatch
):
    topic = place.prefix + Topic.TICKETS
    waiting = await producer.send(topic, b"v", key=b"k", headers=[])

    async def unreachable(_topic: str) -> set[int]:
        raise KafkaTimeoutError

    with monkeypatch.context() as patch:
        patch.setattr(producer._producer, "partitions_for", unreachable)
        with pytest.raises(KafkaTimeoutError):
            await producer.send(topic, b"v", key=b"k", headers=[])
    with pytest.raises(KafkaTimeoutError):
        await waiting
    again = await producer.send(topic, b"w", key=b"k", headers=[])
    await producer.flush()
    await again
    assert [record.value for record in await read(place, 1)] == [b"w"]


async def test_a_producer_that_is_stopped_refuses_and_leaves_nobody_waiting(place: Place):
    producer = BatchingProducer(place.settings("intake"), client_id="test")
    await producer.start()
    waiting = await producer.send(place.prefix + Topic.TICKETS, b"v", key=b"k", headers=[])
    await producer.stop()
    with pytest.raises(KafkaError):
        await producer.flush()
    with pytest.raises(KafkaError):
        await waiting
