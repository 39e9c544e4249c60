"""WhatsApp Cloud API: webhooks in (messages, what became of ours); out words and files for a day, then a template."""

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec

from services.intake.channels.conversations import leaving
from services.intake.channels.installed import WayIn, WhatsAppNumber
from services.intake.channels.messengers import kind as messenger
from services.intake.channels.messengers.post import Answer, Poster, check
from services.intake.domain import limits
from services.intake.people import tel
from shared.errors import Invalid
from shared.events.tickets import Person
from shared.http.bodies import decode_json

WINDOW: Final = timedelta(hours=24)
"""After the customer's last message free text is allowed for so long; then only templates (Meta's messaging policy)."""

_RATE_CODES: Final = frozenset({4, 80007, 130429, 131048, 131056})
"""Meta's codes for "too many"; they come with status 400 as well."""

SENT_TYPES: Final[Mapping[str, str]] = {
    "image/jpeg": "image",
    "image/png": "image",
    "video/mp4": "video",
    "video/3gpp": "video",
    "audio/aac": "audio",
    "audio/amr": "audio",
    "audio/mp4": "audio",
    "audio/mpeg": "audio",
    "text/plain": "document",
    "application/pdf": "document",
    "application/msword": "document",
    "application/vnd.ms-excel": "document",
    "application/vnd.ms-powerpoint": "document",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "document",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "document",
}
SENT_MB_MAX: Final[Mapping[str, int]] = {"image": 5, "audio": 16, "video": 16, "document": 100}
"""What the Cloud API takes: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media."""

_SECONDS: Final = re.compile(r"[0-9]{1,20}")
_MEDIA: Final = frozenset({"image", "document", "audio", "video", "sticker"})
_SIGNATURE: Final = "header X-Hub-Signature-256"


class Profile(msgspec.Struct, frozen=True):
    """What the customer is called."""

    name: str | None = None


class Contact(msgspec.Struct, frozen=True):
    """Who wrote: `wa_id` is the number without plus."""

    wa_id: str
    profile: Profile = Profile()


class WhatsAppMessage(msgspec.Struct, frozen=True, kw_only=True, rename={"sender": "from"}):
    """A message, as far as it matters here."""

    id: str
    sender: str
    timestamp: str
    type: str
    text: dict[str, Any] = {}
    image: dict[str, Any] = {}
    document: dict[str, Any] = {}
    audio: dict[str, Any] = {}
    video: dict[str, Any] = {}
    sticker: dict[str, Any] = {}
    button: dict[str, Any] = {}
    interactive: dict[str, Any] = {}
    location: dict[str, Any] = {}


class StatusError(msgspec.Struct, frozen=True, kw_only=True):
    """Why it failed."""

    code: int = 0
    title: str = ""
    message: str = ""


class WhatsAppStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a message of ours."""

    id: str
    status: str
    errors: tuple[StatusError, ...] = ()


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """Which number of ours."""

    phone_number_id: str


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """What changed."""

    metadata: Metadata
    contacts: tuple[Contact, ...] = ()
    messages: tuple[WhatsAppMessage, ...] = ()
    statuses: tuple[WhatsAppStatus, ...] = ()


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change; fields that are not `messages` have other values."""

    field: str
    value: msgspec.Raw


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Of one account."""

    changes: tuple[Change, ...] = ()


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """What Meta posts."""

    object: str
    entry: tuple[Entry, ...] = ()


class WhatsAppAdapter:
    """One number.

    Args:
        name: of the section in the channels' file.
        settings: of it.
        app_secret: signs what comes. `verify_token`: what the subscription is confirmed with.
        access_token: lets us send.
    """

    def __init__(
        self,
        name: str,
        settings: WhatsAppNumber,
        *,
        app_secret: str,
        verify_token: str,
        access_token: str,
    ) -> None:
        self.source = f"whatsapp:{name}"
        self.way: WayIn = settings
        self._settings = settings
        self._app_secret = app_secret.encode()
        self._verify_token = verify_token
        self._headers = {"authorization": f"Bearer {access_token}"}
        self._api = settings.api.rstrip("/")
        self._number = f"{self._api}/{settings.phone_number_id}"
        self._poster = Poster()

    def confirm(self, mode: str, token: str, challenge: str) -> str:
        """Meta asks whether the address is ours: the challenge goes back.

        Raises:
            Forged: it is not the token that we have told.
        """
        if mode != "subscribe" or not hmac.compare_digest(
            token.encode(), self._verify_token.encode()
        ):
            raise messenger.Forged("The verify token is wrong.", field="query hub.verify_token")
        return challenge

    def read(self, raw: bytes, headers: Mapping[str, str], now: datetime) -> messenger.Read:
        """See `Messenger`. One request may hold many messages."""
        self._verify(raw, headers.get("x-hub-signature-256", ""))
        notification = decode_json(raw, Notification)
        messages: list[messenger.Incoming] = []
        told: list[leaving.Told] = []
        passed_over = 0
        for value in self._values(notification):
            if value.metadata.phone_number_id != self._settings.phone_number_id:
                passed_over += len(value.messages) + len(value.statuses)
                continue
            names = {one.wa_id: one.profile.name for one in value.contacts}
            for one in value.messages:
                if (found := _incoming(one, names, now)) is None:
                    passed_over += 1
                else:
                    messages.append(found)
            told += [known for one in value.statuses if (known := _told(one)) is not None]
        return messenger.Read(messages=tuple(messages), told=tuple(told), passed_over=passed_over)

    async def send(self, message: leaving.Leaving, now: datetime) -> str | None:
        """See `Messenger`."""
        is_open = message.heard_at is not None and now - message.heard_at < WINDOW
        if message.file is not None:
            content = await self._uploaded(message.file, is_open=is_open)
        else:
            content = self._text(message) if is_open else self._template(message)
        said = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": message.thread,
            **content,
        }
        body = msgspec.json.encode(said)
        found = _taken(await self._poster.post(f"{self._number}/messages", body, self._headers))
        sent = found.get("messages") or [{}]
        return str(sent[0]["id"]) if sent[0].get("id") else None

    async def _uploaded(self, file: leaving.Enclosed, *, is_open: bool) -> dict[str, Any]:
        """Upload the file; the message names it by the id that it got."""
        kind = SENT_TYPES.get(file.content_type)
        if not is_open:
            raise leaving.Rejected(
                "24 hours after the customer's last message WhatsApp takes no files"
            )
        if kind is None:
            raise leaving.Rejected(f"WhatsApp takes no files of type {file.content_type}")
        if file.size > SENT_MB_MAX[kind] * 1_000_000:
            raise leaving.Rejected(f"WhatsApp takes up to {SENT_MB_MAX[kind]} MB as {kind}")
        said = {"messaging_product": "whatsapp", "type": file.content_type}
        async with file.on_disk() as path:
            answer = await self._poster.upload(
                f"{self._number}/media", "file", file, path, said=said, headers=self._headers
            )
        id_ = _taken(answer).get("id")
        if not isinstance(id_, str):
            raise leaving.NotNow("WhatsApp gave the upload no id")
        named = {"filename": file.name} if kind == "document" else {}
        return {"type": kind, kind: {"id": id_, **named}}

    async def locate(self, media: messenger.Media) -> messenger.Place:
        """See `Messenger`. Meta tells an address for five minutes, on a host of its own, and wants our token there."""
        if not media.id.isalnum():
            raise leaving.Rejected("its id is none of Meta's")
        url = f"{self._api}/{media.id}?phone_number_id={self._settings.phone_number_id}"
        status, found, headers = await self._poster.get(url, self._headers)
        error = found.get("error") or {}
        check(status, str(error.get("message") or ""), headers)
        kind = found.get("mime_type")
        return messenger.Place(
            url=str(found.get("url") or ""),
            origins=(self._api, *self._settings.media_origins),
            headers=self._headers,
            content_type=kind if isinstance(kind, str) else None,
        )

    async def close(self) -> None:
        """See `Messenger`."""
        await self._poster.close()

    def _verify(self, raw: bytes, given: str) -> None:
        expected = "sha256=" + hmac.new(self._app_secret, raw, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), given.encode()):
            raise messenger.Forged("The signature is wrong.", field=_SIGNATURE)

    def _values(self, notification: Notification) -> Iterator[Value]:
        if notification.object != "whatsapp_business_account":
            raise Invalid.of("object", "expected whatsapp_business_account")
        for place, entry in enumerate(notification.entry):
            for number, change in enumerate(entry.changes):
                if change.field == "messages":
                    at = f"entry[{place}].changes[{number}].value"
                    yield decode_json(bytes(change.value), Value, path=at)

    def _text(self, message: leaving.Leaving) -> dict[str, Any]:
        return {"type": "text", "text": {"preview_url": False, "body": message.text}}

    def _template(self, message: leaving.Leaving) -> dict[str, Any]:
        template = self._settings.template
        if template is None:
            raise leaving.Rejected(
                "the customer wrote more than 24 hours ago: WhatsApp takes only templates, and none is configured"
            )
        words = " ".join(message.text.split())  # Meta refuses line breaks in parameters
        parameter = {"type": "text", "text": words[: self._settings.template_chars_max]}
        return {
            "type": "template",
            "template": {
                "name": template,
                "language": {"code": self._settings.template_language},
                "components": [{"type": "body", "parameters": [parameter]}],
            },
        }


def _taken(answer: Answer) -> dict[str, Any]:
    """What Meta says of something that it took. Raises Rejected, NotNow."""
    status, found, headers = answer
    error = found.get("error") or {}
    reason = f"{error.get('code', '')} {error.get('message', '')}".strip()
    if error.get("code") in _RATE_CODES:
        raise leaving.NotNow(f"{status}: {reason}")
    check(status, reason, headers)
    return found


def _incoming(
    one: WhatsAppMessage, names: Mapping[str, str | None], now: datetime
) -> messenger.Incoming | None:
    body = _body(one)
    if not body:
        return None
    address = f"whatsapp:{one.sender}"
    name = (names.get(one.sender) or "")[: limits.NAME_CHARS_MAX].strip()
    seconds = int(one.timestamp) if _SECONDS.fullmatch(one.timestamp) else None
    return messenger.Incoming(
        external_id=one.id,
        thread=one.sender,
        person=Person(id=address, name=name or None),
        addresses=(address, tel(f"+{one.sender}")),
        body=body,
        sent_at=now if seconds is None else messenger.sent_at(seconds, now),
        media=_media(one),
    )


def _media(one: WhatsAppMessage) -> tuple[messenger.Media, ...]:
    said: dict[str, Any] = getattr(one, one.type) if one.type in _MEDIA else {}
    if not isinstance(said.get("id"), str):
        return ()
    name = said.get("filename")
    return (
        messenger.Media(id=said["id"], kind=one.type, name=name if isinstance(name, str) else None),
    )


def _body(one: WhatsAppMessage) -> str:  # noqa: PLR0911 - one line a kind
    """The words; what came without any is named by its kind."""
    match one.type:
        case "text":
            return str(one.text.get("body") or "").strip()
        case "button":
            return str(one.button.get("text") or "").strip()
        case "interactive":
            chosen = one.interactive.get(str(one.interactive.get("type"))) or {}
            return str(chosen.get("title") or "").strip()
        case "location":
            return f"[location: {one.location.get('latitude')}, {one.location.get('longitude')}]"
        case kind if kind in _MEDIA:
            return str(getattr(one, kind).get("caption") or "").strip() or f"[{kind}]"
        case "reaction" | "system" | "unsupported":
            return ""
        case kind:
            return f"[{kind}]"


def _told(one: WhatsAppStatus) -> leaving.Told | None:
    state: Literal["sent", "delivered", "read", "failed"]
    match one.status:
        case "sent" | "delivered" | "read" | "failed" as known:
            state = known
        case _:
            return None
    reason = "; ".join(f"{e.code} {e.message or e.title}".strip() for e in one.errors)
    return leaving.Told(external_id=one.id, state=state, reason=reason or None)
