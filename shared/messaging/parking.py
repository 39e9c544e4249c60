"""Parked streams: what cannot be handled waits here with everything of its stream behind it, until someone decides."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from shared.database import Transaction
from shared.messaging.gate import StreamKey, record_of
from shared.messaging.records import Record
from shared.topics import Topic

_ERROR_CHARS_MAX: Final = 4_000


class ParkedStream(msgspec.Struct, frozen=True):
    """One parked stream, for people: the event that failed, why, and how many wait behind it."""

    consumer: str
    topic: str
    stream_id: UUID
    version: int
    wire_type: str
    error: str
    attempts: int
    waiting_count: int
    parked_at: datetime


class Parking:
    """The parked events of one consumer."""

    def __init__(self, consumer: str) -> None:
        self._consumer = consumer

    def park(self, tx: Transaction, record: Record, error: BaseException | None) -> None:
        """Set an event aside; `error` is None for one that waits behind its predecessor."""
        tx.cursor.execute(
            "INSERT INTO parked_events (consumer, topic, stream_id, version, partition, record_offset,"
            " wire_type, payload, error, attempts, parked_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (
                self._consumer,
                record.topic.value,
                record.stream_id,
                record.version,
                record.partition,
                record.offset,
                record.wire_type,
                record.raw,
                None if error is None else describe(error),
                0 if error is None else 1,
                tx.now,
            ),
        )

    def count(self, tx: Transaction) -> int:
        """How many streams are parked."""
        tx.cursor.execute(
            "SELECT count(DISTINCT (topic, stream_id)) AS n FROM parked_events WHERE consumer = %s",
            (self._consumer,),
        )
        return int((tx.cursor.fetchone() or {"n": 0})["n"])

    def list(self, tx: Transaction, limit: int = 200) -> list[ParkedStream]:
        """The parked streams, oldest first."""
        tx.cursor.execute(
            "SELECT * FROM ("
            " SELECT DISTINCT ON (topic, stream_id) consumer, topic, stream_id, version, wire_type,"
            " error, attempts, parked_at, count(*) OVER (PARTITION BY topic, stream_id) - 1 AS waiting"
            " FROM parked_events WHERE consumer = %s ORDER BY topic, stream_id, version"
            ") AS streams ORDER BY parked_at, stream_id LIMIT %s",
            (self._consumer, limit),
        )
        return [_stream(row) for row in tx.cursor.fetchall()]

    def events(self, tx: Transaction, stream_id: UUID) -> Sequence[tuple[Record, str | None]]:
        """All parked events of a stream in order, each with its error."""
        tx.cursor.execute(
            "SELECT * FROM parked_events WHERE consumer = %s AND stream_id = %s"
            " ORDER BY topic, version FOR UPDATE",
            (self._consumer, stream_id),
        )
        return [(record_of(row), row["error"]) for row in tx.cursor.fetchall()]

    def release(self, tx: Transaction, record: Record) -> None:
        """This event was handled, or given up."""
        tx.cursor.execute(
            "DELETE FROM parked_events"
            " WHERE consumer = %s AND topic = %s AND stream_id = %s AND version = %s",
            (self._consumer, record.topic.value, record.stream_id, record.version),
        )

    def failed_again(self, tx: Transaction, record: Record, error: BaseException) -> None:
        """Another attempt failed."""
        tx.cursor.execute(
            "UPDATE parked_events SET attempts = attempts + 1, error = %s"
            " WHERE consumer = %s AND topic = %s AND stream_id = %s AND version = %s",
            (
                describe(error),
                self._consumer,
                record.topic.value,
                record.stream_id,
                record.version,
            ),
        )


def describe(error: BaseException) -> str:
    """Kind and message of an error, bounded, and without what PostgreSQL takes for no text (NUL, half surrogates)."""
    said = f"{type(error).__name__}: {error}"[:_ERROR_CHARS_MAX]
    return said.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def key_of(record: Record) -> StreamKey:
    """The stream of a record, as the gate counts it."""
    return record.topic, record.stream_id


def _stream(row: dict[str, Any]) -> ParkedStream:
    return ParkedStream(
        consumer=row["consumer"],
        topic=Topic(row["topic"]).value,
        stream_id=row["stream_id"],
        version=row["version"],
        wire_type=row["wire_type"],
        error=row["error"] or "",
        attempts=row["attempts"],
        waiting_count=row["waiting"],
        parked_at=row["parked_at"],
    )
