"""Kafka's own record of how far a reader is: kept roughly, because positions in PostgreSQL are the truth."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

log = structlog.get_logger(__name__)

_EVERY_SECONDS: Final = 1.0
"""A commit is a request and a record in Kafka's log; with one for each small batch they cost more than the batches."""

_SECONDS_MAX: Final = 5.0
"""It may not hold up stopping."""


class OffsetCommits:
    """Commits a consumer group's offsets, at most once in `_EVERY_SECONDS`.

    Nothing depends on them but where a reader without positions would begin, and tools that show a group's lag.

    Args:
        name: the reader, for the log.
        consumer: gives the aiokafka consumer, None before it has started.
    """

    def __init__(self, name: str, consumer: Callable[[], Any]) -> None:
        self._name = name
        self._consumer = consumer
        self._pending: dict[TopicPartition, int] = {}
        self._timer: asyncio.Task[None] | None = None

    def note(self, records: Sequence[Any]) -> None:
        """These are applied; call it after the database's commit, so Kafka's is never ahead."""
        # Ascending within a partition, so the last one stands.
        self.note_positions(
            {TopicPartition(raw.topic, raw.partition): raw.offset + 1 for raw in records}
        )

    def note_positions(self, positions: Mapping[TopicPartition, int]) -> None:
        """Everything before these offsets is applied."""
        self._pending.update(positions)
        if self._timer is None:
            self._timer = asyncio.create_task(self._commit_later())

    async def stop(self) -> None:
        """Commit what is left."""
        if self._timer is not None:
            self._timer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._timer
            self._timer = None
        await self._commit()

    async def _commit_later(self) -> None:
        await asyncio.sleep(_EVERY_SECONDS)
        self._timer = None
        await self._commit()

    async def _commit(self) -> None:
        pending, self._pending = self._pending, {}
        consumer = self._consumer()
        if consumer is None:
            return
        assigned = consumer.assignment()
        mine = {partition: offset for partition, offset in pending.items() if partition in assigned}
        try:
            if mine:
                await asyncio.wait_for(consumer.commit(mine), _SECONDS_MAX)
        except (KafkaError, TimeoutError) as error:
            log.info("consumer_commit_refused", consumer=self._name, error=repr(error))
