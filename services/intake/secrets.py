"""The keys that sign what leaves the house, made once per installation and kept in its database."""

import hashlib
import hmac
from typing import Final

from shared.database import Database, Transaction

_SIGNATURE_BYTES_MAX: Final = 32


class Secret:
    """One key by its name in the table `secrets`, read once and remembered.

    Args:
        name: what it signs: `mail` or `attachments`.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._key: bytes | None = None

    def key(self, tx: Transaction) -> bytes:
        """The key. One query in the life of the process."""
        if self._key is None:
            tx.cursor.execute("SELECT value FROM secrets WHERE name = %s", (self._name,))
            row = tx.cursor.fetchone()
            assert row is not None, "the migration made it"
            self._key = bytes(row["value"])
        return self._key

    async def load(self, store: Database) -> bytes:
        """The same outside of a transaction."""
        if self._key is None:
            pool = await store.pool()
            async with pool.connection() as connection:
                found = await connection.execute(
                    "SELECT value FROM secrets WHERE name = %s", (self._name,)
                )
                row = await found.fetchone()
            assert row is not None, "the migration made it"
            self._key = bytes(row["value"])
        return self._key


def signature(key: bytes, *parts: object, bytes_count: int) -> bytes:
    """A keyed hash of these parts (`bytes_count` long, at most 32): nobody without the key can make one."""
    assert bytes_count <= _SIGNATURE_BYTES_MAX, "SHA-256 has no more"
    said = "\x1f".join(map(str, parts)).encode()
    return hmac.new(key, said, hashlib.sha256).digest()[:bytes_count]


def is_signature(key: bytes, given: bytes, *parts: object) -> bool:
    """Whether `given` is the signature of these parts; takes the same time whatever is wrong with it."""
    expected = signature(key, *parts, bytes_count=min(len(given), _SIGNATURE_BYTES_MAX))
    return bool(given) and hmac.compare_digest(expected, given)
