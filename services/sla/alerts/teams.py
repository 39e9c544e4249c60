"""Microsoft Teams: an Adaptive Card to the webhook of a Workflow (the connectors before it are gone)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from services.sla.alerts import wording
from services.sla.alerts.delivery import BAD_BODY
from services.sla.alerts.kind import Parts, SinkDocument
from services.sla.alerts.notice import Action, AlertNotice, Notice, SummaryNotice
from services.sla.alerts.sink import Sent

CARD_TYPE: Final = "application/vnd.microsoft.card.adaptive"
CARD_VERSION: Final = "1.4"
"""The newest that every Teams client shows."""

_STYLE: Final = {
    "critical": "attention",
    "error": "attention",
    "warning": "warning",
    "info": "accent",
}


class Teams(SinkDocument, frozen=True, kw_only=True, tag="teams"):
    """`url`: reference to the workflow's webhook address, which is itself the secret."""

    url: str

    def build(self, name: str, parts: Parts) -> "TeamsSink":
        """The sink.

        Raises:
            ValueError: the address is missing or is no URL.
        """
        return TeamsSink(name, parts.secrets.read(self.url), parts)


class TeamsSink:
    """Posts one card a request. A workflow cannot change a card, so the end is a card of its own."""

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
        answer = await self._poster.post(msgspec.json.encode(self._message(notice)), {})
        return Sent(answer.status)

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()

    def _message(self, notice: Notice) -> dict[str, Any]:
        return {
            "type": "message",
            "attachments": [
                {"contentType": CARD_TYPE, "contentUrl": None, "content": self._card(notice)}
            ],
        }

    def _card(self, notice: Notice) -> dict[str, Any]:
        title = wording.title(notice)
        body: list[dict[str, Any]] = [
            {
                "type": "Container",
                "style": _style(notice),
                "bleed": True,
                "items": [
                    {
                        "type": "TextBlock",
                        "text": title,
                        "weight": "Bolder",
                        "size": "Medium",
                        "wrap": True,
                    }
                ],
            },
            {
                "type": "FactSet",
                "facts": [{"title": name, "value": value} for name, value in wording.facts(notice)],
            },
        ]
        if isinstance(notice, SummaryNotice):
            body.append(
                {
                    "type": "TextBlock",
                    "text": "\n\n".join(wording.listed(notice)),
                    "wrap": True,
                    "spacing": "Medium",
                }
            )
        card: dict[str, Any] = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": CARD_VERSION,
            "fallbackText": title,
            "body": body,
            "msteams": {"width": "Full"},
        }
        if where := wording.link(notice, self._public_url):
            card["actions"] = [{"type": "Action.OpenUrl", "title": "Open", "url": where}]
        return card


def _style(notice: Notice) -> str:
    if isinstance(notice, AlertNotice) and notice.action is not Action.TRIGGER:
        return "good" if notice.action is Action.RESOLVE else "accent"
    return _STYLE[wording.severity(notice)]
