"""What every messenger's adapter does: read what comes; how it sends is `conversations.leaving`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from services.intake.channels.conversations.leaving import Sends, Told
from services.intake.channels.installed import WayIn
from shared.events.tickets import Person
from shared.security.tokens import Unauthorized


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
            Rejected, NotNow (see there): it is not to be had.
        """
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...
