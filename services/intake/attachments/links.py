"""Links that open one file of one ticket for a short while, to whoever has them."""

from typing import Final
from uuid import UUID

from services.intake.secrets import is_signature, signature
from shared.errors import Forbidden

_SIGNATURE_BYTES: Final = 16


class LinkIsNotValid(Forbidden):
    """The link was changed, or its time is over."""

    def __init__(self) -> None:
        super().__init__("This link is not valid (any more); ask for a new one.")


def path_of(ticket_id: UUID, attachment_id: UUID) -> str:
    """The file's address for those who have a token."""
    return f"/v1/tickets/{ticket_id}/attachments/{attachment_id}"


def signed_path(key: bytes, ticket_id: UUID, attachment_id: UUID, *, expires: int) -> str:
    """The file's address for whoever has the link, until `expires` (seconds since 1970)."""
    signed = signature(key, "link", ticket_id, attachment_id, expires, bytes_count=_SIGNATURE_BYTES)
    return f"{path_of(ticket_id, attachment_id)}?expires={expires}&signature={signed.hex()}"


def check_link(
    key: bytes, ticket_id: UUID, attachment_id: UUID, *, expires: int, signed: str, now: float
) -> None:
    """Let the link pass.

    Raises:
        LinkIsNotValid: it is forged, of another file, or its time is over.
    """
    try:
        given = bytes.fromhex(signed)
    except ValueError:
        raise LinkIsNotValid from None
    is_whole = len(given) == _SIGNATURE_BYTES
    if not is_whole or not is_signature(key, given, "link", ticket_id, attachment_id, expires):
        raise LinkIsNotValid
    if now > expires:
        raise LinkIsNotValid
