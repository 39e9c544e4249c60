"""Kafka records: CloudEvents 1.0, binary mode (headers say what it is, the value is the event's own JSON)."""

from datetime import datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

import msgspec
from aiokafka.structs import ConsumerRecord

from shared.errors import Unreadable
from shared.events import Event, Owner
from shared.topics import Topic


class Received(msgspec.Struct, frozen=True, gc=False):
    """An event as it came from Kafka; `raw` is its exact JSON."""

    topic: Topic
    partition: int
    offset: int
    event: Event
    raw: bytes


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record whose envelope is read and whose value is not yet."""

    topic: Topic
    partition: int
    offset: int
    stream_id: UUID
    version: int
    wire_type: str
    raw: bytes


class _Head(msgspec.Struct):
    """The few members of an event that headers repeat."""

    recorded_at: str
    correlation_id: str


_HEAD: Final = msgspec.json.Decoder(_Head)

_BIGINT_MAX: Final = 2**63 - 1
_WIRE_TYPE_CHARS_MAX: Final = 200
_STREAMS_REMEMBERED: Final = 8_192
"""Events of a stream come close together, and reading its UUID costs as much as the rest of an envelope; some 2 MB."""


def headers_of(
    owner: Owner, stream_id: UUID, version: int, wire_type: str, raw: bytes
) -> list[tuple[str, bytes]]:
    """The CloudEvents headers of an event; `ce_id` is unique for ever and the same on every resend."""
    head = _HEAD.decode(raw)
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", f"{owner}:{stream_id}:{version}".encode()),
        ("ce_type", wire_type.encode()),
        ("ce_source", f"/ticketing/{owner}".encode()),
        ("ce_time", head.recorded_at.encode()),
        ("ce_subject", str(stream_id).encode()),
        ("ce_sequence", str(version).encode()),
        ("ce_partitionkey", str(stream_id).encode()),
        ("ce_correlationid", head.correlation_id.encode()),
        ("content-type", b"application/json"),
    ]


def recorded_at(raw: bytes) -> datetime:
    """When the event with this JSON was stored."""
    return datetime.fromisoformat(_HEAD.decode(raw).recorded_at)


def id_of(record: ConsumerRecord) -> str | None:
    """The id that is the same on every resend; None for what no relay of ours has written."""
    for name, value in record.headers:
        if name == "ce_id":
            return value.decode("ascii", "replace") if value else None
    return None


def read_envelope(record: ConsumerRecord, prefix: str) -> Record:
    """The envelope of a record.

    Raises:
        Unreadable: a header is missing or malformed: not one of our records.
    """
    headers = dict(record.headers)
    try:
        return Record(
            topic=Topic(record.topic.removeprefix(prefix)),
            partition=record.partition,
            offset=record.offset,
            stream_id=_stream_id(headers["ce_subject"]),
            version=_version(headers["ce_sequence"]),
            wire_type=_wire_type(headers["ce_type"]),
            raw=record.value or b"",
        )
    except (KeyError, ValueError, TypeError) as error:  # a header may be null
        raise Unreadable(f"{record.topic}/{record.partition}@{record.offset}: {error!r}") from error


@lru_cache(maxsize=_STREAMS_REMEMBERED)
def _stream_id(header: bytes) -> UUID:
    return UUID(str(header, "ascii"))


def _version(header: bytes) -> int:
    version = int(header)
    if not 1 <= version <= _BIGINT_MAX:
        raise ValueError(f"no version: {version}")
    return version


def _wire_type(header: bytes) -> str:
    wire_type = str(header, "utf-8")
    if not wire_type.isprintable() or not 1 <= len(wire_type) <= _WIRE_TYPE_CHARS_MAX:
        raise ValueError(f"no wire type: {wire_type[:_WIRE_TYPE_CHARS_MAX]!r}")
    return wire_type
