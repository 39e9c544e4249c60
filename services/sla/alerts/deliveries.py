"""The sending side of the outbox: who sends what now, what became of it, and the storm cap.

Claims are rows locked with SKIP LOCKED, so several processes share the work. A claim has an end: a
process that dies leaves its deliveries to the others, and the receiver knows a repetition by the
delivery's id.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from services.sla.alerts.notice import Action, Alert, AlertNotice, Notice, SummaryNotice
from services.sla.alerts.sink import Sink
from shared.database import Transaction
from shared.identifiers import new_id

CLAIM: Final = timedelta(seconds=90)
"""Longer than the longest request may take (60 s), so that a slow receiver is not told twice."""

SUMMARY_LIST_MAX: Final = 50
"""Alerts listed in a summary: keeps it under the 20 KB that Standard Webhooks recommends."""

MINUTE: Final = timedelta(minutes=1)

REPEATED_ENDINGS: Final = 4
"""How many refresh intervals long an ending is repeated, for a receiver that restarted meanwhile."""

_RANK: Final = {"urgent": 0, "high": 1, "normal": 2, "low": 3}

_IS_READY: Final = """
    d.sink = %(sink)s
    AND ((d.status = 'waiting' AND d.next_attempt_at <= %(now)s)
         OR (d.status = 'claimed' AND d.claimed_until < %(now)s))
    AND NOT EXISTS (
        SELECT 1 FROM deliveries AS earlier
        WHERE earlier.alert_id = d.alert_id AND earlier.sink = d.sink AND earlier.step < d.step
          AND earlier.status IN ('waiting', 'claimed', 'grouped'))
"""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one attempt. `retry_at` null after a failure: given up."""

    delivery_id: UUID
    attempt: int
    attempted_at: datetime
    seconds: float
    http_status: int | None
    error: str | None = None
    retry_at: datetime | None = None


def claim(
    tx: Transaction, sink: Sink, *, now: datetime, per_minute_max: int, count_max: int
) -> list[Notice]:
    """Take what is to be sent now; in a storm, what exceeds the cap becomes one summary a minute."""
    # One claimer per sink at a time: two would each count the same allowance.
    tx.cursor.execute(
        "SELECT pg_advisory_xact_lock(hashtext('alert-sink'), hashtext(%s))", (sink.name,)
    )
    if sink.is_capped:
        spare = max(0, per_minute_max - _sent_in_a_minute(tx, sink, now))
        _group_the_rest(tx, sink, now=now, spare=spare)
    else:
        spare = count_max
    tx.cursor.execute(
        "WITH ready AS ("  # noqa: S608  # a constant of this module
        "  SELECT d.delivery_id, d.action = 'summary' AS is_summary, d.next_attempt_at, d.step"
        f"  FROM deliveries AS d WHERE {_IS_READY}"
        "  ORDER BY d.action = 'summary' DESC, d.next_attempt_at, d.created_at"
        "  LIMIT %(limit)s FOR UPDATE SKIP LOCKED),"
        " chosen AS ("
        "  SELECT delivery_id FROM ("
        "   SELECT delivery_id, is_summary, row_number() OVER ("
        "     PARTITION BY is_summary ORDER BY next_attempt_at, step) AS place FROM ready) AS placed"
        "  WHERE is_summary OR place <= %(spare)s)"
        " UPDATE deliveries AS d SET status = 'claimed', claimed_until = %(until)s,"
        "        attempts = attempts + 1"
        " FROM chosen WHERE d.delivery_id = chosen.delivery_id"
        " RETURNING d.delivery_id, d.alert_id, d.action, d.attempts, d.created_at",
        {
            "sink": sink.name,
            "now": now,
            "until": now + CLAIM,
            "limit": count_max,
            "spare": spare,
        },
    )
    return _notices(tx, tx.cursor.fetchall())


def settle(tx: Transaction, sink: Sink, attempts: Sequence[Attempt], *, now: datetime) -> None:
    """Record what became of claimed deliveries; a summary speaks for its members."""
    for attempt in attempts:
        status = "delivered" if attempt.error is None else "waiting" if attempt.retry_at else "dead"
        refresh_at = now + sink.refresh_every if sink.refresh_every else None
        tx.cursor.execute(
            "UPDATE deliveries AS d SET status = %(status)s, claimed_until = NULL,"
            "  next_attempt_at = coalesce(%(retry_at)s, next_attempt_at),"
            "  delivered_at = CASE WHEN %(status)s = 'delivered' THEN %(now)s::timestamptz END,"
            "  refresh_at = CASE WHEN %(status)s = 'delivered' AND ("
            "      d.action = 'resolve' OR EXISTS (SELECT 1 FROM alerts AS a"
            "          WHERE a.alert_id = d.alert_id AND a.state <> 'resolved'))"
            "      THEN %(refresh_at)s::timestamptz END"
            # Another process may have taken over an attempt that came back too late.
            " WHERE delivery_id = %(id)s AND status = 'claimed' AND attempts = %(attempt)s"
            " RETURNING action",
            {
                "status": status,
                "retry_at": attempt.retry_at,
                "now": now,
                "refresh_at": refresh_at,
                "id": attempt.delivery_id,
                "attempt": attempt.attempt,
            },
        )
        row = tx.cursor.fetchone()
        if row is not None and row["action"] == "summary" and status != "waiting":
            tx.cursor.execute(
                "UPDATE deliveries SET status = %(status)s,"
                "  delivered_at = CASE WHEN %(status)s = 'delivered' THEN %(now)s::timestamptz END"
                " WHERE summary_id = %(id)s AND status = 'grouped'",
                {"status": status, "now": now, "id": attempt.delivery_id},
            )
        tx.cursor.execute(
            "INSERT INTO delivery_attempts"
            " (delivery_id, attempt, attempted_at, seconds, http_status, error)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (
                attempt.delivery_id,
                attempt.attempt,
                attempt.attempted_at,
                attempt.seconds,
                attempt.http_status,
                attempt.error,
            ),
        )


