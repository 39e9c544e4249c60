"""Reading partitions up to known ends, without a group: for whoever works off what lies far behind."""

import math
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.messaging.lanes import Share
from shared.messaging.positions import Slot
from shared.messaging.starting import uncut
from shared.settings import ServiceSettings
from shared.topics import Topic

_FETCH_MS: Final = 1_000
_FETCH_BYTES_MAX: Final = 16 * 1024 * 1024
_PARTITION_FETCH_BYTES_MAX: Final = 256 * 1024
"""Compressed, some thousand events of each partition: enough for a whole batch of one partition number."""


class Reading:
    """Hands over records batch by batch, in order within each partition.

    Args:
        reader: started; this alone uses it.
        topic_prefix: of the installation.
        batch_max: how many records at most.
    """

    def __init__(self, reader: AIOKafkaConsumer, *, topic_prefix: str, batch_max: int) -> None:
        self._reader = reader
        self._topic_prefix = topic_prefix
        self._batch_max = batch_max

    def place(self, positions: Mapping[Slot, int]) -> None:
        """Read these partitions and no others, from these offsets on."""
        self._reader.assign([self._partition(slot) for slot in positions])
        self.seek(positions)

    def seek(self, positions: Mapping[Slot, int]) -> None:
        """Read on from these offsets."""
        for slot, position in positions.items():
            self._reader.seek(self._partition(slot), position)

    def reads(self, slots: Collection[Slot]) -> bool:
        """Whether all of these are among the partitions it reads."""
        assigned = self._reader.assignment()
        return all(self._partition(slot) in assigned for slot in slots)

    async def ends(self, slots: Collection[Slot]) -> dict[Slot, int]:
        """Where these partitions end now: the offset of the record to come."""
        partitions = {self._partition(slot): slot for slot in slots}
        ends = await self._reader.end_offsets(list(partitions))
        return {partitions[partition]: end for partition, end in ends.items()}

    async def fetch(self, missing: Mapping[Slot, int], ends: Mapping[Slot, int]) -> Share[Any]:
        """The next records before the ends; none when nothing has come within a second.

        Args:
            missing: how many are wanted of each partition.
            ends: by partition; what lies behind is left for later.
        """
        records: Share[Any] = {}
        for partition, raws in (await self._take(missing)).items():
            slot = Topic(partition.topic.removeprefix(self._topic_prefix)), partition.partition
            known = [raw for raw in raws if raw.offset < ends[slot]]
            if known:
                records[slot] = known
            if len(known) < len(raws):
                self._reader.seek(partition, raws[len(known)].offset)
        return records

    async def _take(self, missing: Mapping[Slot, int]) -> dict[TopicPartition, list[Any]]:
        """Records that are here already, partition number by number; or else the first that come.

        Of each topic in proportion to what it has: so all that is told of a ticket comes in few batches, and its row
        is written as few times.
        """
        left = self._batch_max
        got: dict[TopicPartition, list[Any]] = {}
        for number in sorted({slot[1] for slot in missing}):
            some = [slot for slot in missing if slot[1] == number]
            share = left / sum(missing[slot] for slot in some)
            for slot in some:
                got |= await self._reader.getmany(
                    self._partition(slot), max_records=math.ceil(missing[slot] * share)
                )
            left = self._batch_max - sum(map(len, got.values()))
            if left <= 0:
                break
        return got or await self._reader.getmany(
            *map(self._partition, missing), timeout_ms=_FETCH_MS, max_records=self._batch_max
        )

    def _partition(self, slot: Slot) -> TopicPartition:
        return TopicPartition(self._topic_prefix + slot[0], slot[1])


@asynccontextmanager
async def reader_of(settings: ServiceSettings, client: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A reader that belongs to no group; where it stands is kept with the rows.

    Args:
        settings: where Kafka is.
        client: what it calls itself.
    """
    reader = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        client_id=f"{client}-{settings.instance}",
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="none",
        fetch_max_bytes=_FETCH_BYTES_MAX,
        max_partition_fetch_bytes=_PARTITION_FETCH_BYTES_MAX,
        fetch_max_wait_ms=100,
    )
    try:
        await uncut(reader.start())
        yield reader
    finally:
        await reader.stop()
