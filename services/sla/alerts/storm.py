"""The storm cap: what exceeds a sink's allowance becomes one summary a minute, and nothing is lost.

A receiver with state (an incident per alert) hears of a grouped alert through its summary alone, so
what follows such an alert is covered by the summary's own life: it ends with the last of its alerts.
"""

from datetime import datetime, timedelta
from typing import Final

from services.sla.alerts.sink import Sink
from shared.database import Transaction
from shared.identifiers import derived_id, new_id

MINUTE: Final = timedelta(minutes=1)

_END_STEP: Final = 3


def cover(tx: Transaction, sink: Sink, *, now: datetime) -> None:
    """Settle what follows grouped alerts, and end the summaries whose alerts are all over."""
    tx.cursor.execute(
        "UPDATE deliveries AS d SET status = 'covered', summary_id = begun.summary_id"
        " FROM deliveries AS begun"
        " WHERE d.sink = %(sink)s AND d.status = 'waiting' AND d.attempts = 0"
        "   AND d.action IN ('acknowledge', 'resolve') AND begun.alert_id = d.alert_id"
        "   AND begun.sink = d.sink AND begun.action = 'trigger'"
        "   AND begun.summary_id IS NOT NULL AND begun.status IN ('delivered', 'dead', 'discarded')"
        " RETURNING begun.summary_id",
        {"sink": sink.name},
    )
    for summary_id in {row["summary_id"] for row in tx.cursor.fetchall()}:
        tx.cursor.execute(
            "INSERT INTO deliveries"
            " (delivery_id, sink, action, step, about_id, next_attempt_at, created_at)"
            " SELECT %(id)s, %(sink)s, 'resolve', %(step)s, %(about)s, %(now)s, %(now)s"
            " WHERE NOT EXISTS (SELECT 1 FROM deliveries AS m JOIN alerts AS a USING (alert_id)"
            "   WHERE m.summary_id = %(about)s AND m.action = 'trigger' AND a.state <> 'resolved')"
            " ON CONFLICT (delivery_id) DO NOTHING",
            {
                "id": derived_id("summary_end", summary_id),
                "sink": sink.name,
                "step": _END_STEP,
                "about": summary_id,
                "now": now,
            },
        )


def sent_in_a_minute(tx: Transaction, sink: Sink, now: datetime) -> int:
    """How much of the allowance is used; to a receiver with state only beginnings count."""
    tx.cursor.execute(
        "SELECT (SELECT count(*) FROM deliveries WHERE sink = %(sink)s AND status = 'delivered'"
        "          AND delivered_at > %(since)s AND summary_id IS NULL AND action <> 'summary'"
        "          AND (action = 'trigger' OR NOT %(stateful)s))"
        "     + (SELECT count(*) FROM deliveries WHERE sink = %(sink)s AND status = 'claimed'"
        "          AND claimed_until >= %(now)s AND action <> 'summary'"
        "          AND (action = 'trigger' OR NOT %(stateful)s)) AS count",
        {"sink": sink.name, "since": now - MINUTE, "now": now, "stateful": sink.is_stateful},
    )
    row = tx.cursor.fetchone()
    assert row is not None
    return int(row["count"])


def group_the_rest(tx: Transaction, sink: Sink, *, now: datetime, spare: int) -> None:
    """Put what exceeds the allowance into a summary, unless the last one is younger than a minute."""
    tx.cursor.execute(
        "SELECT 1 FROM deliveries WHERE sink = %s AND action = 'summary' AND created_at > %s LIMIT 1",
        (sink.name, now - MINUTE),
    )
    if tx.cursor.fetchone() is not None:
        return
    tx.cursor.execute(
        "SELECT d.delivery_id FROM deliveries AS d"
        " WHERE d.sink = %(sink)s AND d.status = 'waiting' AND d.attempts = 0"
        "   AND d.action <> 'summary' AND (d.action = 'trigger' OR NOT %(stateful)s)"
        "   AND d.next_attempt_at <= %(now)s"
        # What came before must be done, or be said in this same summary.
        "   AND NOT EXISTS (SELECT 1 FROM deliveries AS earlier"
        "     WHERE earlier.alert_id = d.alert_id AND earlier.sink = d.sink"
        "       AND earlier.step < d.step AND (earlier.status IN ('claimed', 'grouped')"
        "         OR (earlier.status = 'waiting' AND earlier.attempts > 0)))"
        " ORDER BY d.next_attempt_at, d.created_at, d.step OFFSET %(spare)s FOR UPDATE",
        {"sink": sink.name, "now": now, "spare": spare, "stateful": sink.is_stateful},
    )
    rest = [row["delivery_id"] for row in tx.cursor.fetchall()]
    if not rest:
        return
    summary_id = new_id()
    tx.cursor.execute(
        "INSERT INTO deliveries (delivery_id, sink, action, step, next_attempt_at, created_at)"
        " VALUES (%s, %s, 'summary', 0, %s, %s)",
        (summary_id, sink.name, now, now),
    )
    tx.cursor.execute(
        "UPDATE deliveries SET status = 'grouped', summary_id = %s WHERE delivery_id = ANY(%s)",
        (summary_id, rest),
    )
