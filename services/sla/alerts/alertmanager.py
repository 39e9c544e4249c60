"""Prometheus Alertmanager, API v2: state, said again and again, rather than single messages."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from services.sla.alerts.delivery import Poster
from services.sla.alerts.notice import Action, Alert, AlertNotice, Kind, Notice

PATH = "/api/v2/alerts"

MISSED_RESENDS_MAX = 4
"""An alert outlives so many missed re-sends, as Prometheus itself does it; then Alertmanager ends it."""

_SEVERITY = {"urgent": "critical", "high": "error", "normal": "warning", "low": "info"}


class AlertmanagerSink:
    """Posts alerts in batches. The label set is the identity, so labels hold nothing that changes.

    Args:
        poster: the receiver, at `PATH`.
        resend_every: how often open alerts are said again.
        public_url: front door of the product, for `generatorURL`.
    """

    name = "alertmanager"
    actions = frozenset({Action.TRIGGER, Action.RESOLVE})
    batch_max = 200
    is_capped = False

    def __init__(
        self,
        poster: Poster,
        *,
        resend_every: timedelta,
        public_url: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._poster = poster
        self._public_url = public_url
        self._now = now
        self.refresh_every: timedelta | None = resend_every
        self._outlives = resend_every * MISSED_RESENDS_MAX

    async def send(self, notices: Sequence[Notice]) -> int:
        """Post all of them in one request and return the HTTP status."""
        now = self._now()
        alerts = [
            self._alert(notice.alert, now) for notice in notices if isinstance(notice, AlertNotice)
        ]
        return await self._poster.post(msgspec.json.encode(alerts), {})

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()

    def _alert(self, alert: Alert, now: datetime) -> dict[str, Any]:
        labels = {
            "alertname": "TicketSlaBreached" if alert.kind is Kind.BREACH else "TicketSlaWarning",
            "service": "sla",
            "severity": _SEVERITY[alert.priority] if alert.kind is Kind.BREACH else "info",
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
