"""The link by which a customer answers without a login. It opens one question of one ticket, and nothing else. Pure."""

import base64
import binascii
from typing import Final
from uuid import UUID

import msgspec

from services.intake.secrets import is_signature, signature
from shared.errors import NotFound
from shared.events.satisfaction import Score

PATH: Final = "/survey"
_ID_BYTES: Final = 16
_SIGNATURE_BYTES: Final = 16
TOKEN_CHARS: Final = 64
"""Two ids and a signature, 48 bytes, as base64url without padding."""


class Asked(msgspec.Struct, frozen=True):
    """Which question the link is about."""

    ticket_id: UUID
    survey_id: UUID


def token(key: bytes, asked: Asked) -> str:
    """What stands in the link."""
    signed = signature(
        key, "survey", asked.ticket_id, asked.survey_id, bytes_count=_SIGNATURE_BYTES
    )
    raw = asked.ticket_id.bytes + asked.survey_id.bytes + signed
    return base64.urlsafe_b64encode(raw).decode()


def answers(key: bytes, asked: Asked, public_url: str) -> dict[Score, str]:
    """The link of each answer; it leads to the page with that answer chosen."""
    page = f"{public_url.rstrip('/')}{PATH}?token={token(key, asked)}"
    return {score: f"{page}&score={score.value}" for score in Score}


def read(key: bytes, given: str) -> Asked:
    """The question that a token of ours is about.

    Raises:
        NotFound: we did not make it.
    """
    try:
        raw = base64.b64decode(given.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        raw = b""
    if len(raw) == 2 * _ID_BYTES + _SIGNATURE_BYTES:
        asked = Asked(UUID(bytes=raw[:_ID_BYTES]), UUID(bytes=raw[_ID_BYTES : 2 * _ID_BYTES]))
        if is_signature(key, raw[2 * _ID_BYTES :], "survey", asked.ticket_id, asked.survey_id):
            return asked
    raise NotFound("there is no such survey")
