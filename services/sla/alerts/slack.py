"""Slack: Block Kit messages, by a bot (one message an alert, its thread follows) or by an incoming webhook."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from services.sla.alerts import wording
from services.sla.alerts.delivery import BAD_BODY, Answer, retry_after
from services.sla.alerts.kind import Parts, SinkDocument
from services.sla.alerts.notice import Action, AlertNotice, Notice, SummaryEndNotice, SummaryNotice
from services.sla.alerts.sink import NotDelivered, Rejected, Sent

URL: Final = "https://slack.com/api"
HEADER_LENGTH_MAX: Final = 150
SECTION_LENGTH_MAX: Final = 3_000
FIELD_LENGTH_MAX: Final = 2_000
FIELDS_MAX: Final = 10
"""Published limits of Block Kit."""

_FINAL: Final = frozenset({"msg_too_long", "invalid_blocks", "no_text", "invalid_arguments"})
"""This very message will never be taken; every other error is ours or Slack's to mend."""

_EMOJI: Final = {
    "critical": ":red_circle:",
    "error": ":large_orange_circle:",
    "warning": ":large_yellow_circle:",
    "info": ":large_blue_circle:",
}


class Slack(SinkDocument, frozen=True, kw_only=True, tag="slack"):
    """Either `webhook_url` (reference), or `bot_token` (reference) with the `channel`'s id.

    A bot updates its message and answers in the thread; an incoming webhook can only post anew.
    """

    webhook_url: str | None = None
    bot_token: str | None = None
    channel: str | None = None
    url: str = URL

    def __post_init__(self) -> None:
        """Refuse what names neither way, or both."""
        if (self.webhook_url is None) == (self.bot_token is None):
            raise ValueError("give webhook_url, or bot_token and channel")
        if self.bot_token is not None and not self.channel:
            raise ValueError("bot_token needs the channel's id")

    def build(self, name: str, parts: Parts) -> "SlackWebhook | SlackBot":
        """The sink.

        Raises:
            ValueError: the address or token is missing.
        """
        if self.webhook_url is not None:
            return SlackWebhook(name, parts.secrets.read(self.webhook_url), parts)
        assert self.bot_token is not None
        assert self.channel is not None
        return SlackBot(name, self.url, parts.secrets.read(self.bot_token), self.channel, parts)


class SlackWebhook:
    """Posts every notice as a message of its own."""

    actions = frozenset(Action)
    batch_max = 1
    is_capped = True
    is_stateful = False
    refresh_every: timedelta | None = None

    def __init__(self, name: str, url: str, parts: Parts) -> None:
        self.name = name
        self._public_url = parts.public_url
        self._poster = parts.poster(url, final_statuses=BAD_BODY)

    async def send(self, notices: Sequence[Notice]) -> Sent:
        """Post the one notice."""
        (notice,) = notices
        body = msgspec.json.encode(message(notice, self._public_url))
        return Sent((await self._poster.post(body, {})).status)

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()


