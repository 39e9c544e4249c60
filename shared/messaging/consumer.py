"""The consumer: Kafka batches in, effects and position in one PostgreSQL transaction, each event once."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, Protocol
from uuid import UUID

import structlog
from aiokafka import TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.schemas import Topic as KafkaTopic

from shared.database import TRANSIENT, Database, Transaction
from shared.errors import NotYet, Unreadable
from shared.events import UnknownEvent, decode
from shared.identifiers import derived_id
from shared.messaging.gate import Gate, StreamKey
from shared.messaging.parking import ParkedStream, Parking, key_of
from shared.messaging.positions import Fenced, Positions, Slot
from shared.messaging.records import Received, Record, read_envelope
from shared.observability import metrics
from shared.settings import ServiceSettings
from shared.topics import RECORD_BYTES_MAX, Topic

log = structlog.get_logger(__name__)

_PAUSE_SECONDS_FIRST: Final = 0.1
_PAUSE_SECONDS_MAX: Final = 15.0
_POLL_INTERVAL_MS_MAX: Final = 3_600_000
"""A database outage may keep one batch waiting this long; positions, not the group, keep it correct."""

PARKED_SHARE_MAX: Final = 0.2
PARKED_COUNT_FREE: Final = 20
"""A batch of which more than a fifth (and more than 20 streams) cannot be handled is a broken deploy, not poison:
the consumer stops and says so, instead of parking everything."""

_TRANSIENT: Final = (*TRANSIENT, NotYet, OSError)


class Handler(Protocol):
    """Applies events inside a transaction: synchronous, no effects outside, no own commits.

    Events of one stream come in version order and never twice; streams and topics in any order.
    """

    def __call__(self, tx: Any, batch: Sequence[Received]) -> None:
        """Apply the batch.

        Raises:
            Unreadable: one of them can never be handled; it is found and parked.
        """


class TooManyUnreadable(Exception):
    """More of a batch is unreadable than poison would explain; nothing of it was applied."""


class RecordsGone(Exception):
    """Kafka deleted records that this consumer has not applied."""


class _Unwrapped:
    """FastStream codec that hands over the aiokafka records themselves: no decoding per message."""

    async def decode(self, msg: Any) -> Any:
        return msg

    async def decode_batch(self, msg: Any) -> Any:
        return [msg]

    async def encode(self, msg: Any, serializer: Any = None) -> tuple[bytes, str | None]:
        raise NotImplementedError("the relay publishes; FastStream only reads here")

    async def encode_batch(
        self, msgs: Any, serializer: Any = None
    ) -> list[tuple[bytes, str | None]]:
        raise NotImplementedError("the relay publishes; FastStream only reads here")


class Consumer:
    """Reads topics for one service, exactly once in effect.

    Args:
        name: the consumer group, and the owner of positions and versions (for example `routing`).
        topics: what to read.
        settings: addresses and limits.
        store: where `handler` writes; with an EventStore its `tx` can append events too.
        handler: applies a batch.
        after_commit: told (from the worker thread) what was applied, after it is durable.
    """

    def __init__(
        self,
        *,
        name: str,
        topics: Collection[Topic],
        settings: ServiceSettings,
        store: Database,
        handler: Handler,
        after_commit: Callable[[Sequence[Received]], None] | None = None,
    ) -> None:
        self.name = name
        self.topics = tuple(topics)
        self._settings = settings
        self._store = store
        self._handler = handler
        self._after_commit = after_commit
        self._gate = Gate(name)
        self._positions = Positions(name)
        self._parking = Parking(name)
        self._known: dict[Slot, int] = {}
        self._stopping = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.problem: str | None = "not started"
        self.broker = KafkaBroker(
            settings.kafka_bootstrap_servers,
            client_id=f"{name}-{settings.instance}",
            apply_types=False,
            allow_auto_create_topics=False,
            consumer_only=True,
            graceful_timeout=float(settings.shutdown_seconds_max),
            codec=_Unwrapped(),
            logger=None,
        )
        # Every option that decides delivery is written out; FastStream's own defaults are at-most-once and `latest`.
        self._subscriber = self.broker.subscriber(
            *(KafkaTopic(settings.topic_prefix + topic, declare=False) for topic in self.topics),
            group_id=f"{settings.topic_prefix}{name}",
            group_instance_id=f"{name}-{settings.instance}",
            batch=True,
            max_records=settings.consumer_batch_max,
            batch_timeout_ms=settings.consumer_wait_ms_max,
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=RECORD_BYTES_MAX,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            isolation_level="read_committed",
            partition_assignment_strategy=(StickyPartitionAssignor,),
            session_timeout_ms=10_000,
            max_poll_interval_ms=_POLL_INTERVAL_MS_MAX,
            no_reply=True,
            title=f"{name}",
        )
        self._subscriber(self._on_batch)

    async def start(self) -> None:
        """Join the group and begin to read; positions come from PostgreSQL."""
        await self.broker.start()
        self.problem = None

    async def stop(self) -> None:
        """Finish the batch under way, commit, leave the group."""
        self._stopping.set()
        await self._idle.wait()
        await self.broker.stop()

    def lag(self) -> dict[Slot, int]:
        """Records published and not yet applied, for each partition this process reads."""
        consumer = self._subscriber.consumer
        if consumer is None:
            return {}
        behind: dict[Slot, int] = {}
        for partition in consumer.assignment():
            slot = (
                Topic(partition.topic.removeprefix(self._settings.topic_prefix)),
                partition.partition,
            )
            high = consumer.highwater(partition)
            if high is not None:
                behind[slot] = max(0, high - self._known.get(slot, 0))
        return behind

    async def _on_batch(self, messages: Any) -> None:
        (message,) = messages
        records = message.raw_message
        pause = _PAUSE_SECONDS_FIRST
        self._idle.clear()
        try:
            while not self._stopping.is_set():
                try:
                    missing = await asyncio.to_thread(self._apply_records, records)
                    if missing:
                        await self._go_back(missing)
                        return
                except Fenced as fact:
                    log.info("consumer_fenced", consumer=self.name, fact=str(fact))
                    self._known.clear()
                    metrics.CONSUMER_FENCED.labels(self.name).inc()
                except Exception as error:
                    self.problem = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
                    log.warning(
                        "consumer_batch_failed",
                        consumer=self.name,
                        error=self.problem,
                        retry_in_seconds=pause,
                        exc_info=not isinstance(error, _TRANSIENT),
                    )
                    metrics.CONSUMER_RETRIES.labels(self.name).inc()
                    self._known.clear()
                    await self._rest(pause)
                    pause = min(pause * 2, _PAUSE_SECONDS_MAX)
                else:
                    self.problem = None
                    # After the database's commit, so Kafka's is never ahead. Its failure costs only a re-read.
                    await message.ack()
                    return
        finally:
            self._idle.set()

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    def _apply_records(self, raw_records: Sequence[Any]) -> dict[Slot, int]:
        """Apply one batch, or say to which offsets reading must go back first because a record is missing."""
        slots: dict[Slot, list[Any]] = {}
        for raw in raw_records:
            topic = Topic(raw.topic.removeprefix(self._settings.topic_prefix))
            slots.setdefault((topic, raw.partition), []).append(raw)
        if unknown := slots.keys() - self._known.keys():
            self._known.update(self._store.transact(lambda tx: self._positions.load(tx, unknown)))
        if any(raws[0].offset > self._known[slot] for slot, raws in slots.items()):
            return {slot: self._known[slot] for slot in slots}
        moves: dict[Slot, tuple[int, int]] = {}
        fresh: list[Any] = []
        for slot, raws in slots.items():
            position = self._known[slot]
            news = [raw for raw in raws if raw.offset >= position]
            if news:
                moves[slot] = position, news[-1].offset + 1
                fresh.extend(news)
        if fresh:
            with metrics.CONSUMER_BATCH_SECONDS.labels(self.name).time():
                applied = self._store.transact(lambda tx: self._apply(tx, fresh, moves))
            self._known.update({slot: after for slot, (_, after) in moves.items()})
            self._tell(applied)
        return {}

    async def _go_back(self, slots: dict[Slot, int]) -> None:
        """Read again from our own positions.

        Kafka's committed offset is past them only when the database was put back to an older state.

        Raises:
            RecordsGone: Kafka no longer has what we have not read; going on would lose it in silence.
        """
        consumer = self._subscriber.consumer
        if consumer is None:
            return
        wanted = {
            TopicPartition(self._settings.topic_prefix + topic, partition): position
            for (topic, partition), position in slots.items()
        }
        oldest = await consumer.beginning_offsets(list(wanted))
        for partition, position in wanted.items():
            if oldest[partition] > position:
                raise RecordsGone(
                    f"{partition.topic}/{partition.partition}: {position} to {oldest[partition] - 1}"
                    " were deleted before they were read"
                )
            if partition in consumer.assignment():
                consumer.seek(partition, position)
        log.warning("consumer_goes_back", consumer=self.name, slots=len(slots))

    def _tell(self, applied: list[Received]) -> None:
        if not applied:
            return
        metrics.CONSUMER_APPLIED.labels(self.name).inc(len(applied))
        newest = max(received.event.recorded_at for received in applied)
        metrics.CONSUMER_NEWEST.labels(self.name).set(newest.timestamp())
        if self._after_commit is not None:
            self._after_commit(applied)

    def _apply(
        self, tx: Transaction, raws: Sequence[Any], moves: dict[Slot, tuple[int, int]]
    ) -> list[Received]:
        self._share(tx)
        self._positions.advance(tx, moves)
        records = self._envelopes(tx, raws)
        admission = self._gate.admit(tx, records)
        for record in admission.behind:
            self._parking.park(tx, record, None)
        self._gate.hold(tx, admission.held, tx.now)
        applied, parked = self._handle(tx, admission.accepted)
        if len(parked) > max(PARKED_COUNT_FREE, PARKED_SHARE_MAX * len(records)):
            raise TooManyUnreadable(
                f"{len(parked)} streams of a batch of {len(records)} cannot be handled; the first: "
                f"{next(iter(parked.values()))!r}"
            )
        self._gate.forget_held(tx, admission.released)
        versions: dict[StreamKey, int] = {}
        for record in admission.accepted:
            if (record.topic, record.stream_id) not in parked or record.version < parked[
                record.topic, record.stream_id
            ][0]:
                versions[key_of(record)] = record.version
        self._gate.advance(tx, versions)
        if admission.repeated_count:
            metrics.CONSUMER_REPEATED.labels(self.name).inc(admission.repeated_count)
        if admission.held:
            metrics.CONSUMER_HELD.labels(self.name).inc(len(admission.held))
        return applied

    def _handle(
        self, tx: Transaction, records: Sequence[Record]
    ) -> tuple[list[Received], dict[StreamKey, tuple[int, BaseException]]]:
        """Hand the whole batch over; only if that fails, one by one, to find and park the culprits."""
        try:
            batch = self._decode(records)
            if batch:
                with tx.savepoint():
                    self._handler(tx, batch)
        except _TRANSIENT:
            raise
        except Exception as error:  # noqa: BLE001  # found again one by one, and parked with its message
            log.warning(
                "consumer_batch_split", consumer=self.name, error=repr(error), size=len(records)
            )
            return self._handle_one_by_one(tx, records)
        return batch, {}

    def _handle_one_by_one(
        self, tx: Transaction, records: Sequence[Record]
    ) -> tuple[list[Received], dict[StreamKey, tuple[int, BaseException]]]:
        applied: list[Received] = []
        parked: dict[StreamKey, tuple[int, BaseException]] = {}
        for record in records:
            if key_of(record) in parked:
                self._parking.park(tx, record, None)
                continue
            try:
                with tx.savepoint():
                    one = self._decode([record])
                    if one:
                        self._handler(tx, one)
            except _TRANSIENT:
                raise
            except Exception as error:
                log.exception(
                    "event_parked",
                    consumer=self.name,
                    stream_id=str(record.stream_id),
                    version=record.version,
                    wire_type=record.wire_type,
                )
                self._parking.park(tx, record, error)
                parked[key_of(record)] = record.version, error
                metrics.CONSUMER_PARKED.labels(self.name).inc()
            else:
                applied.extend(one)
        return applied, parked

    def _decode(self, records: Sequence[Record]) -> list[Received]:
        batch: list[Received] = []
        for record in records:
            event = decode(record.wire_type, record.raw)
            if isinstance(event, UnknownEvent):
                metrics.CONSUMER_UNKNOWN.labels(self.name).inc()
                continue
            batch.append(Received(record.topic, record.partition, record.offset, event, record.raw))
        return batch

    def _envelopes(self, tx: Transaction, raws: Sequence[Any]) -> list[Record]:
        records: list[Record] = []
        for raw in raws:
            try:
                records.append(read_envelope(raw, self._settings.topic_prefix))
            except Unreadable as error:
                topic = Topic(raw.topic.removeprefix(self._settings.topic_prefix))
                stray = derived_id("stray", topic, raw.partition, raw.offset)
                self._parking.park(
                    tx,
                    Record(topic, raw.partition, raw.offset, stray, 1, "stray", raw.value or b""),
                    error,
                )
                metrics.CONSUMER_PARKED.labels(self.name).inc()
        return records

    # Parked streams, for the people who decide about them.

    def measure_set_aside(self) -> None:
        """Bring the gauges of parked and held events up to date. Blocks."""

        def read(tx: Transaction) -> tuple[int, float]:
            return self._parking.count(tx), self._gate.oldest_held_seconds(tx)

        parked, oldest = self._store.transact(read)
        metrics.CONSUMER_PARKED_STREAMS.labels(self.name).set(parked)
        metrics.CONSUMER_HELD_OLDEST_SECONDS.labels(self.name).set(oldest)

    def parked(self) -> list[ParkedStream]:
        """The parked streams, oldest first. Blocks."""
        return self._store.transact(self._parking.list)

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
                for record, error in self._parking.events(tx, stream_id)
            ]

        return self._store.transact(read)

    def retry_parked(self, stream_id: UUID, *, discard_first: bool = False) -> int:
        """Handle a parked stream's events in order until one fails again; blocks.

        Args:
            stream_id: which stream.
            discard_first: give up the event that failed, and go on with those behind it.

        Returns:
            how many events of the stream are still parked.
        """
        return self._store.transact(lambda tx: self._retry(tx, stream_id, discard_first))

    def _retry(self, tx: Transaction, stream_id: UUID, discard_first: bool) -> int:
        self._exclude(tx)
        waiting = list(self._parking.events(tx, stream_id))
        done = 0
        for record, _ in waiting:
            if not (discard_first and done == 0):
                try:
                    with tx.savepoint():
                        one = self._decode([record])
                        if one:
                            self._handler(tx, one)
                except _TRANSIENT:
                    raise
                except Exception as error:  # noqa: BLE001  # kept with the event, for whoever asks
                    self._parking.failed_again(tx, record, error)
                    break
            else:
                log.warning(
                    "parked_event_discarded",
                    consumer=self.name,
                    stream_id=str(stream_id),
                    version=record.version,
                    wire_type=record.wire_type,
                )
            self._parking.release(tx, record)
            if record.wire_type != "stray":
                self._gate.advance(tx, {key_of(record): record.version})
            done += 1
        return len(waiting) - done

    def _share(self, tx: Transaction) -> None:
        """Let batches of this consumer run side by side."""
        tx.cursor.execute(
            "SELECT pg_advisory_xact_lock_shared(hashtext(%s), hashtext('parking'))", (self.name,)
        )

    def _exclude(self, tx: Transaction) -> None:
        """Let no batch run beside a retry, which must see all that was parked."""
        tx.cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtext(%s), hashtext('parking'))", (self.name,)
        )


__all__ = ["Consumer", "Handler", "RecordsGone", "TooManyUnreadable"]
