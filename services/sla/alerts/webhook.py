"""A signed webhook: Standard Webhooks 1.0, for any receiver of one's own."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from standardwebhooks import Webhook

from services.sla.alerts.delivery import Poster
from services.sla.alerts.notice import Action, Alert, AlertNotice, Notice, SummaryNotice

_EVENT_TYPES = {
    Action.TRIGGER: "sla.alert.triggered.v1",
    Action.ACKNOWLEDGE: "sla.alert.acknowledged.v1",
    Action.RESOLVE: "sla.alert.resolved.v1",
}
_SUMMARY_TYPE = "sla.alert.summary.v1"


class WebhookSink:
    """Posts one notice a request, signed; `webhook-id` is the same on every attempt.

    Args:
        poster: the receiver.
        secrets: `whsec_…`, one, or during a rotation the new one and the old one separated by a space.
        public_url: front door of the product, for the link to the ticket.
    """

    name = "webhook"
    actions = frozenset(Action)
    batch_max = 1
    is_capped = True
    refresh_every: timedelta | None = None

    def __init__(
        self,
        poster: Poster,
        *,
        secrets: str,
        public_url: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._poster = poster
        self._signers = [Webhook(secret) for secret in secrets.split()]
        if not self._signers:
            raise ValueError("the webhook's secret is empty")
        self._public_url = public_url
        self._now = now

    async def send(self, notices: Sequence[Notice]) -> int:
        """Post the one notice and return the HTTP status."""
        (notice,) = notices
        now = self._now()
        message_id = str(notice.delivery_id)
        body = msgspec.json.encode(self._message(notice, now))
        text = body.decode()
        signature = " ".join(signer.sign(message_id, now, text) for signer in self._signers)
        return await self._poster.post(
            body,
            {
                "webhook-id": message_id,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": signature,
            },
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()

    def _message(self, notice: Notice, now: datetime) -> dict[str, Any]:
        if isinstance(notice, AlertNotice):
            kind, data = _EVENT_TYPES[notice.action], self._alert(notice.alert)
        else:
            kind, data = _SUMMARY_TYPE, self._summary(notice)
        return {"type": kind, "timestamp": now, "data": data}

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
        del fields["attempt"]
        return {
            **fields,
            "summary_id": summary.delivery_id,
            "count": summary.count,
            "first": first,
            "rest_count": summary.count - len(first),
        }
