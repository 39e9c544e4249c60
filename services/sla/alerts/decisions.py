"""What a person decides about deliveries: look at them, send one again, give one up."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.sla.alerts.notice import Action
from shared.database import Transaction
from shared.errors import NotFound, Refused

PAGE_MAX: Final = 200
"""Deliveries of one answer."""

STATUSES: Final = (
    *("waiting", "claimed", "grouped", "covered"),
    *("delivered", "dead", "discarded"),
)

_COLUMNS: Final = (
    "d.delivery_id, d.alert_id, d.sink, d.action, d.status, d.attempts, d.created_at,"
    " d.delivered_at, d.summary_id, d.about_id, d.decided_by,"
    " CASE WHEN d.status = 'waiting' THEN d.next_attempt_at END AS next_attempt_at,"
    " a.ticket_id, a.number, a.metric, a.dedupe_key, a.state AS alert_state,"
    " last.attempted_at AS last_attempted_at, last.http_status AS last_http_status,"
    " last.error AS last_error"
)
_SOURCES: Final = (
    " FROM deliveries AS d LEFT JOIN alerts AS a USING (alert_id)"
    " LEFT JOIN LATERAL (SELECT * FROM delivery_attempts AS t WHERE t.delivery_id ="
    "   CASE WHEN d.status = 'covered' THEN d.delivery_id"
    "        ELSE coalesce(d.summary_id, d.delivery_id) END"
    "   ORDER BY t.attempt DESC LIMIT 1) AS last ON true"
)


class NotReplayable(Refused):
    """Saying it again would say nothing, or something that is not true any more."""


class NotDiscardable(Refused):
    """There is nothing left to give up."""


def list_deliveries(
    tx: Transaction,
    *,
    status: str | None = None,
    sink: str | None = None,
    alert_id: UUID | None = None,
    summary_id: UUID | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Deliveries, newest first; `before` is the last one of the page before."""
    created_at, delivery_id = before or (None, None)
    tx.cursor.execute(
        f"SELECT {_COLUMNS}{_SOURCES}"  # constants of this module
        " WHERE (%(status)s::text IS NULL OR d.status = %(status)s)"
        " AND (%(sink)s::text IS NULL OR d.sink = %(sink)s)"
        " AND (%(alert_id)s::uuid IS NULL OR d.alert_id = %(alert_id)s)"
        " AND (%(summary_id)s::uuid IS NULL OR d.summary_id = %(summary_id)s)"
        " AND (%(created_at)s::timestamptz IS NULL"
        "      OR (d.created_at, d.delivery_id) < (%(created_at)s, %(delivery_id)s::uuid))"
        " ORDER BY d.created_at DESC, d.delivery_id DESC LIMIT %(limit)s",
        {
            "status": status,
            "sink": sink,
            "alert_id": alert_id,
            "summary_id": summary_id,
            "created_at": created_at,
            "delivery_id": delivery_id,
            "limit": limit,
        },
    )
    return tx.cursor.fetchall()


def find_delivery(tx: Transaction, delivery_id: UUID) -> dict[str, Any]:
    """One delivery with all its attempts; for what a summary said, the summary's.

    Raises:
        NotFound: there is no such delivery.
    """
    tx.cursor.execute(
        f"SELECT {_COLUMNS}{_SOURCES} WHERE d.delivery_id = %s",  # constants of this module
        (delivery_id,),
    )
    row = tx.cursor.fetchone()
    if row is None:
        raise NotFound(f"There is no delivery {delivery_id}.", field="delivery_id")
    said_by = delivery_id if row["status"] == "covered" else row["summary_id"] or delivery_id
    tx.cursor.execute(
        "SELECT attempt, attempted_at, seconds, http_status, error FROM delivery_attempts"
        " WHERE delivery_id = %s ORDER BY attempt",
        (said_by,),
    )
    return {**row, "tries": tx.cursor.fetchall()}


def replay(tx: Transaction, delivery_id: UUID, *, by: str, now: datetime) -> dict[str, Any]:
    """Send again what was given up, as if it had never been tried; a summary takes its members along.

    Raises:
        NotFound: there is no such delivery.
        NotReplayable: it was not given up, or its alert is over by now.
    """
    row = _locked(tx, delivery_id)
    if row["status"] not in {"dead", "discarded"}:
        raise NotReplayable(
            f"This delivery is {row['status']}; only what was given up is replayed."
        )
    if row["summary_id"] is not None:
        raise NotReplayable(f"A summary spoke for it: replay {row['summary_id']}.")
    if row["action"] != Action.RESOLVE and _is_over(tx, delivery_id):
        raise NotReplayable("The alert is over: a receiver would think that it begins anew.")
    tx.cursor.execute(
        "UPDATE deliveries SET status = 'waiting', next_attempt_at = %s,"
        " forgiven_attempts = attempts, decided_by = %s WHERE delivery_id = %s",
        (now, by, delivery_id),
    )
    tx.cursor.execute(
        "UPDATE deliveries SET status = 'grouped', decided_by = %s"
        " WHERE summary_id = %s AND status IN ('dead', 'discarded')",
        (by, delivery_id),
    )
    return find_delivery(tx, delivery_id)


def discard(tx: Transaction, delivery_id: UUID, *, by: str) -> dict[str, Any]:
    """Give it up: it is not sent any more, and stays in the log with the name of who decided.

    Raises:
        NotFound: there is no such delivery.
        NotDiscardable: it was delivered, is on its way, or a summary speaks for it.
    """
    row = _locked(tx, delivery_id)
    if row["status"] == "discarded":
        return find_delivery(tx, delivery_id)
    if row["status"] not in {"waiting", "dead"} or row["summary_id"] is not None:
        raise NotDiscardable(f"This delivery is {row['status']}; it cannot be given up.")
    tx.cursor.execute(
        "UPDATE deliveries SET status = 'discarded', decided_by = %s"
        " WHERE delivery_id = %s OR (summary_id = %s AND status IN ('grouped', 'dead'))",
        (by, delivery_id, delivery_id),
    )
    return find_delivery(tx, delivery_id)


def _locked(tx: Transaction, delivery_id: UUID) -> dict[str, Any]:
    tx.cursor.execute(
        "SELECT status, action, alert_id, summary_id FROM deliveries"
        " WHERE delivery_id = %s FOR UPDATE",
        (delivery_id,),
    )
    row = tx.cursor.fetchone()
    if row is None:
        raise NotFound(f"There is no delivery {delivery_id}.", field="delivery_id")
    return row


def _is_over(tx: Transaction, delivery_id: UUID) -> bool:
    """Whether every alert it speaks of, itself or as a summary, has ended."""
    tx.cursor.execute(
        "SELECT bool_and(a.state = 'resolved') AS is_over FROM deliveries AS d"
        " JOIN alerts AS a USING (alert_id)"
        " WHERE d.delivery_id = %(id)s OR (d.summary_id = %(id)s AND d.status <> 'covered')",
        {"id": delivery_id},
    )
    row = tx.cursor.fetchone()
    return bool(row and row["is_over"])
