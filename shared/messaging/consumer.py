"""The consumer: Kafka batches in, effects and position in one PostgreSQL transaction, each event once."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol
from uuid import UUID

import structlog
from aiokafka import TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka.message import KafkaAckableMessage
from faststream.kafka.schemas import Topic as KafkaTopic

from shared.database import Database, Transaction
from shared.messaging.applying import (
    Applied,
    Applying,
    Outcome,
    Told,
    TooManyUnreadable,
    passes,
)
from shared.messaging.asking import FILL_BYTES, Asking
from shared.messaging.batches import Batches
from shared.messaging.catching_up import CatchingUp, CatchUp
from shared.messaging.offsets import OffsetCommits
from shared.messaging.parking import ParkedStream
from shared.messaging.places import LogReplaced
from shared.messaging.positions import Fenced, Slot
from shared.messaging.records import Received
from shared.messaging.subscribing import (
    FETCH_BYTES_MAX,
    PARTITION_FETCH_BYTES_MAX,
    Assignments,
    make_broker,
)
from shared.observability import metrics
from shared.settings import ServiceSettings
from shared.topics import Topic

log = structlog.get_logger(__name__)

_PAUSE_SECONDS_FIRST: Final = 0.1
_PAUSE_SECONDS_MAX: Final = 15.0
_POLL_INTERVAL_MS_MAX: Final = 3_600_000
"""A database outage may keep one batch waiting this long; positions, not the group, keep it correct."""

_POLL_MS: Final = 20
"""How long FastStream waits for a batch that is not there, and then sleeps once more."""

_PLACE_SECONDS_MAX: Final = 3.0
"""Well within the session's time-out: the group waits while we look up our positions."""

_SILENCE_SECONDS_MAX: Final = 15.0
"""A broker answers every fetch within the time a batch may take to fill, be it with nothing."""


class Handler(Protocol):
    """Applies events inside a transaction: synchronous, no effects outside, no own commits.

    Events of one stream come in version order and never twice; streams and topics in any order.
    """

    def __call__(self, tx: Any, batch: Sequence[Received]) -> None:
        """Apply the batch.

        Raises:
            Unreadable: one of them can never be handled; it is found and parked.
        """


class RecordsGone(Exception):
    """Kafka deleted records that this consumer has not applied."""


