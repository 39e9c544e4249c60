"""The key that signs seals and days: made from a secret that the database never sees; everybody may check."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import date
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_PURPOSE: Final = b"ticketing audit signing key 1: "
_KEY_BYTES: Final = 32


class AuditKey:
    """One service's signing key (Ed25519, RFC 8032).

    Args:
        secret: at least 32 random characters, from the environment of this service alone.
        service: goes into the key, so that the same secret given to two services still makes two keys.
    """

    def __init__(self, secret: str, service: str) -> None:
        seed = HKDF(SHA256(), _KEY_BYTES, salt=None, info=_PURPOSE + service.encode())
        self._key = Ed25519PrivateKey.from_private_bytes(seed.derive(secret.encode()))
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = urlsafe_b64encode(raw).rstrip(b"=").decode()
        self.id = key_id(self.public)

    def sign(self, digest: bytes) -> bytes:
        """The signature of a seal's or day's hash."""
        return self._key.sign(digest)


class PublicKeys:
    """The keys that a verifier trusts, by id.

    Args:
        publics: each `KEY`, or `KEY@2026-11-01`: it counts for nothing later than that day (UTC). A key that was
            replaced needs its last day, or whoever finds it can sign a log of their own to this day.

    Raises:
        ValueError: a key is not 32 bytes of base64url, or its last day is none.
    """

    def __init__(self, *publics: str) -> None:
        self._keys: dict[str, tuple[Ed25519PublicKey, date]] = {}
        for text in publics:
            key, at, day = text.partition("@")
            last = date.fromisoformat(day) if at else date.max
            self._keys[key_id(key)] = (_public_key(key), last)

    def __contains__(self, wanted: object) -> bool:
        return wanted in self._keys

    def __bool__(self) -> bool:
        return bool(self._keys)

    def have_signed(
        self, digest: bytes, signature: bytes | None, signed_by: str | None, *, on: date
    ) -> bool:
        """Whether the key of this id, one of ours that counts on that day, signed the digest."""
        key, last = self._keys.get(signed_by or "", (None, date.min))
        if key is None or signature is None or on > last:
            return False
        try:
            key.verify(signature, digest)
        except InvalidSignature:
            return False
        return True


def key_id(public: str) -> str:
    """A short name of a public key: the beginning of its SHA-256."""
    return hashlib.sha256(_raw(public)).hexdigest()[:16]


def _public_key(text: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(_raw(text))


def _raw(text: str) -> bytes:
    raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(raw) != _KEY_BYTES:
        raise ValueError(f"a public key has {_KEY_BYTES} bytes, this one {len(raw)}")
    return raw
