"""Opaque keyset cursors: where the next page begins."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Hashable, Sequence
from functools import cache
from typing import Any, Final, TypeVar, cast
from zlib import crc32

import msgspec

from shared.errors import Invalid

T = TypeVar("T")

CHARS_MAX: Final = 2_048
"""Fits any proxy's address line; key values are moments, numbers and ids."""

_CHECKSUM_BYTES: Final = 4
_BIGINT: Final = range(-(2**63), 2**63)


def encode(values: Sequence[Any], *, scope: str = "") -> str:
    """A cursor after the row with these key values (str, int, float, bool, None, datetime, UUID).

    `scope` names the list and its order (`tickets:updated_at desc`): a cursor works only where it was made.
    It is not signed: whoever forges one reaches another page of a list they may read anyway.
    """
    packed = msgspec.msgpack.encode(tuple(values))
    return urlsafe_b64encode(_checksum(packed, scope) + packed).rstrip(b"=").decode()


def decode(text: str, type: type[T], *, scope: str = "", field: str = "cursor") -> T:  # noqa: A002
    """The key values again, for example `decode(text, tuple[datetime, UUID], scope=…)`.

    Raises:
        Invalid: garbage, values of other types, or a cursor of another list.
    """
    if len(text) > CHARS_MAX:
        raise Invalid.of(field, f"longer than {CHARS_MAX} characters")
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        packed = raw[_CHECKSUM_BYTES:]
        if raw[:_CHECKSUM_BYTES] != _checksum(packed, scope):
            raise Invalid.of(field, "is not a cursor of this list")
        values: T = _decoder(cast("Hashable", type)).decode(packed)
    except (ValueError, RecursionError, binascii.Error):  # msgspec's errors are ValueErrors
        raise Invalid.of(field, "is not a cursor of this list") from None
    if not all(_is_storable(value) for value in _each(values)):
        raise Invalid.of(field, "is not a cursor of this list")
    return values


def _checksum(packed: bytes, scope: str) -> bytes:
    return crc32(packed, crc32(scope.encode())).to_bytes(_CHECKSUM_BYTES)


@cache  # bounded by the number of lists in the code
def _decoder(type_: Hashable) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(cast("Any", type_))


def _each(values: Any) -> Sequence[Any]:
    return values if isinstance(values, tuple | list) else (values,)


def _is_storable(value: Any) -> bool:
    """Whether PostgreSQL can compare with it; a forged cursor must end as 422, not as an error of the database."""
    if isinstance(value, str):
        return "\0" not in value
    return not isinstance(value, int) or value in _BIGINT
