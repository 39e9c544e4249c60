"""The version gate: each event of a stream is applied once and in order, whatever Kafka delivers."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from shared.database import Transaction
from shared.messaging.records import Record
from shared.topics import Topic

StreamKey = tuple[Topic, UUID]

_COLUMNS: Final = "topic, stream_id, version, partition, record_offset, wire_type, payload"


class Admission(msgspec.Struct):
    """What a batch comes to before anything is handled.

    Attributes:
        accepted: to be handled, in order within each stream; includes formerly held ones that fit now.
        held: came before their predecessor.
        behind: belong to a parked stream and wait behind it.
        released: (stream, version) of formerly held events that are now among the accepted.
        repeated_count: seen before and passed over.
    """

    accepted: list[Record]
    held: list[Record]
    behind: list[Record]
    released: list[tuple[StreamKey, int]]
    repeated_count: int = 0


class Gate:
    """Remembers the last applied version of each stream for one consumer, in the consumer's own schema.

    In the topics of `with_gaps` an event need only be newer than the last one: for a consumer that does not want
    all events of these streams, and so never sees most versions.
    """

    def __init__(self, consumer: str, *, with_gaps: Collection[Topic] = ()) -> None:
        self._consumer = consumer
        self.with_gaps = frozenset(with_gaps)

    def admit(self, tx: Transaction, records: Sequence[Record]) -> Admission:
        """Sort a batch into what is next, what is early, what is old and what is parked."""
        told: dict[StreamKey, list[int]] = {}
        for record in records:
            told.setdefault((record.topic, record.stream_id), []).append(record.version)
        seen = self._versions(tx, told)
        parked, with_held = self._set_aside(tx, told)
        if not parked and not with_held and self._all_follow(told, seen):
            return Admission(list(records), [], [], [])
        early = self._held(tx, with_held) if with_held else {}
        admission = Admission([], [], [], [])
        for key, waiting in early.items():
            if key not in parked:  # a retry or a discard may have let them fit since
                self._release(admission, key, seen, waiting)
        for record in records:
            key = record.topic, record.stream_id
            last = seen.get(key, 0)
            if record.version <= last:
                admission.repeated_count += 1
            elif key in parked:
                admission.behind.append(record)
            elif record.version > last + 1 and record.topic not in self.with_gaps:
                if early.setdefault(key, {}).setdefault(record.version, record) is record:
                    admission.held.append(record)
            else:
                admission.accepted.append(record)
                seen[key] = record.version
                self._release(admission, key, seen, early.get(key))
        # What was early at the beginning of the batch and fitted before its end was never held.
        fitted = {(record.topic, record.stream_id, record.version) for record in admission.accepted}
        admission.held = [
            record
            for record in admission.held
            if (record.topic, record.stream_id, record.version) not in fitted
        ]
        return admission

    def _all_follow(
        self, told: Mapping[StreamKey, Sequence[int]], seen: Mapping[StreamKey, int]
    ) -> bool:
        """Whether what is told of each stream is what comes next in it, as in nearly every batch.

        Stream by stream, and not event by event: a stream's UUID is hashed in Python.
        """
        for key, versions in told.items():
            last = seen.get(key, 0)
            for version in versions:
                if version != last + 1 and (version <= last or key[0] not in self.with_gaps):
                    return False
                last = version
        return True

    def advance(self, tx: Transaction, versions: dict[StreamKey, int]) -> None:
        """Remember the streams' last applied versions."""
        if versions:
            tx.cursor.execute(
                "INSERT INTO stream_versions (consumer, topic, stream_id, version)"
                " SELECT %s, * FROM unnest(%s::text[], %s::uuid[], %s::bigint[])"
                " ON CONFLICT (consumer, topic, stream_id) DO UPDATE SET version = excluded.version",
                (
                    self._consumer,
                    [topic.value for topic, _ in versions],
                    [stream for _, stream in versions],
                    list(versions.values()),
                ),
            )

    def hold(self, tx: Transaction, records: Sequence[Record], at: datetime) -> None:
        """Keep early events until their predecessor comes."""
        if records:
            tx.cursor.executemany(
                f"INSERT INTO held_events (consumer, {_COLUMNS}, held_at)"  # noqa: S608  # constants
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                [(self._consumer, *_row(record), at) for record in records],
            )

    def forget_held(self, tx: Transaction, released: Iterable[tuple[StreamKey, int]]) -> None:
        """The predecessor came; these were handled."""
        for (topic, stream), version in released:
            tx.cursor.execute(
                "DELETE FROM held_events"
                " WHERE consumer = %s AND topic = %s AND stream_id = %s AND version = %s",
                (self._consumer, topic.value, stream, version),
            )

    def version(self, tx: Transaction, key: StreamKey) -> int:
        """The last applied version of a stream; 0 when none was."""
        return self._versions(tx, [key]).get(key, 0)

    def held(self, tx: Transaction, key: StreamKey) -> dict[int, Record]:
        """The held events of a stream by version."""
        return self._held(tx, [key]).get(key, {})

    def oldest_held_seconds(self, tx: Transaction) -> float:
        """How long the oldest held event has waited; 0 when none is held."""
        tx.cursor.execute(
            "SELECT coalesce(extract(epoch FROM now() - min(held_at)), 0)::float8 AS age"
            " FROM held_events WHERE consumer = %s",
            (self._consumer,),
        )
        return float((tx.cursor.fetchone() or {"age": 0.0})["age"])

    @staticmethod
    def _release(
        admission: Admission,
        key: StreamKey,
        seen: dict[StreamKey, int],
        early: dict[int, Record] | None,
    ) -> None:
        while early and (following := early.pop(seen.get(key, 0) + 1, None)):
            admission.accepted.append(following)
            admission.released.append((key, following.version))
            seen[key] = following.version

    def _versions(self, tx: Transaction, keys: Iterable[StreamKey]) -> dict[StreamKey, int]:
        tx.cursor.execute(
            "SELECT v.topic, v.stream_id, v.version"
            " FROM unnest(%s::text[], %s::uuid[]) AS asked (topic, stream_id)"
            " JOIN stream_versions AS v USING (topic, stream_id) WHERE v.consumer = %s",
            (*_columns(keys), self._consumer),
        )
        return {
            (Topic(row["topic"]), row["stream_id"]): row["version"] for row in tx.cursor.fetchall()
        }

    def _set_aside(
        self, tx: Transaction, keys: Iterable[StreamKey]
    ) -> tuple[set[StreamKey], set[StreamKey]]:
        streams = [stream for _, stream in keys]
        tx.cursor.execute(
            "SELECT DISTINCT topic, stream_id, true AS is_parked FROM parked_events"
            " WHERE consumer = %(consumer)s AND stream_id = ANY(%(streams)s)"
            " UNION ALL SELECT DISTINCT topic, stream_id, false FROM held_events"
            " WHERE consumer = %(consumer)s AND stream_id = ANY(%(streams)s)",
            {"consumer": self._consumer, "streams": streams},
        )
        parked: set[StreamKey] = set()
        held: set[StreamKey] = set()
        for row in tx.cursor.fetchall():
            (parked if row["is_parked"] else held).add((Topic(row["topic"]), row["stream_id"]))
        return parked, held

    def _held(
        self, tx: Transaction, keys: Iterable[StreamKey]
    ) -> dict[StreamKey, dict[int, Record]]:
        tx.cursor.execute(
            f"SELECT {_COLUMNS} FROM held_events"  # noqa: S608  # constants
            " JOIN unnest(%s::text[], %s::uuid[]) AS asked (topic, stream_id) USING (topic, stream_id)"
            " WHERE consumer = %s",
            (*_columns(keys), self._consumer),
        )
        found: dict[StreamKey, dict[int, Record]] = {}
        for row in tx.cursor.fetchall():
            record = record_of(row)
            found.setdefault((record.topic, record.stream_id), {})[record.version] = record
        return found


def record_of(row: dict[str, object]) -> Record:
    """A record as `held_events` and `parked_events` keep it."""
    return Record(
        topic=Topic(str(row["topic"])),
        partition=int(str(row["partition"])),
        offset=int(str(row["record_offset"])),
        stream_id=UUID(str(row["stream_id"])),
        version=int(str(row["version"])),
        wire_type=str(row["wire_type"]),
        raw=bytes(row["payload"]),  # type: ignore[call-overload]  # bytea
    )


def _row(record: Record) -> tuple[object, ...]:
    return (
        record.topic.value,
        record.stream_id,
        record.version,
        record.partition,
        record.offset,
        record.wire_type,
        record.raw,
    )


def _columns(keys: Iterable[StreamKey]) -> tuple[list[str], list[UUID]]:
    pairs = list(keys)
    return [topic.value for topic, _ in pairs], [stream for _, stream in pairs]
