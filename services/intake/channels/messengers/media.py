"""Files that customers send by messenger: fetched from where the messenger keeps them, and kept as attachments."""

import mimetypes
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import httpx2
import structlog

from services.intake.attachments import rules
from services.intake.attachments.spool import spooled
from services.intake.attachments.store import AttachmentStore
from services.intake.channels.conversations.leaving import NotNow, Rejected
from services.intake.channels.messengers.kind import Incoming, Media, Messenger, Place
from services.intake.channels.messengers.post import TIMEOUT_SECONDS, check
from services.intake.domain import limits
from shared.errors import NotYet
from shared.events.messages import AttachedFile
from shared.identifiers import new_id

log = structlog.get_logger(__name__)

WAIT: Final = timedelta(minutes=2)
"""So long after it was sent a message waits for a file that cannot be had now: the messenger posts it again. Then it is
taken without the file, which says why: a messenger holds back what comes after a message that we do not take."""

_RETRY_SECONDS: Final = 15


class MediaIn:
    """Fetches.

    Args:
        contents: where the bytes go, before the transaction that names them.
        bytes_max: the largest file that is kept.
    """

    def __init__(self, contents: AttachmentStore, *, bytes_max: int) -> None:
        self._contents = contents
        self._bytes_max = bytes_max

    async def kept(
        self, messenger: Messenger, message: Incoming, now: datetime
    ) -> tuple[AttachedFile, ...]:
        """The files of the message. One that cannot be had is named with the reason.

        Raises:
            NotYet: one cannot be had now, and the message is new: it is to be posted again.
            StoreIsAway: nothing can be stored now.
        """
        is_new = message.sent_at is not None and now - message.sent_at < WAIT
        files = []
        for media in message.media[: limits.FILES_MAX]:
            try:
                files.append(await self._fetched(messenger, media))
            except Rejected as error:
                files.append(_withheld(media, str(error)))
            except NotNow as error:
                if is_new:
                    raise NotYet(
                        f"A file cannot be fetched now: {error}.",
                        retry_after_seconds=_RETRY_SECONDS,
                    ) from None
                files.append(_withheld(media, f"it could not be fetched: {error}"))
        return tuple(files)

    async def _fetched(self, messenger: Messenger, media: Media) -> AttachedFile:
        place = await messenger.locate(media)
        _refuse_strange_host(place)
        name = _name(media, place)
        if why := rules.refusal(name):
            raise Rejected(why)
        try:
            async with (
                httpx2.AsyncClient(
                    timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False
                ) as client,
                client.stream("GET", place.url, headers=dict(place.headers)) as answer,
            ):
                check(answer.status_code, "", answer.headers)
                async with spooled(self._bounded(answer)) as file:
                    await self._contents.put(file.sha256, file.path)
                    size, sha256 = file.size, file.sha256
        except httpx2.HTTPError as error:
            # Never the address: Telegram's has the token in it.
            raise NotNow(f"no answer: {type(error).__name__}") from None
        return AttachedFile(
            id=new_id(),
            name=name,
            content_type=rules.clean_type(place.content_type or mimetypes.guess_type(name)[0]),
            size=size,
            sha256=sha256,
        )

    async def _bounded(self, answer: httpx2.Response) -> AsyncIterator[bytes]:
        size = 0
        async for piece in answer.aiter_bytes():
            size += len(piece)
            if size > self._bytes_max:
                raise Rejected(f"it is larger than {self._bytes_max} bytes")
            yield piece


def _refuse_strange_host(place: Place) -> None:
    """The address was told by the messenger's own API; still nobody makes us call what is not the messenger's.

    Raises:
        Rejected: it is none of the hosts that the messenger keeps files on.
    """
    parts = urlsplit(place.url)
    is_known = (parts.scheme, parts.hostname) in {
        (urlsplit(origin).scheme, urlsplit(origin).hostname) for origin in place.origins
    }
    if not is_known:
        raise Rejected(f"it is kept on {parts.hostname}, which is not the messenger's")


def _name(media: Media, place: Place) -> str:
    """A name for people; what the messenger gave none is called by its kind."""
    given = media.name or place.name
    if given:
        return rules.clean_name(given)
    ending = mimetypes.guess_extension((place.content_type or "").partition(";")[0].strip()) or ""
    return rules.clean_name(f"{media.kind}{ending}")


def _withheld(media: Media, why: str) -> AttachedFile:
    log.warning("messenger_file_withheld", kind=media.kind, why=why)
    return AttachedFile(
        id=new_id(),
        name=rules.clean_name(media.name or media.kind),
        content_type="application/octet-stream",
        size=media.size or 0,
        sha256="",
        withheld=why[: limits.REASON_CHARS_MAX],
    )
