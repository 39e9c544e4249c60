"""Prometheus Alertmanager, API v2: state, said again and again, rather than single messages."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from services.sla.alerts.delivery import BAD_BODY, Poster
from services.sla.alerts.kind import Parts, SinkDocument
from services.sla.alerts.notice import Action, Alert, AlertNotice, Kind, Notice
from services.sla.alerts.sink import Sent
from services.sla.alerts.wording import SEVERITY

PATH = "/api/v2/alerts"

RESEND_SECONDS_MAX = 240.0
"""Well under the five minutes after which Alertmanager forgets."""

MISSED_RESENDS_MAX = 4
"""An alert outlives so many missed re-sends, as Prometheus itself does it; then Alertmanager ends it."""


class Alertmanager(SinkDocument, frozen=True, kw_only=True, tag="alertmanager"):
    """`url`: of the program, for example `http://alertmanager:9093`."""

    url: str
    resend_seconds: float = 60.0

    def __post_init__(self) -> None:
        """Refuse a pause in which Alertmanager would forget."""
        if not 1 <= self.resend_seconds <= RESEND_SECONDS_MAX:
            raise ValueError(f"resend_seconds: 1 to {RESEND_SECONDS_MAX:.0f}")

    @property
    def actions(self) -> frozenset[Action]:
        """It knows nothing of taking on; that is an annotation of the next re-send."""
        return AlertmanagerSink.actions

    def build(self, name: str, parts: Parts) -> "AlertmanagerSink":
        """The sink.

        Raises:
            ValueError: the URL is none.
        """
        return AlertmanagerSink(
            parts.poster(self.url.rstrip("/") + PATH, final_statuses=BAD_BODY),
            name=name,
            resend_every=timedelta(seconds=self.resend_seconds),
            public_url=parts.public_url,
        )


class AlertmanagerSink:
    """Posts alerts in batches. The label set is the identity, so labels hold nothing that changes.

    Args:
        poster: the receiver, at `PATH`.
        name: of the sink.
        resend_every: how often open alerts are said again.
        public_url: front door of the product, for `generatorURL`.
    """

    actions = frozenset({Action.TRIGGER, Action.RESOLVE})
    batch_max = 200
    is_capped = False
    is_stateful = False

    def __init__(
        self,
        poster: Poster,
        *,
        name: str = "alertmanager",
        resend_every: timedelta,
        public_url: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = name
        self._poster = poster
        self._public_url = public_url
        self._now = now
        self.refresh_every: timedelta | None = resend_every
        self._outlives = resend_every * MISSED_RESENDS_MAX

    async def send(self, notices: Sequence[Notice]) -> Sent:
        """Post all of them in one request."""
        now = self._now()
        alerts = [
            self._alert(notice.alert, now) for notice in notices if isinstance(notice, AlertNotice)
        ]
        answer = await self._poster.post(msgspec.json.encode(alerts), {})
        return Sent(answer.status)

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()

    def _alert(self, alert: Alert, now: datetime) -> dict[str, Any]:
        labels = {
            "alertname": "TicketSlaBreached" if alert.kind is Kind.BREACH else "TicketSlaWarning",
            "service": "sla",
            "severity": SEVERITY[alert.priority] if alert.kind is Kind.BREACH else "info",
            "dedupe_key": alert.dedupe_key,
            "ticket_id": str(alert.ticket_id),
            "metric": alert.metric,
            "cycle": str(alert.cycle),
            "priority": alert.priority,
            "policy": alert.policy_id,
        }
        if alert.group_id:
            labels["group"] = alert.group_id
        annotations = {"summary": alert.headline, "due_at": alert.due_at.isoformat()}
        if alert.number is not None:
            annotations["ticket_number"] = str(alert.number)
        if alert.agent_id:
            annotations["agent"] = alert.agent_id
        if alert.acknowledged_by:
            annotations["acknowledged_by"] = alert.acknowledged_by
        if alert.resolution:
            annotations["resolution"] = alert.resolution
        # The state at hand decides, not the action: a re-send that overtakes a resolve stays true.
        ends_at = alert.resolved_at or now + self._outlives
        posted: dict[str, Any] = {
            "labels": labels,
            "annotations": annotations,
            "startsAt": alert.breached_at or alert.detected_at,
            "endsAt": max(ends_at, alert.breached_at or alert.detected_at),
        }
        if self._public_url:
            posted["generatorURL"] = f"{self._public_url.rstrip('/')}/tickets/{alert.ticket_id}"
        return posted
