"""Applying a batch inside one transaction: the gate, the handler, and what has to be set aside."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from itertools import groupby
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec
import structlog

from shared.database import Transaction, is_transient
from shared.errors import NotYet, Unreadable
from shared.events import UnknownEvent, decode
from shared.events.base import Channel
from shared.identifiers import derived_id
from shared.messaging.gate import Gate, StreamKey
from shared.messaging.parking import Parking, key_of
from shared.messaging.records import Received, Record, read_envelope
from shared.observability import metrics
from shared.observability.correlation import correlated
from shared.topics import Topic

log = structlog.get_logger(__name__)

PARKED_SHARE_MAX: Final = 0.2
PARKED_COUNT_FREE: Final = 20
"""A batch of which more than a fifth (and more than 20 streams) cannot be handled is a broken deploy, not poison:
the consumer stops and says so, instead of parking everything."""

_STRAY: Final = "stray"
"""The wire type under which a record without a readable envelope is parked."""

Handle = Callable[[Any, Sequence[Received]], None]


class TooManyUnreadable(Exception):
    """More of a batch is unreadable than poison would explain; nothing of it was applied."""


class Told(Protocol):
    """What is told of an event that was applied; an `Event` tells it, and so does what another process says of one."""

    @property
    def stream_id(self) -> UUID:
        """Whose it is."""

    @property
    def version(self) -> int:
        """Its place in the stream."""

    @property
    def recorded_at(self) -> datetime:
        """When its owner stored it."""

    @property
    def via(self) -> Channel:
        """How it came."""


class Outcome(msgspec.Struct):
    """What became of a batch, as others hear of it after the commit."""

    told: Sequence[Told]
    parked_count: int = 0
    repeated_count: int = 0
    held_count: int = 0
    unknown_count: int = 0

    def count(self, consumer: str) -> None:
        """Add it to the metrics."""
        metrics.CONSUMER_PARKED.labels(consumer).inc(self.parked_count)
        metrics.CONSUMER_REPEATED.labels(consumer).inc(self.repeated_count)
        metrics.CONSUMER_HELD.labels(consumer).inc(self.held_count)
        metrics.CONSUMER_UNKNOWN.labels(consumer).inc(self.unknown_count)
        if self.told:
            metrics.CONSUMER_APPLIED.labels(consumer).inc(len(self.told))
            newest = max(event.recorded_at for event in self.told)
            metrics.CONSUMER_NEWEST.labels(consumer).set(newest.timestamp())


class Applied(msgspec.Struct):
    """What became of a batch. Told to logs and metrics only after the commit."""

    events: list[Received]
    parked: list[tuple[Record, BaseException]]
    repeated_count: int = 0
    held_count: int = 0
    unknown_count: int = 0

    def log_parked(self, consumer: str) -> None:
        """Say what was parked, and why."""
        for record, error in self.parked:
            log.error(
                "event_parked",
                consumer=consumer,
                stream_id=str(record.stream_id),
                version=record.version,
                wire_type=record.wire_type,
                exc_info=error,
            )

    def outcome(self) -> Outcome:
        """What others hear."""
        return Outcome(
            [received.event for received in self.events],
            len(self.parked),
            self.repeated_count,
            self.held_count,
            self.unknown_count,
        )


class Applying:
    """Applies batches for one consumer, and its parked streams when somebody asks for it.

    Args:
        consumer: the owner of versions, held and parked events.
        handle: the consumer's handler.
        topic_prefix: of the installation.
        wanted: of these topics only these wire types; the others are passed over by their envelope alone.
    """

    def __init__(
        self,
        consumer: str,
        handle: Handle,
        topic_prefix: str,
        *,
        wanted: Mapping[Topic, Collection[str]] | None = None,
    ) -> None:
        self.gate = Gate(consumer, with_gaps=wanted or ())
        self._wanted = wanted or {}
        self.parking = Parking(consumer)
        self._consumer = consumer
        self._handle = handle
        self._topic_prefix = topic_prefix

    def apply(self, tx: Transaction, raws: Sequence[Any]) -> Applied:
        """Apply records that were not applied before, in the order of their partitions.

        Raises:
            TooManyUnreadable: see there.
            Exception: what passes: the batch is worth another attempt as it is.
        """
        self._share(tx)
        outcome = Applied([], [])
        records = self._envelopes(tx, raws, outcome)
        if self._wanted:
            records = [record for record in records if self._wants(record)]
            if not records:
                return outcome
        admission = self.gate.admit(tx, records)
        for record in admission.behind:
            self.parking.park(tx, record, None)
        self.gate.hold(tx, admission.held, tx.now)
        failed = self._handle_all(tx, admission.accepted, outcome)
        self.gate.forget_held(tx, admission.released)
        self.gate.advance(
            tx,
            {
                key_of(record): record.version
                for record in admission.accepted
                if not failed or record.version < failed.get(key_of(record), record.version + 1)
            },
        )
        outcome.repeated_count = admission.repeated_count
        outcome.held_count = len(admission.held)
        return outcome

    def retry(self, tx: Transaction, stream_id: UUID, *, discard_first: bool) -> Applied:
        """Handle a parked stream's events in order until one fails again.

        Args:
            tx: its transaction; no batch of this consumer runs beside it.
            stream_id: which stream; it may be parked in several topics.
            discard_first: give up the first of the parked events, and go on with those behind it.
        """
        self._exclude(tx)
        outcome = Applied([], [])
        parked = [record for record, _ in self.parking.events(tx, stream_id)]
        for _, records in groupby(parked, key=key_of):
            self._retry_topic(tx, list(records), outcome, discard_first=discard_first)
            discard_first = False
        return outcome

    def _handle_all(
        self, tx: Transaction, records: Sequence[Record], outcome: Applied
    ) -> dict[StreamKey, int]:
        """Hand everything over at once; only if that fails, one by one. Returns where streams got stuck."""
        try:
            batch, unknown_count = self._decode(records)
            if batch:
                with tx.savepoint():
                    self._handle(tx, batch)
        except Exception as error:
            if passes(error):
                raise
            log.warning(
                "consumer_batch_split",
                consumer=self._consumer,
                error=repr(error),
                size=len(records),
            )
            return self._handle_each(tx, records, outcome)
        outcome.events.extend(batch)
        outcome.unknown_count += unknown_count
        return {}

    def _handle_each(
        self, tx: Transaction, records: Sequence[Record], outcome: Applied
    ) -> dict[StreamKey, int]:
        failed: dict[StreamKey, int] = {}
        for record in records:
            if key_of(record) in failed:
                self.parking.park(tx, record, None)
            elif (error := self._handle_one(tx, record, outcome)) is not None:
                self.parking.park(tx, record, error)
                outcome.parked.append((record, error))
                failed[key_of(record)] = record.version
                if len(failed) > max(PARKED_COUNT_FREE, PARKED_SHARE_MAX * len(records)):
                    raise TooManyUnreadable(
                        f"{len(failed)} streams and more of a batch of {len(records)} cannot be"
                        f" handled; the latest: {error!r}"
                    ) from error
        return failed

    def _handle_one(
        self, tx: Transaction, record: Record, outcome: Applied
    ) -> BaseException | None:
        """Handle one event, or say why it can never be handled."""
        try:
            batch, unknown_count = self._decode([record])
            with (
                correlated(batch[0].event.correlation_id) if batch else nullcontext(),
                tx.savepoint(),
            ):
                if batch:
                    self._handle(tx, batch)
        except Exception as error:
            if passes(error):
                raise
            return error
        outcome.events.extend(batch)
        outcome.unknown_count += unknown_count
        return None

    @staticmethod
    def _decode(records: Iterable[Record]) -> tuple[list[Received], int]:
        batch: list[Received] = []
        unknown_count = 0
        for record in records:
            event = decode(record.wire_type, record.raw)
            if isinstance(event, UnknownEvent):
                unknown_count += 1
                continue
            # Numbers, because a UUID compares itself in Python.
            if (event.stream_id.int, event.version) != (record.stream_id.int, record.version):
                # The gate counted what the envelope says, and the handler would believe the event.
                raise Unreadable(
                    f"the envelope says {record.stream_id}:{record.version}, the event"
                    f" {event.stream_id}:{event.version}"
                )
            batch.append(Received(record.topic, record.partition, record.offset, event, record.raw))
        return batch, unknown_count

    def _envelopes(self, tx: Transaction, raws: Sequence[Any], outcome: Applied) -> list[Record]:
        records: list[Record] = []
        for raw in raws:
            try:
                records.append(read_envelope(raw, self._topic_prefix))
            except Unreadable as error:
                topic = Topic(raw.topic.removeprefix(self._topic_prefix))
                stream_id = derived_id(_STRAY, topic, raw.partition, raw.offset)
                stray = Record(
                    topic, raw.partition, raw.offset, stream_id, 1, _STRAY, raw.value or b""
                )
                self.parking.park(tx, stray, error)
                outcome.parked.append((stray, error))
        return records

    def _wants(self, record: Record) -> bool:
        wanted = self._wanted.get(record.topic)
        return wanted is None or record.wire_type in wanted

    def _retry_topic(
        self, tx: Transaction, parked: list[Record], outcome: Applied, *, discard_first: bool
    ) -> None:
        """The parked events of one stream in one topic, then the held ones that follow without a gap."""
        key = key_of(parked[0])
        last = self.gate.version(tx, key)
        for index, record in enumerate(parked):
            is_early = record.version > last + 1 and record.topic not in self.gate.with_gaps
            if record.wire_type != _STRAY and is_early:
                # It waited behind the failed one, and its own predecessor has not come yet.
                self.gate.hold(tx, parked[index:], tx.now)
                for early in parked[index:]:
                    self.parking.release(tx, early)
                break
            if discard_first and index == 0:
                log.warning(
                    "parked_event_discarded",
                    consumer=self._consumer,
                    stream_id=str(record.stream_id),
                    version=record.version,
                    wire_type=record.wire_type,
                )
            elif (error := self._retry_one(tx, record, outcome)) is not None:
                self.parking.failed_again(tx, record, error)
                return
            self.parking.release(tx, record)
            if record.wire_type != _STRAY:
                last = record.version
                self.gate.advance(tx, {key: last})
        self._follow_with_held(tx, key, last, outcome)

    def _retry_one(self, tx: Transaction, record: Record, outcome: Applied) -> BaseException | None:
        if record.wire_type == _STRAY:
            return Unreadable(
                "has no readable envelope: it belongs to no stream, only discarding is left"
            )
        return self._handle_one(tx, record, outcome)

    def _follow_with_held(
        self, tx: Transaction, key: StreamKey, last: int, outcome: Applied
    ) -> None:
        held = self.gate.held(tx, key)
        while (record := held.get(last + 1)) is not None:
            self.gate.forget_held(tx, [(key, record.version)])
            if (error := self._handle_one(tx, record, outcome)) is not None:
                self.parking.park(tx, record, error)
                outcome.parked.append((record, error))
                return
            last = record.version
            self.gate.advance(tx, {key: last})

    def _share(self, tx: Transaction) -> None:
        """Let batches of this consumer run side by side."""
        tx.cursor.execute(
            "SELECT pg_advisory_xact_lock_shared(hashtext(%s), hashtext('parking'))",
            (self._consumer,),
        )

    def _exclude(self, tx: Transaction) -> None:
        """Let no batch run beside a retry, which must see all that was parked."""
        tx.cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtext(%s), hashtext('parking'))", (self._consumer,)
        )


def passes(error: BaseException) -> bool:
    """Whether an error has to do with the moment, and not with the event: another attempt, never parked."""
    return isinstance(error, NotYet | OSError) or is_transient(error)
