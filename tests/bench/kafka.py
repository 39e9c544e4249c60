"""The limits for relay and consumers: the same records through aiokafka alone."""

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from shared.events import Event, encode
from shared.messaging.records import headers_of
from shared.topics import PARTITIONS, RECORD_BYTES_MAX, Topic, topic_of
from tests.bench.pace import Pace, Stopwatch

_TOGETHER: Final = 1_000
"""As many as the relay publishes before it waits for the acknowledgements."""

_FETCHED_MAX: Final = 500


class Ready(msgspec.Struct, frozen=True):
    """A record with nothing left to compute."""

    topic: Topic
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]

    @classmethod
    def of(cls, event: Event) -> "Ready":
        """What the relay would publish."""
        raw = encode(event)
        headers = headers_of(event.OWNER, event.stream_id, event.version, event.wire_type, raw)
        return cls(topic_of(event.wire_type), str(event.stream_id).encode(), raw, headers)


async def produce(kafka: str, prefix: str, records: Sequence[Ready]) -> Pace:
    """Publish with the relay's settings; the first batch is not counted.

    That one also pays for learning where the partitions are, which the relay does once in its life.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka,
        acks="all",
        enable_idempotence=True,
        linger_ms=2,
        max_batch_size=262_144,
        max_request_size=RECORD_BYTES_MAX,
        compression_type="lz4",
    )
    await producer.start()
    try:
        clock = Stopwatch()
        for first in range(0, len(records), _TOGETHER):
            if first == _TOGETHER:
                clock = Stopwatch()
            sent = [
                await producer.send(
                    prefix + record.topic, record.value, key=record.key, headers=record.headers
                )
                for record in records[first : first + _TOGETHER]
            ]
            await asyncio.gather(*sent)
        counted = max(len(records) - _TOGETHER, 0) or len(records)
        return clock.pace(counted)
    finally:
        await producer.stop()


async def consume(kafka: str, prefix: str, topics: Sequence[Topic], count: int) -> Pace:
    """Read `count` records from the beginning, from the first request to Kafka to the last record."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka,
        enable_auto_commit=False,
        max_partition_fetch_bytes=RECORD_BYTES_MAX,
    )
    await consumer.start()
    try:
        partitions = [
            TopicPartition(prefix + topic, number)
            for topic in topics
            for number in range(PARTITIONS)
        ]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        read, clock = 0, Stopwatch()
        while read < count:
            batches = await consumer.getmany(timeout_ms=1_000, max_records=_FETCHED_MAX)
            read += sum(map(len, batches.values()))
        return clock.pace(read)
    finally:
        await consumer.stop()
