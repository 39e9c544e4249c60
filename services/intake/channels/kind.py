"""What every channel is: a `build` in its package's `parts.py`, from the house it stands in to what it adds to it.

Receiving: its routes and tasks hand what comes to one `receive`, which makes it a command to the ticket, once. Sending:
its `outgoing` takes events in their transaction; what it keeps leaves later. Off, its routes answer that it is.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from fastapi import APIRouter

from services.intake.app import Intake
from services.intake.attachments.store import AttachmentStore
from services.intake.channels.conversations.leaving import Sends
from services.intake.channels.identity import IdentityTokens
from services.intake.channels.installed import Channels
from services.intake.domain import Ticket
from services.intake.outgoing import NoticeChannel, Outgoing
from services.intake.settings import Settings
from services.intake.surveys.desk import SurveyChannel
from shared.clock import Clock
from shared.eventstore import EventStore, GroupCommitter

Task = Callable[[], Awaitable[None]]


class House(msgspec.Struct, frozen=True, kw_only=True):
    """What channels are built from: the verbs, the stores, and what is switched on."""

    intake: Intake
    store: EventStore[Ticket]
    contents: AttachmentStore
    clock: Clock
    settings: Settings
    channels: Channels
    identity: IdentityTokens

    @property
    def redis_url(self) -> str | None:
        """Where processes meet; None: each is for itself."""
        url = self.settings.redis_url
        return None if url is None else url.get_secret_value()


class Replying(Outgoing, SurveyChannel, Protocol):
    """A channel that sends: replies, and what asks for an opinion."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel adds.

    Attributes:
        routers: its addresses; they are there, and say so, while it is off.
        outgoing: takes what leaves by it; None: nothing does.
        notices: brings what rules say to people who work here; the first that is there does.
        sends: bring what is in the outbox of messengers to its readers, by source.
        tasks, committers, on_drain, on_stop: see `Service`.
        websockets: whether it needs them.
    """

    routers: Sequence[APIRouter]
    outgoing: Replying | None = None
    notices: NoticeChannel | None = None
    sends: Mapping[str, Sends] = {}
    tasks: Sequence[Task] = ()
    committers: Sequence[GroupCommitter[Any]] = ()
    on_drain: Sequence[Task] = ()
    on_stop: Sequence[Task] = ()
    websockets: bool = False


Build = Callable[[House], Parts]
