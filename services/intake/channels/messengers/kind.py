"""What every messenger's adapter does: read what comes, send what leaves."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol
from uuid import UUID

import msgspec

from services.intake.channels.installed import WayIn
from shared.events.tickets import Person
from shared.security.tokens import Unauthorized

TEXT_CHARS_MAX = 4_096
"""What Telegram and WhatsApp take in one message; a longer one leaves in parts."""


class Forged(Unauthorized):
    """The signature or secret of a webhook is wrong, or there is none."""

    title = "Webhook refused"


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a message, as the messenger knows it. `kind`: its word for it, such as `photo`."""

    id: str
    kind: str
    name: str | None = None
    size: int | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the bytes of a file are. `origins`: where this messenger keeps files, and nowhere else."""

    url: str
    origins: tuple[str, ...]
    headers: Mapping[str, str] = {}
    name: str | None = None
    content_type: str | None = None


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """A message that came.

    Attributes:
        external_id: the same for every repetition of it.
        thread: the conversation over there.
        person: who wrote; known by `addresses`, if by any.
        sent_at: aware UTC; None: now.
        subject: of the ticket, if one is opened; None: the first words.
    """

    external_id: str
    thread: str
    person: Person
    body: str
    addresses: tuple[str, ...] = ()
    sent_at: datetime | None = None
    subject: str | None = None
    language: str | None = None
    media: tuple[Media, ...] = ()


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a messenger tells of a message that we sent."""

    external_id: str
    state: Literal["sent", "delivered", "read", "failed"]
    reason: str | None = None


def sent_at(seconds: int, now: datetime) -> datetime:
    """When a message was sent that tells it in seconds since 1970: at the latest now, also if no such moment exists."""
    try:
        return min(datetime.fromtimestamp(seconds, UTC), now)
    except (OverflowError, OSError, ValueError):
        return now


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook's request holds; `passed_over`: how much of it is nothing to a ticket."""

    messages: tuple[Incoming, ...] = ()
    told: tuple[Told, ...] = ()
    passed_over: int = 0


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

    async def close(self) -> None:
        """Give the connections back."""
        ...


class Messenger(Sends, Protocol):
    """An adapter.

    Attributes:
        source: names it everywhere: `telegram:support`.
        way: what its tickets begin with.
    """

    source: str
    way: WayIn

    def read(self, raw: bytes, headers: Mapping[str, str], now: datetime) -> Read:
        """Take a request apart.

        Raises:
            Forged: it is not signed as agreed.
            Invalid, NotJson: it is not what this messenger sends.
        """
        ...

    async def locate(self, media: Media) -> Place:
        """Ask where a file is that came with a message of this messenger.

        Raises:
            Rejected, NotNow: it is not to be had.
        """
        ...