def claim_refresh(tx: Transaction, sink: Sink, *, now: datetime) -> list[Notice]:
    """What a forgetful receiver is to be told again now; the next time is set beforehand."""
    every = sink.refresh_every
    assert every is not None
    tx.cursor.execute(
        "WITH due AS ("
        "  SELECT delivery_id FROM deliveries WHERE sink = %(sink)s AND refresh_at <= %(now)s"
        "  ORDER BY refresh_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)"
        " UPDATE deliveries AS d SET refresh_at = CASE"
        "   WHEN d.action = 'resolve' AND d.delivered_at < %(repeated_since)s THEN NULL"
        "   ELSE %(next)s::timestamptz END"
        " FROM due WHERE d.delivery_id = due.delivery_id"
        " RETURNING d.delivery_id, d.alert_id, d.action, d.attempts, d.created_at",
        {
            "sink": sink.name,
            "now": now,
            "next": now + every,
            "repeated_since": now - every * REPEATED_ENDINGS,
            "limit": sink.batch_max,
        },
    )
    return _notices(tx, tx.cursor.fetchall())


def retry_refresh(tx: Transaction, delivery_ids: Sequence[UUID], *, at: datetime) -> None:
    """The receiver was away: say these again sooner than usual."""
    tx.cursor.execute(
        "UPDATE deliveries SET refresh_at = %s WHERE delivery_id = ANY(%s) AND refresh_at IS NOT NULL",
        (at, list(delivery_ids)),
    )


def next_moment(tx: Transaction, sink: Sink) -> datetime | None:
    """When this sink next has something to do by itself; None: nothing waits."""
    tx.cursor.execute(
        "SELECT least("
        " (SELECT min(next_attempt_at) FROM deliveries WHERE sink = %(sink)s AND status = 'waiting'),"
        " (SELECT min(claimed_until) FROM deliveries WHERE sink = %(sink)s AND status = 'claimed'),"
        " (SELECT min(refresh_at) FROM deliveries WHERE sink = %(sink)s AND refresh_at IS NOT NULL)"
        ") AS moment",
        {"sink": sink.name},
    )
    row = tx.cursor.fetchone()
    assert row is not None
    moment: datetime | None = row["moment"]
    return moment


def waiting_count(tx: Transaction, sink: Sink) -> int:
    """How many things this sink has not been told yet."""
    tx.cursor.execute(
        "SELECT count(*) AS count FROM deliveries"
        " WHERE sink = %s AND status IN ('waiting', 'claimed')",
        (sink.name,),
    )
    row = tx.cursor.fetchone()
    assert row is not None, "an aggregate always has a row"
    return int(row["count"])


def _sent_in_a_minute(tx: Transaction, sink: Sink, now: datetime) -> int:
    tx.cursor.execute(
        "SELECT (SELECT count(*) FROM deliveries WHERE sink = %(sink)s AND status = 'delivered'"
        "          AND delivered_at > %(since)s AND summary_id IS NULL AND action <> 'summary')"
        "     + (SELECT count(*) FROM deliveries WHERE sink = %(sink)s AND status = 'claimed'"
        "          AND claimed_until >= %(now)s AND action <> 'summary') AS count",
        {"sink": sink.name, "since": now - MINUTE, "now": now},
    )
    row = tx.cursor.fetchone()
    assert row is not None
    return int(row["count"])


def _group_the_rest(tx: Transaction, sink: Sink, *, now: datetime, spare: int) -> None:
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
        "   AND d.action <> 'summary' AND d.next_attempt_at <= %(now)s"
        # What came before must be done, or be said in this same summary.
        "   AND NOT EXISTS (SELECT 1 FROM deliveries AS earlier"
        "     WHERE earlier.alert_id = d.alert_id AND earlier.sink = d.sink"
        "       AND earlier.step < d.step AND (earlier.status IN ('claimed', 'grouped')"
        "         OR (earlier.status = 'waiting' AND earlier.attempts > 0)))"
        " ORDER BY d.next_attempt_at, d.created_at, d.step OFFSET %(spare)s FOR UPDATE",
        {"sink": sink.name, "now": now, "spare": spare},
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


def _notices(tx: Transaction, rows: Sequence[dict[str, Any]]) -> list[Notice]:
    alerts = _alerts(tx, [row["alert_id"] for row in rows if row["alert_id"] is not None])
    notices: list[Notice] = []
    for row in sorted(rows, key=lambda each: each["created_at"]):
        if row["action"] == "summary":
            notices.append(_summary(tx, row))
        else:
            notices.append(
                AlertNotice(
                    delivery_id=row["delivery_id"],
                    action=Action(row["action"]),
                    alert=alerts[row["alert_id"]],
                    attempt=row["attempts"],
                )
            )
    return notices


def _alerts(tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, Alert]:
    if not ids:
        return {}
    tx.cursor.execute("SELECT * FROM alerts WHERE alert_id = ANY(%s)", (list(ids),))
    found = [msgspec.convert(row, Alert) for row in tx.cursor.fetchall()]
    return {alert.alert_id: alert for alert in found}


def _summary(tx: Transaction, row: dict[str, Any]) -> SummaryNotice:
    tx.cursor.execute(
        "SELECT action, alert_id FROM deliveries WHERE summary_id = %s", (row["delivery_id"],)
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
    )
