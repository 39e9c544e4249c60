"""Files that agents send by messenger: the bytes from the store of attachments, and a link where no file can go."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from services.intake.attachments.links import signed_path
from services.intake.attachments.spool import spooled
from services.intake.attachments.store import AttachmentStore, ContentIsMissing, StoreIsAway
from services.intake.channels.conversations.leaving import Enclosed, NotNow, Rejected
from services.intake.secrets import Secret
from shared.events.messages import AttachedFile
from shared.eventstore import EventStore


class FilesOut:
    """What the sender encloses.

    Args:
        store: has the key that signs links.
        contents: where the bytes are.
        public_url: where customers reach us; None: there are no links.
        link_lives: for so long a link opens its file.
    """

    def __init__(
        self,
        store: EventStore[Any],
        contents: AttachmentStore,
        *,
        public_url: str | None,
        link_lives: timedelta,
    ) -> None:
        self._store = store
        self._contents = contents
        self._public_url = public_url
        self._link_lives = link_lives
        self._secret = Secret("attachments")

    async def enclosed(self, ticket_id: UUID, file: AttachedFile, now: datetime) -> Enclosed:
        """The file as adapters take it; nothing is read before one asks for the bytes."""

        @asynccontextmanager
        async def on_disk() -> AsyncIterator[Path]:
            try:
                pieces = await self._contents.read(file.sha256)
                async with spooled(pieces) as kept:
                    yield kept.path
            except ContentIsMissing:
                raise Rejected("its content is not in the store of attachments") from None
            except StoreIsAway as error:
                raise NotNow(error.detail) from None

        return Enclosed(
            name=file.name,
            content_type=file.content_type,
            size=file.size,
            sha256=file.sha256,
            link=await self._link(ticket_id, file, now),
            on_disk=on_disk,
        )

    async def _link(self, ticket_id: UUID, file: AttachedFile, now: datetime) -> str | None:
        if self._public_url is None:
            return None
        key = await self._secret.load(self._store)
        expires = int((now + self._link_lives).timestamp())
        path = signed_path(key, ticket_id, file.id, expires=expires)
        return f"{self._public_url.rstrip('/')}{path}"
