"""The hashes of the audit, as anybody can compute them again from stored bytes alone (ADR 0010). Pure.

All are SHA-256. Each kind begins with its own name, so that a hash of one kind never passes for another's.
"""

import hashlib
import struct
from collections.abc import Iterator
from datetime import date, datetime
from typing import Final, NamedTuple

NOTHING: Final = bytes(32)
"""What the first link of a stream, the first seal and the first day follow."""

ENTRY_BYTES: Final = 56
"""One event in a seal: stream id (16), version (8), leaf (32)."""

_PLACE: Final = struct.Struct(">q16sq")
_ENTRY: Final = struct.Struct(">16sq32s")
_LENGTH: Final = struct.Struct(">I")
_NUMBER: Final = struct.Struct(">q")

_sha256 = hashlib.sha256


class Entry(NamedTuple):
    """What a seal says about one event."""

    stream: bytes
    version: int
    leaf: bytes


def leaf(position: int, stream: bytes, version: int, wire_type: str, state_hash: bytes) -> bytes:
    """The hash of one stored row, all of it.

    Args:
        position: the row's `notification_id`: its place in commit order.
        stream: the 16 bytes of the stream's id.
        version: in its stream.
        wire_type: the stored topic.
        state_hash: SHA-256 of the stored bytes.
    """
    kind = wire_type.encode()
    return _sha256(
        b"ticketing.leaf.1"
        + _PLACE.pack(position, stream, version)
        + _LENGTH.pack(len(kind))
        + kind
        + state_hash
    ).digest()


def link(previous: bytes, leaf_hash: bytes) -> bytes:
    """The stream's chain after one more event; `previous` is the link before, or `NOTHING`."""
    return _sha256(b"ticketing.link.1" + previous + leaf_hash).digest()


def head(stream: bytes, version: int, link_hash: bytes) -> bytes:
    """The end of a stream's chain as a leaf of the day's tree."""
    return _ENTRY.pack(stream, version, link_hash)


def pack_entry(stream: bytes, version: int, leaf_hash: bytes) -> bytes:
    """An event as it stands in a seal."""
    return _ENTRY.pack(stream, version, leaf_hash)


def entries(packed: bytes) -> Iterator[Entry]:
    """The events of a seal.

    Raises:
        struct.error: the bytes are no whole number of entries.
    """
    return map(Entry._make, _ENTRY.iter_unpack(packed))


class Seal(NamedTuple):
    """All events after position `after` up to `last`, in commit order, and the seal before."""

    service: str
    number: int
    day: date
    after: int
    last: int
    entries: bytes
    previous: bytes
    sealed_at: datetime

    def hash(self) -> bytes:
        """What is signed, and what the next seal follows."""
        return _sha256(
            b"ticketing.seal.1"
            + _text(self.service)
            + _NUMBER.pack(self.number)
            + _text(self.day.isoformat())
            + _NUMBER.pack(self.after)
            + _NUMBER.pack(self.last)
            + _text(_moment(self.sealed_at))
            + self.previous
            + _sha256(self.entries).digest()
        ).digest()


class DayRoot(NamedTuple):
    """One day of one service: the tree over the heads of every stream that grew, and the day before.

    `seal_number` and `seal_hash` name the day's last seal, so that the root also holds the commit order.
    """

    service: str
    number: int
    day: date
    last: int
    event_count: int
    stream_count: int
    seal_number: int
    seal_hash: bytes
    heads_root: bytes
    previous: bytes

    def hash(self) -> bytes:
        """What is signed, and what the next day follows."""
        return _sha256(
            b"ticketing.day.1"
            + _text(self.service)
            + _NUMBER.pack(self.number)
            + _text(self.day.isoformat())
            + b"".join(
                map(
                    _NUMBER.pack, (self.last, self.event_count, self.stream_count, self.seal_number)
                )
            )
            + self.seal_hash
            + self.heads_root
            + self.previous
        ).digest()


def _text(value: str) -> bytes:
    data = value.encode()
    return _LENGTH.pack(len(data)) + data


def _moment(value: datetime) -> str:
    return f"{value.timestamp():.6f}"
