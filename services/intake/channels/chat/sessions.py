"""Who a visitor is: somebody whom the site has signed for, or the holder of a session that we have signed. Pure."""

import secrets
from typing import Final

import msgspec

from services.intake.secrets import is_signature, signature
from shared.security.tokens import InvalidToken

_SIGNATURE_BYTES: Final = 16
_PARTS: Final = 3
_PREFIX: Final = "visitor"


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """A visitor. `id` of an anonymous one is `chat:…`, which no login's subject is."""

    id: str
    name: str | None = None
    email: str | None = None
    is_identified: bool = False


def new_session(key: bytes) -> str:
    """A session for somebody new; whoever holds it is that visitor."""
    random = secrets.token_urlsafe(18)
    signed = signature(key, _PREFIX, random, bytes_count=_SIGNATURE_BYTES).hex()
    return f"{_PREFIX}.{random}.{signed}"


def visitor_id(key: bytes, session: str) -> str:
    """Whose session it is.

    Raises:
        InvalidToken: we have not signed it.
    """
    parts = session.split(".")
    try:
        raw = bytes.fromhex(parts[2]) if len(parts) == _PARTS else b""
    except ValueError:
        raw = b""
    if len(raw) != _SIGNATURE_BYTES or not is_signature(key, raw, _PREFIX, parts[1]):
        raise InvalidToken("The session is not one of ours.", field="session")
    return f"chat:{parts[1]}"
