"""From rows of the outbox to notices: alerts as they are now, what was said before, summaries."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from services.sla.alerts.notice import (
    Action,
    Alert,
    AlertNotice,
    Notice,
    Opening,
    SummaryEndNotice,
    SummaryNotice,
)
from services.sla.alerts.sink import Sink
from services.sla.oncall import contacts
from shared.database import Transaction

COLUMNS: Final = (
    "d.delivery_id, d.alert_id, d.action, d.attempts, d.created_at, d.about_id, d.forgiven_attempts"
)
"""What `notices` needs of a row of `deliveries AS d`."""

SUMMARY_LIST_MAX: Final = 50
"""Alerts listed in a summary: keeps it under the 20 KB that Standard Webhooks recommends."""

_RANK: Final = {"urgent": 0, "high": 1, "normal": 2, "low": 3}


def notices(tx: Transaction, sink: Sink, rows: Sequence[dict[str, Any]]) -> list[Notice]:
    """What claimed rows (with `COLUMNS`) say, in the order in which it came about."""
    openings = _openings(tx, sink, [row["alert_id"] for row in rows if _follows(row)])
    alerts = _alerts(tx, [row["alert_id"] for row in rows if row["alert_id"] is not None])
    called = {
        targets: contacts.reach(tx, targets)
        for targets in {tuple(alert.targets) for alert in alerts.values() if alert.targets}
    }
    found: list[Notice] = []
    for row in sorted(rows, key=lambda each: each["created_at"]):
        if row["action"] == "summary":
            found.append(_summary(tx, row))
        elif row["about_id"] is not None:
            found.append(_summary_end(tx, row))
        else:
            found.append(
                AlertNotice(
                    delivery_id=row["delivery_id"],
                    action=Action(row["action"]),
                    alert=alerts[row["alert_id"]],
                    attempt=row["attempts"],
                    forgiven=row["forgiven_attempts"],
                    opening=openings.get(row["alert_id"]) if _follows(row) else None,
                    called=called.get(tuple(alerts[row["alert_id"]].targets), ()),
                )
            )
    return found


def _alerts(tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, Alert]:
    if not ids:
        return {}
    tx.cursor.execute("SELECT * FROM alerts WHERE alert_id = ANY(%s)", (list(ids),))
    found = [msgspec.convert(row, Alert) for row in tx.cursor.fetchall()]
    return {alert.alert_id: alert for alert in found}


def _summary(tx: Transaction, row: dict[str, Any]) -> SummaryNotice:
    tx.cursor.execute(
        "SELECT action, alert_id FROM deliveries WHERE summary_id = %s AND status <> 'covered'",
        (row["delivery_id"],),
    )
    members = [(Action(each["action"]), each["alert_id"]) for each in tx.cursor.fetchall()]
    alerts = _alerts(tx, [alert_id for _, alert_id in members])
    said = sorted(
        ((action, alerts[alert_id]) for action, alert_id in members),
        key=lambda each: (_RANK.get(each[1].priority, len(_RANK)), each[1].due_at),
    )
    actions = Counter(action for action, _ in said)
    return SummaryNotice(
        delivery_id=row["delivery_id"],
        created_at=row["created_at"],
        triggered_count=actions[Action.TRIGGER],
        acknowledged_count=actions[Action.ACKNOWLEDGE],
        resolved_count=actions[Action.RESOLVE],
        counts_by_metric=dict(Counter(alert.metric for _, alert in said)),
        counts_by_priority=dict(Counter(alert.priority for _, alert in said)),
        counts_by_group=dict(Counter(alert.group_id or "" for _, alert in said)),
        first=tuple(said[:SUMMARY_LIST_MAX]),
        attempt=row["attempts"],
        forgiven=row["forgiven_attempts"],
        called=contacts.reach(tx, [target for _, alert in said for target in alert.targets]),
    )


def _follows(row: dict[str, Any]) -> bool:
    return row["alert_id"] is not None and row["action"] != Action.TRIGGER


def _openings(tx: Transaction, sink: Sink, alert_ids: Sequence[UUID]) -> dict[UUID, Opening]:
    if not alert_ids:
        return {}
    tx.cursor.execute(
        "SELECT alert_id, delivery_id, summary_id, receipt FROM deliveries"
        " WHERE alert_id = ANY(%s) AND sink = %s AND action = 'trigger'",
        (list(alert_ids), sink.name),
    )
    return {
        row["alert_id"]: Opening(
            delivery_id=row["delivery_id"], summary_id=row["summary_id"], receipt=row["receipt"]
        )
        for row in tx.cursor.fetchall()
    }


def _summary_end(tx: Transaction, row: dict[str, Any]) -> SummaryEndNotice:
    tx.cursor.execute(
        "SELECT s.receipt, (SELECT count(*) FROM deliveries AS m"
        "   WHERE m.summary_id = s.delivery_id AND m.action = 'trigger') AS count"
        " FROM deliveries AS s WHERE s.delivery_id = %s",
        (row["about_id"],),
    )
    summary = tx.cursor.fetchone()
    assert summary is not None, "a foreign key holds it"
    return SummaryEndNotice(
        delivery_id=row["delivery_id"],
        summary_id=row["about_id"],
        count=summary["count"],
        attempt=row["attempts"],
        forgiven=row["forgiven_attempts"],
        receipt=summary["receipt"],
    )
