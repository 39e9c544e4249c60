"""A message that leaves for where a customer reads it, and what may become of it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol
from uuid import UUID

import msgspec

TEXT_CHARS_MAX = 4_096
"""What Telegram and WhatsApp take in one message; a longer one leaves in parts."""


class Enclosed(msgspec.Struct, frozen=True, kw_only=True):
    """A file that leaves.

    Attributes:
        link: opens it for whoever has it, for a while; None: our public address is not known.
        on_disk: its bytes, in a file that lives until the block ends.
    """

    name: str
    content_type: str
    size: int
    sha256: str
    link: str | None
    on_disk: Callable[[], AbstractAsyncContextManager[Path]]

    @property
    def as_words(self) -> str:
        """What is said where no file can be sent."""
        return f"{self.name}: {self.link}"


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """A message that leaves. `heard_at`: when the customer last wrote; `id` is the same on every attempt.

    `file`: it is this file; `text` is for whom cannot be sent one.
    """

    id: UUID
    ticket_id: UUID
    message_id: UUID
    thread: str
    text: str
    author: str | None = None
    heard_at: datetime | None = None
    file: Enclosed | None = None


class Rejected(Exception):
    """The messenger will never take it; the message says why."""


class NotNow(Exception):
    """It may take it later: after `seconds`, if it said so."""

    def __init__(self, reason: str, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Sends(Protocol):
    """Brings what leaves the outbox to where the customer reads it."""

    async def send(self, message: Leaving, now: datetime) -> str | None:
        """Hand it over; returns the id over there.

        Raises:
            Rejected: it will never be taken; what is a file then leaves as a link.
            NotNow: it was not taken now.
        """
        ...


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a messenger tells of a message that we sent."""

    external_id: str
    state: Literal["sent", "delivered", "read", "failed"]
    reason: str | None = None