class Consumer:
    """Reads topics for one service, exactly once in effect.

    Args:
        name: the consumer group, and the owner of positions and versions (for example `routing`).
        topics: what to read.
        settings: addresses and limits.
        store: where `handler` writes; with an EventStore its `tx` can append events too.
        handler: applies a batch.
        after_commit: told (from the worker thread) what was applied, after it is durable.
        wanted: of these topics only these wire types; others cost no more than reading their envelope.
        lanes: transactions side by side when a batch is large; `handler` is then called by as many threads at a time,
            each with streams of its own.
        catch_up: how what lies far behind is worked off; None: batch by batch, like everything.
    """

    def __init__(
        self,
        *,
        name: str,
        topics: Collection[Topic],
        settings: ServiceSettings,
        store: Database,
        handler: Handler,
        after_commit: Callable[[Sequence[Told]], None] | None = None,
        wanted: Mapping[Topic, Collection[str]] | None = None,
        lanes: int = 1,
        catch_up: CatchUp | None = None,
    ) -> None:
        self.name = name
        self.topics = tuple(topics)
        self._settings = settings
        self._store = store
        self._after_commit = after_commit
        self._handler = handler
        self._batches = Batches(
            name,
            topic_prefix=settings.topic_prefix,
            store=store,
            applying=Applying(name, handler, settings.topic_prefix, wanted=wanted),
            tell=self._tell,
            lanes=lanes,
        )
        self._catching_up: CatchingUp | None = None
        if catch_up is not None:
            self._catching_up = CatchingUp(
                name,
                settings,
                schema=store.schema,
                plan=catch_up,
                told=self._told,
                wanted=wanted,
            )
        self._sought: dict[Slot, int] = {}  # where the next batch must begin, as we went back
        self._begun: dict[Slot, int | None] = {}  # the same, of the batch under way
        self._commits = OffsetCommits(name, lambda: self._subscriber.consumer)
        self._asking = Asking(
            lambda: self._subscriber.consumer, wait_ms=settings.consumer_wait_ms_max
        )
        self._stopping = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._quiet_since = time.monotonic()
        self._problem: str | None = "not started"
        self.broker = make_broker(name, settings)
        # Every option that decides delivery is written out; FastStream's own defaults are at-most-once and `latest`.
        self._subscriber = self.broker.subscriber(
            *(KafkaTopic(settings.topic_prefix + topic, declare=False) for topic in self.topics),
            group_id=f"{settings.topic_prefix}{name}",
            group_instance_id=f"{name}-{settings.instance}",
            batch=True,
            max_records=settings.consumer_batch_max,
            batch_timeout_ms=_POLL_MS,
            fetch_min_bytes=FILL_BYTES,
            fetch_max_wait_ms=settings.consumer_wait_ms_max,
            fetch_max_bytes=FETCH_BYTES_MAX,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES_MAX,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            isolation_level="read_committed",
            partition_assignment_strategy=(StickyPartitionAssignor,),
            session_timeout_ms=10_000,
            max_poll_interval_ms=_POLL_INTERVAL_MS_MAX,
            listener=Assignments(self._placed, self._sought.clear),
            parser=self._wrap,
            no_reply=True,
            title=f"{name}",
        )
        self._subscriber(self._on_batch)

    @property
    def problem(self) -> str | None:
        """What keeps this consumer from its work; None when nothing does."""
        return self._problem or self._silence()

    async def start(self) -> None:
        """Join the group and begin to read; positions come from PostgreSQL."""
        try:
            await self.broker.start()
        except KafkaError:
            await (
                self.broker.stop()
            )  # or the next attempt would leave this one's connections behind
            raise
        self._quiet_since = time.monotonic()
        self._asking.records_came()  # there may be many: what was published while we were away
        self._problem = None

    async def stop(self) -> None:
        """Finish the batch under way, commit, leave the group."""
        self._stopping.set()
        await self._idle.wait()
        self._asking.stop()
        await self._commits.stop()
        await self.broker.stop()

    def lag(self) -> dict[Slot, int]:
        """Records published and not yet applied, for each partition this process reads and knows its position in."""
        consumer = self._subscriber.consumer
        if consumer is None:
            return {}
        if self._catching_up and self._catching_up.behind:
            return dict(self._catching_up.behind)
        behind: dict[Slot, int] = {}
        for partition in consumer.assignment():
            slot = self._batches.slot_of(partition)
            high = consumer.highwater(partition)
            if high is not None and slot in self._batches.places.next:
                behind[slot] = max(0, high - self._batches.places.next[slot])
        return behind

    def _silence(self) -> str | None:
        """Only while no batch is under way: then fetching rests, and says nothing about the broker."""
        consumer = self._subscriber.consumer
        if consumer is None or not self._idle.is_set():
            return None
        quiet = time.monotonic() - self._quiet_since
        answers = [consumer.last_poll_timestamp(partition) for partition in consumer.assignment()]
        if not answers or quiet < _SILENCE_SECONDS_MAX:
            return None
        silent = min(quiet, time.time() - max(answer or 0 for answer in answers) / 1000)
        return (
            f"Kafka has not answered for {silent:.0f} s" if silent > _SILENCE_SECONDS_MAX else None
        )

    async def _wrap(self, records: Any) -> KafkaAckableMessage:
        """In place of FastStream's parser, which decodes every header: one that is no text would lose the batch."""
        self._asking.records_came()
        self._delivered(records)
        return KafkaAckableMessage(records, b"", consumer=self._subscriber.consumer)

    def _delivered(self, records: Sequence[Any]) -> None:
        """What was sought holds for one batch only: were that one lost, the next would not follow on our position."""
        self._begun = {
            slot: self._sought.pop(slot, None)
            for slot in {self._batches.slot_of(raw) for raw in records}
        }

    async def _on_batch(self, messages: Any) -> None:
        (message,) = messages
        records = message.raw_message
        pause = _PAUSE_SECONDS_FIRST
        self._idle.clear()
        try:
            while not self._stopping.is_set():
                try:
                    if await self._caught_up(records):
                        self._problem = None
                        return
                    missing = await asyncio.to_thread(self._apply_records, records)
                    if missing:
                        await self._go_back(missing)
                    await self._check_ends(records)
                except Fenced as fact:
                    log.info("consumer_fenced", consumer=self.name, fact=str(fact))
                    self._forget(records)
                    metrics.CONSUMER_FENCED.labels(self.name).inc()
                except Exception as error:
                    self._problem = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
                    log.warning(
                        "consumer_batch_failed",
                        consumer=self.name,
                        error=self._problem,
                        retry_in_seconds=pause,
                        exc_info=not (passes(error) or isinstance(error, TooManyUnreadable)),
                    )
                    metrics.CONSUMER_RETRIES.labels(self.name).inc()
                    self._forget(records)
                    await self._rest(pause)
                    pause = min(pause * 2, _PAUSE_SECONDS_MAX)
                else:
                    self._problem = None
                    if not missing:
                        self._commits.note(records)
                    return
        finally:
            # FastStream's message is part of a cycle: without this its records would stay until the collector comes.
            message.raw_message = ()
            self._quiet_since = time.monotonic()
            self._idle.set()

    async def _caught_up(self, records: Sequence[Any]) -> bool:
        """Whether so much lay behind that it was worked off by other processes; this batch with it.

        Raises:
            Exception: see `CatchingUp.run`.
        """
        consumer, catching_up = self._subscriber.consumer, self._catching_up
        if catching_up is None or consumer is None:
            return False
        if len(records) < self._settings.consumer_batch_max // 2:
            return False
        behind = self.lag()
        if not catching_up.is_worth_it(sum(behind.values())):
            return False
        assigned = consumer.assignment()
        slots = {self._batches.slot_of(partition) for partition in assigned}
        try:
            await asyncio.to_thread(
                catching_up.run,
                {slot: behind.get(slot, 0) for slot in slots},
                lambda: self._stopping.is_set() or consumer.assignment() != assigned,
            )
        finally:
            self._batches.places.forget(slots)
            await self._placed(consumer.assignment())
        reached = self._batches.places.next
        self._commits.note_positions(
            {self._partition_of(slot): reached[slot] for slot in slots & reached.keys()}
        )
        return True

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    def _apply_records(self, raw_records: Sequence[Any]) -> dict[Slot, int]:
        """See `Batches.apply`."""
        return self._batches.apply(raw_records, self._begun)

    def _tell(self, applied: Applied) -> None:
        applied.log_parked(self.name)
        self._told(applied.outcome())

    def _told(self, outcome: Outcome) -> None:
        outcome.count(self.name)
        if outcome.told and self._after_commit is not None:
            self._after_commit(outcome.told)

    def _partition_of(self, slot: Slot) -> TopicPartition:
        return TopicPartition(self._settings.topic_prefix + slot[0], slot[1])

    def _forget(self, records: Sequence[Any]) -> None:
        """Ask the database again where we are in these partitions."""
        self._batches.places.forget({self._batches.slot_of(raw) for raw in records})

    async def _check_ends(self, records: Sequence[Any]) -> None:
        """A position past the end of its log says that this is not the log we have read.

        Raises:
            LogReplaced: see there.
        """
        consumer = self._subscriber.consumer
        if consumer is None:
            return
        assigned = consumer.assignment()
        doubtful: list[TopicPartition] = []
        for partition in {TopicPartition(raw.topic, raw.partition) for raw in records} & assigned:
            end = consumer.highwater(partition)  # as of the last fetch, so it may be behind
            if end is not None and end < self._batches.places.next.get(
                self._batches.slot_of(partition), 0
            ):
                doubtful.append(partition)
        if not doubtful:
            return
        for partition, end in (await consumer.end_offsets(doubtful)).items():
            if end < (
                position := self._batches.places.next.get(self._batches.slot_of(partition), 0)
            ):
                raise LogReplaced(
                    f"{partition.topic}/{partition.partition} ends at {end}, our position is {position}"
                )

    async def _placed(self, assigned: Iterable[TopicPartition]) -> None:
        """Begin at our own positions, whatever Kafka has committed; so lag is known, too, before the first record.

        One record before them, to be exact: it tells whether this is still the log that was read.
        """
        self._sought.clear()
        slots = {self._batches.slot_of(partition) for partition in assigned}
        load = asyncio.to_thread(self._batches.load, slots)
        try:
            positions, before = await asyncio.wait_for(load, _PLACE_SECONDS_MAX)
        except Exception as error:
            if not passes(error):
                raise
            log.warning("consumer_not_placed", consumer=self.name, error=repr(error))
            return  # each batch is compared with our positions all the same
        self._batches.places.note(positions, before)
        self._seek({slot: max(0, position - 1) for slot, position in positions.items()})

    def _seek(self, positions: Mapping[Slot, int]) -> None:
        consumer = self._subscriber.consumer
        if consumer is None:
            return
        assigned = consumer.assignment()
        for slot, position in positions.items():
            if (partition := self._partition_of(slot)) in assigned:
                consumer.seek(partition, position)

    async def _go_back(self, slots: dict[Slot, int]) -> None:
        """Read again from our own positions.

        Kafka's committed offset is past them only when the database was put back to an older state.

        Raises:
            RecordsGone: Kafka no longer has what we have not read; going on would lose it in silence.
        """
        consumer = self._subscriber.consumer
        if consumer is None:
            return
        oldest = await consumer.beginning_offsets([self._partition_of(slot) for slot in slots])
        for slot, position in slots.items():
            first = oldest[self._partition_of(slot)]
            if first > position:
                raise RecordsGone(
                    f"{slot[0]}/{slot[1]}: {position} to {first - 1} were deleted before they were read"
                )
        self._seek(slots)
        self._sought.update(slots)
        log.warning("consumer_goes_back", consumer=self.name, slots=len(slots))

    # Parked streams, for the people who decide about them.

    def measure_set_aside(self) -> None:
        """Bring the gauges of parked and held events up to date. Blocks."""

        def read(tx: Transaction) -> tuple[int, float]:
            return self._batches.applying.parking.count(
                tx
            ), self._batches.applying.gate.oldest_held_seconds(tx)

        parked, oldest = self._store.transact(read)
        metrics.CONSUMER_PARKED_STREAMS.labels(self.name).set(parked)
        metrics.CONSUMER_HELD_OLDEST_SECONDS.labels(self.name).set(oldest)

    def parked(self) -> list[ParkedStream]:
        """The parked streams, oldest first. Blocks."""
        return self._store.transact(self._batches.applying.parking.list)

    def parked_events(self, stream_id: UUID) -> list[dict[str, Any]]:
        """The parked events of one stream with their errors and contents. Blocks."""

        def read(tx: Transaction) -> list[dict[str, Any]]:
            return [
                {
                    "topic": record.topic.value,
                    "version": record.version,
                    "type": record.wire_type,
                    "error": error,
                    "payload": record.raw.decode("utf-8", "replace"),
                }
                for record, error in self._batches.applying.parking.events(tx, stream_id)
            ]

        return self._store.transact(read)

    def retry_parked(
        self,
        stream_id: UUID,
        *,
        discard_first: bool = False,
        note: Callable[[Transaction, int], None] = lambda _tx, _left: None,
    ) -> int:
        """Handle a parked stream's events in order until one fails again; blocks.

        Args:
            stream_id: which stream.
            discard_first: give up the event that failed, and go on with those behind it.
            note: records that somebody decided this, and how many are still parked; in the same transaction.

        Returns:
            how many events of the stream are still parked.
        """

        def run(tx: Transaction) -> tuple[Applied, int]:
            applied = self._batches.applying.retry(tx, stream_id, discard_first=discard_first)
            left = len(self._batches.applying.parking.events(tx, stream_id))
            note(tx, left)
            return applied, left

        applied, left = self._store.transact(run)
        self._tell(applied)
        return left


__all__ = ["Consumer", "Handler", "LogReplaced", "RecordsGone", "TooManyUnreadable"]