class SlackBot:
    """Posts the beginning; later rewrites that message and says in its thread what happened.

    Slack has no idempotency key: a message whose answer was lost is posted again.
    """

    actions = frozenset(Action)
    batch_max = 1
    is_capped = True
    is_stateful = True
    refresh_every: timedelta | None = None

    def __init__(self, name: str, url: str, token: str, channel: str, parts: Parts) -> None:
        self.name = name
        self._channel = channel
        self._headers = {
            "authorization": f"Bearer {token}",
            "content-type": "application/json; charset=utf-8",
        }
        self._public_url = parts.public_url
        self._poster = parts.poster(url, final_statuses=BAD_BODY)

    async def send(self, notices: Sequence[Notice]) -> Sent:
        """Post, or rewrite and answer in the thread."""
        (notice,) = notices
        opened = _opened(notice)
        content = message(notice, self._public_url)
        if opened is None:
            answer, receipt = await self._call("/chat.postMessage", content)
            return Sent(answer.status, receipt)
        # Rewriting twice is harmless, so it comes first: only the last of the calls may be repeated.
        await self._call("/chat.update", content, channel=opened["channel"], ts=opened["ts"])
        answer, _ = await self._call(
            "/chat.postMessage",
            {"text": wording.title(notice)},
            channel=opened["channel"],
            thread_ts=opened["ts"],
        )
        return Sent(answer.status)

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()

    async def _call(
        self, method: str, content: Mapping[str, Any], **more: str
    ) -> tuple[Answer, dict[str, str]]:
        body = {"channel": self._channel, **content, **more}
        answer = await self._poster.post(msgspec.json.encode(body), self._headers, path=method)
        said = answer.json()
        if not isinstance(said, dict):
            raise NotDelivered("Slack's answer is not JSON", http_status=answer.status)
        if not said.get("ok"):
            error = str(said.get("error", "no reason"))[:100]
            failure = Rejected if error in _FINAL else NotDelivered
            raise failure(
                f"Slack refused: {error}",
                http_status=answer.status,
                retry_after_seconds=retry_after("60") if error == "ratelimited" else None,
            )
        return answer, {"channel": str(said.get("channel", "")), "ts": str(said.get("ts", ""))}


def message(notice: Notice, public_url: str | None) -> dict[str, Any]:
    """`text` for notifications and readers, `blocks` for the eye."""
    title = wording.title(notice)
    blocks: list[dict[str, Any]] = [
        {
            "type": "header",
            "text": {
                "type": "plain_text",
                "text": f"{_emoji(notice)} {wording.cut(title, HEADER_LENGTH_MAX - 30)}",
                "emoji": True,
            },
        },
        {
            "type": "section",
            "fields": [
                {"type": "mrkdwn", "text": _field(name, value)}
                for name, value in wording.facts(notice)[:FIELDS_MAX]
            ],
        },
    ]
    if mentions := _mentions(notice):
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": mentions}})
    if isinstance(notice, SummaryNotice):
        lines = "\n".join(escaped(line) for line in wording.listed(notice))
        text = wording.cut(lines, SECTION_LENGTH_MAX)
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": text}})
    if where := wording.link(notice, public_url):
        blocks.append(
            {
                "type": "actions",
                "elements": [
                    {
                        "type": "button",
                        "text": {"type": "plain_text", "text": "Open"},
                        "url": where,
                    }
                ],
            }
        )
    return {"text": escaped(title), "blocks": blocks}


def _mentions(notice: Notice) -> str:
    """Whoever is called and known to Slack is called there by name, when it begins."""
    if isinstance(notice, SummaryEndNotice):
        return ""
    if isinstance(notice, AlertNotice) and notice.action is not Action.TRIGGER:
        return ""
    ids = [each.slack for each in notice.called if each.slack is not None]
    return " ".join(f"<#{one}>" if one.startswith("C") else f"<@{one}>" for one in ids)


def escaped(text: str) -> str:
    """Slack's three control characters as text: nothing of ours may become a link or a mention."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _field(name: str, value: str) -> str:
    return wording.cut(f"*{name}*\n{escaped(value)}", FIELD_LENGTH_MAX)


def _emoji(notice: Notice) -> str:
    match notice:
        case SummaryEndNotice() | AlertNotice(action=Action.RESOLVE):
            return ":white_check_mark:"
        case AlertNotice(action=Action.ACKNOWLEDGE):
            return ":eyes:"
        case AlertNotice() | SummaryNotice():
            return _EMOJI[wording.severity(notice)]


def _opened(notice: Notice) -> Mapping[str, str] | None:
    """The message to rewrite; None: there is none, because this begins something or it was never posted."""
    match notice:
        case AlertNotice(opening=opening) if notice.action is not Action.TRIGGER:
            return opening.receipt if opening is not None else None
        case SummaryEndNotice():
            return notice.receipt
        case _:
            return None
