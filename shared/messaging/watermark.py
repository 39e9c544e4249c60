"""Watermarks: a relay's word that everything its service had acknowledged by a moment is in Kafka.

What lies in a service's event table and is not published is invisible to every reader. Only the relay knows that
there is nothing of the kind, so it says so, again and again; when it falls silent, readers know that they may be
behind, and since when.
"""

from datetime import datetime
from typing import Final

import msgspec

from shared.errors import Unreadable
from shared.events import Owner

TELL_SECONDS: Final = 0.5
"""How often a relay says it: part of how exactly freshness is known."""


class Watermark(msgspec.Struct, frozen=True):
    """Everything that `owner` had committed by `until` is published; `position` is its last event's place."""

    owner: Owner
    until: datetime
    position: int


_DECODER: Final = msgspec.json.Decoder(Watermark)


def encode(watermark: Watermark) -> bytes:
    """The record's value; its key is the owner, so that compaction keeps the newest of each."""
    return msgspec.json.encode(watermark)


def decode(raw: bytes | None) -> Watermark:
    """Raises Unreadable: this is no watermark."""
    try:
        return _DECODER.decode(raw or b"")
    except msgspec.MsgspecError as error:
        raise Unreadable(f"a watermark that is none: {error}") from error
