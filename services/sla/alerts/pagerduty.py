"""PagerDuty, Events API v2: one incident per broken promise, taken on and resolved by its dedupe key."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from services.sla.alerts import wording
from services.sla.alerts.delivery import BAD_BODY
from services.sla.alerts.kind import Parts, SinkDocument
from services.sla.alerts.notice import Action, AlertNotice, Notice, SummaryEndNotice, SummaryNotice
from services.sla.alerts.sink import Sent

URL: Final = "https://events.pagerduty.com/v2/enqueue"
ROUTING_KEY_LENGTH: Final = 32
SUMMARY_LENGTH_MAX: Final = 1_024
DEDUP_KEY_LENGTH_MAX: Final = 255
"""Published limits of the API."""


class PagerDuty(SinkDocument, frozen=True, kw_only=True, tag="pagerduty"):
    """`routing_key`: reference to the 32 characters of an Events API v2 integration; `url`: the EU's, or a test's."""

    routing_key: str
    url: str = URL

    def build(self, name: str, parts: Parts) -> "PagerDutySink":
        """The sink.

        Raises:
            ValueError: the key is missing or has the wrong length, or the URL is none.
        """
        key = parts.secrets.read(self.routing_key)
        if len(key) != ROUTING_KEY_LENGTH:
            raise ValueError(f"routing_key: PagerDuty's have {ROUTING_KEY_LENGTH} characters")
        return PagerDutySink(name, self, key, parts)


class PagerDutySink:
    """Posts one event a request. The same key for everything said about an alert makes repetitions harmless."""

    actions = frozenset(Action)
    batch_max = 1
    is_capped = True
    is_stateful = True
    refresh_every: timedelta | None = None

    def __init__(self, name: str, document: PagerDuty, routing_key: str, parts: Parts) -> None:
        self.name = name
        self._routing_key = routing_key
        self._public_url = parts.public_url
        self._poster = parts.poster(document.url, final_statuses=BAD_BODY)

    async def send(self, notices: Sequence[Notice]) -> Sent:
        """Post the one notice as an event."""
        (notice,) = notices
        answer = await self._poster.post(msgspec.json.encode(self._event(notice)), {})
        return Sent(answer.status)

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()

    def _event(self, notice: Notice) -> dict[str, Any]:
        event: dict[str, Any] = {
            "routing_key": self._routing_key,
            "event_action": _action(notice),
            "dedup_key": wording.cut(wording.dedupe_key(notice), DEDUP_KEY_LENGTH_MAX),
        }
        if event["event_action"] != Action.TRIGGER:
            return event
        event["payload"] = {
            "summary": wording.cut(wording.title(notice), SUMMARY_LENGTH_MAX),
            "source": self._public_url or "ticketing",
            "severity": wording.severity(notice),
            "component": "sla",
            **_particulars(notice),
        }
        event["client"] = "ticketing"
        if where := wording.link(notice, self._public_url):
            event["client_url"] = where
            event["links"] = [{"href": where, "text": _link_text(notice)}]
        return event


def _action(notice: Notice) -> Action:
    match notice:
        case AlertNotice():
            return notice.action
        case SummaryNotice():
            return Action.TRIGGER
        case SummaryEndNotice():
            return Action.RESOLVE


def _particulars(notice: Notice) -> dict[str, Any]:
    details = {name.lower().replace(" ", "_"): value for name, value in wording.facts(notice)}
    match notice:
        case AlertNotice(alert=alert):
            found: dict[str, Any] = {
                "timestamp": alert.breached_at or alert.detected_at,
                "class": alert.metric,
                "custom_details": details,
            }
            if alert.group_id:
                found["group"] = alert.group_id
            return found
        case SummaryNotice():
            return {
                "timestamp": notice.created_at,
                "class": "summary",
                "custom_details": {**details, "first": wording.listed(notice)},
            }
        case SummaryEndNotice():
            return {"class": "summary", "custom_details": details}


def _link_text(notice: Notice) -> str:
    return "The ticket" if isinstance(notice, AlertNotice) else "All alerts of this summary"
