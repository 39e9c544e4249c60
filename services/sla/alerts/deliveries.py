"""The sending side of the outbox: who sends what now, what became of it, and the storm cap.

Claims are rows locked with SKIP LOCKED, so several processes share the work. A claim has an end: a
process that dies leaves its deliveries to the others, and the receiver knows a repetition by the
delivery's id.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from services.sla.alerts import reading, storm
from services.sla.alerts.notice import Notice
from services.sla.alerts.sink import Sink
from shared.database import Transaction

CLAIM: Final = timedelta(seconds=90)
"""Longer than the longest request may take (60 s), so that a slow receiver is not told twice."""

REPEATED_ENDINGS: Final = 4
"""How many refresh intervals long an ending is repeated, for a receiver that restarted meanwhile."""

_IS_READY: Final = """
    d.sink = %(sink)s
    AND ((d.status = 'waiting' AND d.next_attempt_at <= %(now)s)
         OR (d.status = 'claimed' AND d.claimed_until < %(now)s))
    AND NOT EXISTS (
        SELECT 1 FROM deliveries AS earlier
        WHERE earlier.alert_id = d.alert_id AND earlier.sink = d.sink AND earlier.step < d.step
          AND earlier.status IN ('waiting', 'claimed', 'grouped'))
    AND NOT (d.action = 'trigger' AND d.alert_id IN (
        SELECT mine.alert_id FROM deliveries AS ending
          JOIN alerts AS former ON former.alert_id = ending.alert_id
          JOIN alerts AS mine ON mine.dedupe_key = former.dedupe_key AND mine.state <> 'resolved'
        WHERE ending.sink = %(sink)s AND ending.action = 'resolve'
          AND ending.status IN ('waiting', 'claimed')))
"""
"""One alert is told in order. One that breaks again after it was taken back has the same key: said before the
former one's end, that end would silence it. The ends that wait are few, and looked up once for all.
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
    receipt: Mapping[str, str] | None = None


def claim(
    tx: Transaction, sink: Sink, *, now: datetime, per_minute_max: int, count_max: int
) -> list[Notice]:
    """Take what is to be sent now; in a storm, what exceeds the cap becomes one summary a minute."""
    # One claimer per sink at a time: two would each count the same allowance.
    tx.cursor.execute(
        "SELECT pg_advisory_xact_lock(hashtext('alert-sink'), hashtext(%s))", (sink.name,)
    )
    if sink.is_stateful:
        storm.cover(tx, sink, now=now)
    if sink.is_capped:
        spare = max(0, per_minute_max - storm.sent_in_a_minute(tx, sink, now))
        storm.group_the_rest(tx, sink, now=now, spare=spare)
    else:
        spare = count_max
    tx.cursor.execute(
        "WITH ready AS ("  # noqa: S608  # a constant of this module
        # What a receiver with state must hear to end a thing is bounded by what was begun there.
        "  SELECT d.delivery_id, d.action = 'summary' OR (%(stateful)s AND d.action <> 'trigger')"
        "         AS is_free, d.next_attempt_at, d.step"
        f"  FROM deliveries AS d WHERE {_IS_READY}"
        "  ORDER BY d.action = 'summary' DESC, d.next_attempt_at, d.created_at"
        "  LIMIT %(limit)s FOR UPDATE SKIP LOCKED),"
        " chosen AS ("
        "  SELECT delivery_id FROM ("
        "   SELECT delivery_id, is_free, row_number() OVER ("
        "     PARTITION BY is_free ORDER BY next_attempt_at, step) AS place FROM ready) AS placed"
        "  WHERE is_free OR place <= %(spare)s)"
        " UPDATE deliveries AS d SET status = 'claimed', claimed_until = %(until)s,"
        "        attempts = attempts + 1"
        " FROM chosen WHERE d.delivery_id = chosen.delivery_id"
        f" RETURNING {reading.COLUMNS}",
        {
            "sink": sink.name,
            "now": now,
            "until": now + CLAIM,
            "limit": count_max,
            "spare": spare,
            "stateful": sink.is_stateful,
        },
    )
    return reading.notices(tx, sink, tx.cursor.fetchall())


def settle(tx: Transaction, sink: Sink, attempts: Sequence[Attempt], *, now: datetime) -> None:
    """Record what became of claimed deliveries; a summary speaks for its members."""
    for attempt in attempts:
        status = "delivered" if attempt.error is None else "waiting" if attempt.retry_at else "dead"
        refresh_at = now + sink.refresh_every if sink.refresh_every else None
        tx.cursor.execute(
            "UPDATE deliveries AS d SET status = %(status)s, claimed_until = NULL,"
            "  next_attempt_at = coalesce(%(retry_at)s, next_attempt_at),"
            "  receipt = coalesce(%(receipt)s::jsonb, d.receipt),"
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
                "receipt": Jsonb(dict(attempt.receipt)) if attempt.receipt else None,
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
    """What a forgetful receiver is to be told again now; the next time is set beforehand.

    An end is not said again once the same key burns anew: it would put that out.
    """
    every = sink.refresh_every
    assert every is not None
    tx.cursor.execute(
        "WITH due AS ("  # noqa: S608  # a constant of that module
        "  SELECT delivery_id, action = 'resolve' AND EXISTS ("
        "    SELECT 1 FROM alerts AS mine JOIN alerts AS other USING (dedupe_key)"
        "    WHERE mine.alert_id = deliveries.alert_id AND other.state <> 'resolved') AS is_untrue"
        "  FROM deliveries WHERE sink = %(sink)s AND refresh_at <= %(now)s"
        "  ORDER BY refresh_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)"
        " UPDATE deliveries AS d SET refresh_at = CASE"
        "   WHEN is_untrue OR d.action = 'resolve' AND d.delivered_at < %(repeated_since)s THEN NULL"
        "   ELSE %(next)s::timestamptz END"
        " FROM due WHERE d.delivery_id = due.delivery_id"
        f" RETURNING {reading.COLUMNS}, is_untrue",
        {
            "sink": sink.name,
            "now": now,
            "next": now + every,
            "repeated_since": now - every * REPEATED_ENDINGS,
            "limit": sink.batch_max,
        },
    )
    due = [row for row in tx.cursor.fetchall() if not row["is_untrue"]]
    return reading.notices(tx, sink, due)


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


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What a sink has not been told."""

    waiting: int
    dead: int


def counts(tx: Transaction, name: str) -> Counts:
    """How many things the sink of this name has not been told yet, and how many it never will unless replayed."""
    tx.cursor.execute(
        "SELECT (SELECT count(*) FROM deliveries"
        "         WHERE sink = %(sink)s AND status IN ('waiting', 'claimed')) AS waiting,"
        "       (SELECT count(*) FROM deliveries"
        "         WHERE sink = %(sink)s AND status = 'dead') AS dead",
        {"sink": name},
    )
    row = tx.cursor.fetchone()
    assert row is not None, "an aggregate always has a row"
    return msgspec.convert(row, Counts)
