"""Records to Kafka in whole batches: one per partition and turn, where aiokafka's own way costs a future each."""

import asyncio
from collections import deque
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from shared.settings import ServiceSettings
from shared.topics import RECORD_BYTES_MAX

BATCH_BYTES_MAX: Final = 262_144
"""A batch of one partition; a record that is larger travels alone."""

_partition = DefaultPartitioner()


class _Batch:
    """What goes to one partition, and the word on when it has arrived."""

    __slots__ = ("arrived", "builder", "partition", "topic")

    def __init__(self, topic: str, partition: int, builder: BatchBuilder) -> None:
        self.topic = topic
        self.partition = partition
        self.builder = builder
        self.arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settle(self, sent: "asyncio.Future[Any]") -> None:
        """Pass on what became of it."""
        if sent.cancelled():
            self.fail(ConnectionError("the producer was stopped"))
        elif error := sent.exception():
            self.fail(error)
        elif not self.arrived.done():
            self.arrived.set_result(None)

    def fail(self, error: BaseException) -> None:
        """It did not arrive, as far as anybody knows."""
        if not self.arrived.done():
            self.arrived.set_exception(error)
            self.arrived.exception()  # looked at: the caller may be gone


class BatchingProducer:
    """An idempotent `AIOKafkaProducer` (acks=all) that is filled by `send` and emptied by `flush`.

    Order within a partition is the order of `send`. The partition is Kafka's own choice for the key (murmur2).
    """

    def __init__(self, settings: ServiceSettings, *, client_id: str) -> None:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka_bootstrap_servers,
            client_id=client_id,
            acks="all",
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES_MAX,
            max_request_size=RECORD_BYTES_MAX,
            compression_type="lz4",
        )
        self._filling: dict[tuple[str, int], _Batch] = {}
        self._queued: list[_Batch] = []

    async def start(self) -> None:
        """Connect."""
        await self._producer.start()

    async def stop(self) -> None:
        """Send what is under way and disconnect; what was never flushed is not sent."""
        await self._producer.stop()

    async def send(
        self, topic: str, value: bytes, *, key: bytes, headers: list[tuple[str, bytes]]
    ) -> asyncio.Future[None]:
        """Queue a record until `flush`; the future, shared by its batch, is done when the brokers have it.

        Raises:
            KafkaError: the topic is not known; nothing that was queued since the last `flush` will be sent.
        """
        try:
            partitions = sorted(await self._producer.partitions_for(topic))
        except BaseException as error:
            self._drop(error)
            raise
        partition = _partition(key, partitions, partitions)
        batch = self._filling.get((topic, partition))
        if batch is None or not _fits(batch, value, key, headers):
            batch = _Batch(topic, partition, self._producer.create_batch())
            self._filling[topic, partition] = batch
            self._queued.append(batch)
            assert _fits(batch, value, key, headers), "the first record of a batch always does"
        return batch.arrived

    async def flush(self) -> None:
        """Hand over what is queued.

        Raises:
            KafkaError: some of it may have been handed over; the futures of the rest say that it failed.
        """
        waiting, self._queued = deque(self._queued), []
        self._filling.clear()
        try:
            while waiting:
                batch = waiting[0]
                batch.builder.close()  # complete: it lingers for no more
                sent = await self._producer.send_batch(
                    batch.builder, batch.topic, partition=batch.partition
                )
                sent.add_done_callback(batch.settle)
                waiting.popleft()
        except BaseException as error:
            for batch in waiting:
                batch.fail(error)
            raise

    async def tell(self, topic: str, value: bytes, *, key: bytes) -> None:
        """Send one record by itself, beside the queue; returns when the brokers have it.

        Raises:
            KafkaError: they may not have it.
        """
        await self._producer.send_and_wait(topic, value, key=key)

    def _drop(self, error: BaseException) -> None:
        for batch in self._queued:
            batch.fail(error)
        self._queued.clear()
        self._filling.clear()


def _fits(batch: _Batch, value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> bool:
    return batch.builder.append(timestamp=None, key=key, value=value, headers=headers) is not None
