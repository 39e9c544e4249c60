"""The generic messenger: Standard Webhooks 1.0 in and out, for whatever has no adapter of its own."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from services.intake.channels.conversations import leaving
from services.intake.channels.installed import WayIn, WebhookMessenger
from services.intake.channels.messengers import kind as messenger
from services.intake.channels.messengers.post import Poster, check
from services.intake.domain import limits
from shared.events.tickets import Person
from shared.http.bodies import decode_json

_Id = Annotated[str, Meta(pattern=r"^[^\r\n]*\S[^\r\n]*$", max_length=200)]
_Text = Annotated[str, Meta(pattern=r"\S", max_length=limits.BODY_BYTES_MAX // 4)]
_Line = Annotated[str, Meta(pattern=r"^[^\r\n]*\S[^\r\n]*$", max_length=limits.NAME_CHARS_MAX)]
_Email = Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+$", max_length=limits.EMAIL_CHARS_MAX)]


class Writer(msgspec.Struct, frozen=True, kw_only=True):
    """Who wrote, as the other system knows them."""

    id: _Id
    name: _Line | None = None
    email: _Email | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message. `id` is unique over there; `conversation`: what belongs together."""

    id: _Id
    conversation: _Id
    person: Writer
    text: _Text
    subject: _Line | None = None
    sent_at: Annotated[datetime, Meta(tz=True)] | None = None


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What is posted to us: `type` is `message.created`; other types are passed over."""

    type: str
    data: msgspec.Raw


class WebhookAdapter:
    """One signed webhook.

    Args:
        name: of the section in the channels' file.
        settings: of it.
        secret: `whsec_…`; during a rotation two with a space between.
    """

    def __init__(self, name: str, settings: WebhookMessenger, secret: str) -> None:
        self.source = f"webhook:{name}"
        self.way: WayIn = settings
        self._name = name
        self._reply_url = settings.reply_url
        self._keys = [Webhook(one) for one in secret.split()]
        self._poster = Poster()

    def read(self, raw: bytes, headers: Mapping[str, str], now: datetime) -> messenger.Read:
        """See `Messenger`."""
        self._verify(raw, headers)
        envelope = decode_json(raw, Envelope)
        if envelope.type != "message.created":
            return messenger.Read(passed_over=1)
        said = decode_json(bytes(envelope.data), Message, path="data")
        sent_at = None if said.sent_at is None else min(said.sent_at, now)
        address = f"{self._name}:{said.person.id}"
        writer = said.person
        return messenger.Read(
            messages=(
                messenger.Incoming(
                    external_id=said.id,
                    thread=said.conversation,
                    person=Person(id=address, name=writer.name, email=writer.email),
                    addresses=(address,),
                    body=said.text,
                    sent_at=sent_at,
                    subject=said.subject,
                ),
            )
        )

    async def send(self, message: leaving.Leaving, now: datetime) -> str | None:
        """See `Messenger`: `reply.created`, its `webhook-id` the same on every attempt."""
        if self._reply_url is None:
            raise leaving.Rejected("this webhook has no reply_url")
        data: dict[str, Any] = {
            "message_id": message.message_id,
            "ticket_id": message.ticket_id,
            "conversation": message.thread,
            "text": message.text,
            "author": message.author,
        }
        if (file := message.file) is not None:
            if file.link is None:
                raise leaving.Rejected("a webhook is told where to fetch files")
            # Whoever knows nothing of `file` shows the words, and loses nothing.
            data["text"] = file.as_words
            data["file"] = {
                "name": file.name,
                "content_type": file.content_type,
                "size": file.size,
                "sha256": file.sha256,
                "url": file.link,
            }
        text = msgspec.json.encode({"type": "reply.created", "timestamp": now, "data": data})
        id_ = str(message.id)
        signed = " ".join(key.sign(id_, now, text.decode()) for key in self._keys)
        headers = {
            "webhook-id": id_,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signed,
        }
        status, found, answered = await self._poster.post(self._reply_url, text, headers)
        check(status, str(found.get("detail") or found.get("error") or ""), answered)
        return id_

    async def locate(self, media: messenger.Media) -> messenger.Place:  # noqa: ARG002  # the interface's
        """See `Messenger`."""
        raise leaving.Rejected("this webhook sends no files")

    async def close(self) -> None:
        """See `Messenger`."""
        await self._poster.close()

    def _verify(self, raw: bytes, headers: Mapping[str, str]) -> None:
        reason = "no signature matches"
        for key in self._keys:
            try:
                key.verify(raw, dict(headers), json_parse=False)
            except (WebhookVerificationError, ValueError) as error:
                reason = str(error) or reason
            else:
                return
        raise messenger.Forged(reason, field="header webhook-signature")
