"""The delivery log as it can be read: alerts, and what was said to whom about each."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from shared.database import Transaction
from shared.errors import NotFound

PAGE_MAX: Final = 200
"""Alerts of one answer."""

STATES: Final = ("firing", "acknowledged", "resolved")


def list_alerts(
    tx: Transaction,
    *,
    state: str | None = None,
    ticket_id: UUID | None = None,
    summary_id: UUID | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Alerts, newest first, each with its deliveries.

    Args:
        tx: a transaction.
        state: `firing`, `acknowledged` or `resolved` only.
        ticket_id: of one ticket only.
        summary_id: only those that this summary spoke for.
        before: opening moment and id of the last alert of the page before.
        limit: at most so many.
    """
    opened_at, alert_id = before or (None, None)
    tx.cursor.execute(
        "SELECT a.* FROM alerts AS a WHERE (%(state)s::text IS NULL OR a.state = %(state)s)"
        " AND (%(ticket_id)s::uuid IS NULL OR a.ticket_id = %(ticket_id)s)"
        " AND (%(summary_id)s::uuid IS NULL OR a.alert_id IN"
        "      (SELECT alert_id FROM deliveries WHERE summary_id = %(summary_id)s))"
        " AND (%(opened_at)s::timestamptz IS NULL"
        "      OR (a.opened_at, a.alert_id) < (%(opened_at)s, %(alert_id)s::uuid))"
        " ORDER BY a.opened_at DESC, a.alert_id DESC LIMIT %(limit)s",
        {
            "state": state,
            "ticket_id": ticket_id,
            "summary_id": summary_id,
            "opened_at": opened_at,
            "alert_id": alert_id,
            "limit": limit,
        },
    )
    return _with_deliveries(tx, tx.cursor.fetchall())


def find_alert(tx: Transaction, alert_id: UUID) -> dict[str, Any]:
    """One alert with its deliveries.

    Raises:
        NotFound: there is no such alert.
    """
    tx.cursor.execute("SELECT * FROM alerts WHERE alert_id = %s", (alert_id,))
    row = tx.cursor.fetchone()
    if row is None:
        raise NotFound(f"There is no alert {alert_id}.", field="alert_id")
    (alert,) = _with_deliveries(tx, [row])
    return alert


def _with_deliveries(tx: Transaction, alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not alerts:
        return []
    tx.cursor.execute(
        "SELECT d.delivery_id, d.alert_id, d.sink, d.action, d.status, d.attempts, d.created_at,"
        "  d.delivered_at, d.summary_id, last.attempted_at AS last_attempted_at,"
        "  last.http_status AS last_http_status, last.error AS last_error,"
        "  CASE WHEN d.status = 'waiting' THEN d.next_attempt_at END AS next_attempt_at"
        " FROM deliveries AS d LEFT JOIN LATERAL ("
        "  SELECT * FROM delivery_attempts AS t"
        "  WHERE t.delivery_id = coalesce(d.summary_id, d.delivery_id)"
        "  ORDER BY t.attempt DESC LIMIT 1) AS last ON true"
        " WHERE d.alert_id = ANY(%s) ORDER BY d.step, d.sink",
        ([alert["alert_id"] for alert in alerts],),
    )
    by_alert: dict[UUID, list[dict[str, Any]]] = {}
    for row in tx.cursor.fetchall():
        by_alert.setdefault(row.pop("alert_id"), []).append(row)
    return [{**alert, "deliveries": by_alert.get(alert["alert_id"], [])} for alert in alerts]
