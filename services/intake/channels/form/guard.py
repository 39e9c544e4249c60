"""The guard of forms: a stamp says when the page was made, and what is wrong with what came back. Pure.

The stamp is `<seconds since 1970>.<nonce>.<signature>`. Its nonce makes a form that is sent twice one ticket.
"""

import hashlib
import secrets
from typing import Final

import msgspec

from services.intake.secrets import is_signature, signature

_SIGNATURE_BYTES: Final = 16
_PARTS: Final = 3


class Stamp(msgspec.Struct, frozen=True):
    """A stamp of ours. `made_at`: seconds since 1970."""

    made_at: int
    nonce: str


def make(key: bytes, form: str, now: float) -> str:
    """A new stamp for this form."""
    made_at, nonce = int(now), secrets.token_urlsafe(12)
    signed = signature(key, "form", form, made_at, nonce, bytes_count=_SIGNATURE_BYTES).hex()
    return f"{made_at}.{nonce}.{signed}"


def read(key: bytes, form: str, given: str) -> Stamp | None:
    """The stamp; None when we did not make it for this form."""
    parts = given.split(".")
    if len(parts) != _PARTS or not parts[0].isascii() or not parts[0].isdigit():
        return None
    made_at, nonce, signed = parts
    try:
        raw = bytes.fromhex(signed)
    except ValueError:
        return None
    if len(raw) != _SIGNATURE_BYTES or not is_signature(key, raw, "form", form, made_at, nonce):
        return None
    return Stamp(int(made_at), nonce)


def is_worked_out(stamp: str, answer: str, bits: int) -> bool:
    """Whether somebody's machine worked for it: SHA-256 of `<stamp>:<answer>` begins with so many zero bits."""
    if bits == 0:
        return True
    digest = hashlib.sha256(f"{stamp}:{answer}".encode()).digest()
    return int.from_bytes(digest) >> (len(digest) * 8 - bits) == 0
