"""Signed cursors: only this database's own cursors for the same rows and columns are taken."""

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from services.query.views.pools import Pool
from shared.errors import Invalid

CHARS_MAX: Final = 1_000
_SEAL_BYTES: Final = 16
_FIELD: Final = "query cursor"
_REFUSED: Final = (
    "is not a cursor of this export: of another entity, other columns, another database, or changed"
)


class Place(NamedTuple):
    """Between two rows.

    Attributes:
        position: the transaction number.
        unit: the last row of that transaction that has been read; None: nothing of it yet.
    """

    position: int
    unit: str | None


START: Final = Place(0, None)


async def secret_of(pool: Pool) -> bytes:
    """What signs the cursors of this database; made with the first one."""
    async with pool.connection() as connection:
        for _ in range(2):
            found = await (await connection.execute("SELECT secret FROM export_seal")).fetchone()
            if found is not None:
                return str(found["secret"]).encode()
            await connection.execute(
                "INSERT INTO export_seal DEFAULT VALUES ON CONFLICT DO NOTHING"
            )
    raise AssertionError("the seal was stored and is not there")


def write_cursor(place: Place, secret: bytes, scope: Sequence[str]) -> str:
    """The opaque text for `place`; `scope` names what is exported."""
    packed = msgspec.msgpack.encode(place)
    return urlsafe_b64encode(_seal(packed, secret, scope) + packed).rstrip(b"=").decode()


def read_cursor(text: str, secret: bytes, scope: Sequence[str]) -> Place:
    """The place that `write_cursor` was given.

    Raises:
        Invalid: garbage, or a cursor of another export.
    """
    if len(text) > CHARS_MAX:
        raise Invalid.of(_FIELD, f"longer than {CHARS_MAX} characters")
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        raise Invalid.of(_FIELD, _REFUSED) from None
    seal, packed = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
    if not hmac.compare_digest(seal, _seal(packed, secret, scope)):
        raise Invalid.of(_FIELD, _REFUSED)
    return msgspec.msgpack.decode(packed, type=Place)


def _seal(packed: bytes, secret: bytes, scope: Sequence[str]) -> bytes:
    said = msgspec.msgpack.encode((tuple(scope), packed))
    return hmac.digest(secret, said, "sha256")[:_SEAL_BYTES]
