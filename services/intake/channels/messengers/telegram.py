"""Telegram: updates of a bot in (https://core.telegram.org/bots/api#update), messages, photos and documents out."""

import contextlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from services.intake.channels.conversations import leaving
from services.intake.channels.installed import TelegramBot, WayIn
from services.intake.channels.messengers import kind as messenger
from services.intake.channels.messengers.post import Answer, Poster, check
from services.intake.domain import limits
from shared.events.tickets import Person
from shared.http.bodies import decode_json

_OK: Final = 200
_TOO_MANY: Final = 429
PHOTO_BYTES_MAX: Final = 10_000_000
FILE_BYTES_MAX: Final = 50_000_000
"""What a bot may send (https://core.telegram.org/bots/api#sending-files)."""

_PHOTOS: Final = frozenset({"image/jpeg", "image/png"})
_FILES: Final = (
    "photo", "document", "video", "voice", "audio", "sticker", "video_note", "animation",
)  # fmt: skip
_PATH: Final = re.compile(r"[A-Za-z0-9_-]+(?:[./][A-Za-z0-9_-]+)*")
"""What `getFile` says: `photos/file_12.jpg`. Nothing that climbs, nothing with a query."""


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Who wrote."""

    id: int
    is_bot: bool = False
    first_name: str = ""
    last_name: str = ""
    language_code: str | None = None


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    """Where."""

    id: int
    type: str = "private"


class TelegramMessage(msgspec.Struct, frozen=True, kw_only=True, rename={"author": "from"}):
    """A message, as far as it matters here."""

    message_id: int
    date: int
    chat: Chat
    author: User | None = None
    text: str | None = None
    caption: str | None = None
    photo: list[dict[str, Any]] | None = None
    document: dict[str, Any] | None = None
    video: dict[str, Any] | None = None
    voice: dict[str, Any] | None = None
    audio: dict[str, Any] | None = None
    sticker: dict[str, Any] | None = None
    video_note: dict[str, Any] | None = None
    animation: dict[str, Any] | None = None
    location: dict[str, Any] | None = None
    contact: dict[str, Any] | None = None


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """What Telegram posts; kinds that are no message are passed over."""

    update_id: int
    message: TelegramMessage | None = None
    edited_message: TelegramMessage | None = None


class TelegramAdapter:
    """One bot.

    Args:
        name: of the section in the channels' file.
        settings: of it.
        token: of the bot.
        secret: what `setWebhook` was told as `secret_token`.
    """

    def __init__(self, name: str, settings: TelegramBot, token: str, secret: str) -> None:
        self.source = f"telegram:{name}"
        self.way: WayIn = settings
        self._api, self._token = settings.api.rstrip("/"), token
        self._secret = secret
        self._poster = Poster()

    def read(self, raw: bytes, headers: Mapping[str, str], now: datetime) -> messenger.Read:
        """See `Messenger`. One update is one message; `update_id` names it."""
        given = headers.get("x-telegram-bot-api-secret-token", "")
        if not hmac.compare_digest(given.encode(), self._secret.encode()):
            raise messenger.Forged(
                "The secret token is wrong.", field="header X-Telegram-Bot-Api-Secret-Token"
            )
        update = decode_json(raw, Update)
        message = update.message or update.edited_message
        if message is None or message.author is None or message.author.is_bot:
            return messenger.Read(passed_over=1)
        body = _body(message)
        if not body:
            return messenger.Read(passed_over=1)
        author = message.author
        address = f"telegram:{author.id}"
        name = f"{author.first_name} {author.last_name}".strip()[: limits.NAME_CHARS_MAX]
        if update.message is None:
            body = f"(changed message)\n{body}"
        return messenger.Read(
            messages=(
                messenger.Incoming(
                    external_id=str(update.update_id),
                    thread=str(message.chat.id),
                    person=Person(id=address, name=name or None),
                    addresses=(address,),
                    body=body,
                    sent_at=messenger.sent_at(message.date, now),
                    language=author.language_code,
                    media=_media(message),
                ),
            )
        )

    async def send(self, message: leaving.Leaving, now: datetime) -> str | None:  # noqa: ARG002  # the interface's
        """See `Messenger`. Pictures are shown as such, unless Telegram finds them too wide or too high for it."""
        if message.file is None:
            body = msgspec.json.encode({"chat_id": int(message.thread), "text": message.text})
            answer = await self._poster.post(self._method("sendMessage"), body, {})
            return self._sent(message, answer)
        file = message.file
        if file.size > FILE_BYTES_MAX:
            raise leaving.Rejected(
                f"Telegram takes files of up to {FILE_BYTES_MAX // 1_000_000} MB from bots"
            )
        async with file.on_disk() as path:
            if file.content_type in _PHOTOS and file.size <= PHOTO_BYTES_MAX:
                with contextlib.suppress(leaving.Rejected):
                    return self._sent(message, await self._upload("photo", message, file, path))
            return self._sent(message, await self._upload("document", message, file, path))

    async def _upload(
        self, kind: str, message: leaving.Leaving, file: leaving.Enclosed, path: Path
    ) -> Answer:
        url = self._method(f"send{kind.title()}")
        said = {"chat_id": message.thread}
        return await self._poster.upload(url, kind, file, path, said=said, headers={})

    def _method(self, name: str) -> str:
        return f"{self._api}/bot{self._token}/{name}"

    def _sent(self, message: leaving.Leaving, answer: Answer) -> str | None:
        status, found, headers = answer
        reason = str(found.get("description") or "")
        if status == _TOO_MANY:
            wait = (found.get("parameters") or {}).get("retry_after")
            raise leaving.NotNow(
                f"{status}: {reason}", float(wait) if isinstance(wait, int) else None
            )
        check(status, reason, headers)
        if status == _OK and found.get("ok") is not True:
            raise leaving.Rejected(reason or "not ok")
        sent = (found.get("result") or {}).get("message_id")
        return None if sent is None else f"{message.thread}/{sent}"

    async def locate(self, media: messenger.Media) -> messenger.Place:
        """See `Messenger`. Bots get files of up to 20 MB; the Bot API refuses larger ones in words."""
        body = msgspec.json.encode({"file_id": media.id})
        status, found, headers = await self._poster.post(self._method("getFile"), body, {})
        check(status, str(found.get("description") or ""), headers)
        path = str((found.get("result") or {}).get("file_path") or "")
        if not _PATH.fullmatch(path):
            raise leaving.Rejected("Telegram does not say where it is")
        return messenger.Place(
            url=f"{self._api}/file/bot{self._token}/{path}",
            origins=(self._api,),
            name=path.rpartition("/")[2],
        )

    async def close(self) -> None:
        """See `Messenger`."""
        await self._poster.close()


def _media(message: TelegramMessage) -> tuple[messenger.Media, ...]:
    """The files of a message; an animation comes as a document once more."""
    found: list[messenger.Media] = []
    for kind in _FILES:
        said = getattr(message, kind)
        # Of a photo there are several sizes, the largest last.
        one = said[-1] if isinstance(said, list) and said else said
        if not isinstance(one, dict) or not isinstance(one.get("file_id"), str):
            continue
        if any(each.id == one["file_id"] for each in found):
            continue
        name, size = one.get("file_name"), one.get("file_size")
        found.append(
            messenger.Media(
                id=one["file_id"],
                kind=kind.replace("_", " "),
                name=name if isinstance(name, str) else None,
                size=size if isinstance(size, int) else None,
            )
        )
    return tuple(found)


def _body(message: TelegramMessage) -> str:
    """The words; what came without any is named by its kind."""
    words = [message.text or message.caption or ""]
    if message.location is not None:
        where = message.location
        words.append(f"[location: {where.get('latitude')}, {where.get('longitude')}]")
    if message.contact is not None:
        words.append(f"[contact: {message.contact.get('phone_number')}]")
    said = "\n".join(one for one in words if one).strip()
    return said or "\n".join(f"[{one.kind}]" for one in _media(message))
