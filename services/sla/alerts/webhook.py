"""A signed webhook: Standard Webhooks 1.0, for any receiver of one's own."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from standardwebhooks import Webhook

from services.sla.alerts.delivery import Poster
from services.sla.alerts.kind import Parts, SinkDocument
from services.sla.alerts.notice import (
    Action,
    Alert,
    AlertNotice,
    Notice,
    SummaryEndNotice,
    SummaryNotice,
)
from services.sla.alerts.sink import Sent

_EVENT_TYPES = {
    Action.TRIGGER: "sla.alert.triggered.v1",
    Action.ACKNOWLEDGE: "sla.alert.acknowledged.v1",
    Action.RESOLVE: "sla.alert.resolved.v1",
}
_SUMMARY_TYPE = "sla.alert.summary.v1"
_SUMMARY_END_TYPE = "sla.alert.summary_ended.v1"


class WebhookReceiver(SinkDocument, frozen=True, kw_only=True, tag="webhook"):
    """`secret`: reference to `whsec_…`, or two with a space between during a rotation.

    With `to_called` the data has `called`: whom the alert calls, with their addresses.
    """

    url: str
    secret: str

    @property
    def may_reach_persons(self) -> bool:
        """The receiver does: a gateway of one's own for short messages, say."""
        return True

    def build(self, name: str, parts: Parts) -> "WebhookSink":
        """The sink.

        Raises:
            ValueError: the secret is missing or has another form, or the URL is none.
        """
        return WebhookSink(
            parts.poster(self.url),
            secrets=parts.secrets.read(self.secret),
            name=name,
            public_url=parts.public_url,
            tells_called=self.to_called,
        )


class WebhookSink:
    """Posts one notice a request, signed; `webhook-id` is the same on every attempt.

    Args:
        poster: the receiver.
        secrets: `whsec_…`, one, or during a rotation the new one and the old one separated by a space.
        name: of the sink.
        public_url: front door of the product, for the link to the ticket.
        tells_called: whether the addresses of those who are called are told.
    """

    actions = frozenset(Action)
    batch_max = 1
    is_capped = True
    is_stateful = False
    refresh_every: timedelta | None = None

    def __init__(
        self,
        poster: Poster,
        *,
        secrets: str,
        name: str = "webhook",
        public_url: str | None = None,
        tells_called: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = name
        self._poster = poster
        self._signers = [Webhook(secret) for secret in secrets.split()]
        if not self._signers:
            raise ValueError("the webhook's secret is empty")
        self._public_url = public_url
        self._tells_called = tells_called
        self._now = now

    async def send(self, notices: Sequence[Notice]) -> Sent:
        """Post the one notice."""
        (notice,) = notices
        now = self._now()
        message_id = str(notice.delivery_id)
        body = msgspec.json.encode(self._message(notice, now))
        text = body.decode()
        signature = " ".join(signer.sign(message_id, now, text) for signer in self._signers)
        answer = await self._poster.post(
            body,
            {
                "webhook-id": message_id,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": signature,
            },
        )
        return Sent(answer.status)

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()

    def _message(self, notice: Notice, now: datetime) -> dict[str, Any]:
        kind, data = self._content(notice)
        return {"type": kind, "timestamp": now, "data": data}

    def _content(self, notice: Notice) -> tuple[str, dict[str, Any]]:
        match notice:
            case AlertNotice():
                told = {"called": notice.called} if self._tells_called else {}
                return _EVENT_TYPES[notice.action], {**self._alert(notice.alert), **told}
            case SummaryNotice():
                return _SUMMARY_TYPE, self._summary(notice)
            case SummaryEndNotice():
                return _SUMMARY_END_TYPE, {
                    "summary_id": notice.summary_id,
                    "count": notice.count,
                }

    def _alert(self, alert: Alert) -> dict[str, Any]:
        fields: dict[str, Any] = msgspec.structs.asdict(alert)
        fields["headline"] = alert.headline
        if self._public_url:
            fields["url"] = f"{self._public_url.rstrip('/')}/tickets/{alert.ticket_id}"
        return fields

    def _summary(self, summary: SummaryNotice) -> dict[str, Any]:
        first = [
            {
                "action": action,
                "dedupe_key": alert.dedupe_key,
                "number": alert.number,
                "headline": alert.headline,
            }
            for action, alert in summary.first
        ]
        fields: dict[str, Any] = msgspec.structs.asdict(summary)
        del fields["attempt"], fields["forgiven"]
        if not self._tells_called:
            del fields["called"]
        return {
            **fields,
            "summary_id": summary.delivery_id,
            "count": summary.count,
            "first": first,
            "rest_count": summary.count - len(first),
        }
