"""What became of each message on its way to the customer, read from the ticket's own events."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import DictRow


async def read(
    connection: psycopg.AsyncConnection[DictRow], ticket_id: UUID, *, until: datetime | None = None
) -> Mapping[UUID, Sequence[dict[str, Any]]]:
    """The events about deliveries, by message, oldest first: one walk along the ticket's part of the timeline.

    `until` leaves out what happened later.
    """
    found = await connection.execute(
        "SELECT occurred_at, raw FROM timeline WHERE stream_id = %s AND topic = 'tickets.v1'"
        " AND type IN ('ticket.message_sent.v1', 'ticket.message_not_delivered.v1')"
        " AND (%s::timestamptz IS NULL OR occurred_at <= %s) ORDER BY version",
        (ticket_id, until, until),
    )
    events: dict[UUID, list[dict[str, Any]]] = {}
    async for row in found:
        said = row["raw"] | {"at": row["occurred_at"]}
        events.setdefault(UUID(said["message_id"]), []).append(said)
    return events


def told(events: Sequence[dict[str, Any]] | None, leaves_by: str | None) -> dict[str, Any] | None:
    """The message's state now: `waiting`, `sent` or `failed` (somebody did not get it); None: it leaves by no channel.

    A customer's message has one when it was acknowledged. Per recipient the last word counts.
    """
    if not events:
        return None if leaves_by is None else _state("waiting", "reply", leaves_by)
    sent: dict[str, None] = {}
    failed: dict[str, str] = {}
    is_lost = False
    for event in events:
        is_failure = event["type"] == "ticket.message_not_delivered.v1"
        is_lost = is_failure and not event["recipients"]
        for address in map(str.lower, event["recipients"]):
            sent.pop(address, None)
            failed.pop(address, None)
            if is_failure:
                failed[address] = event["reason"]
            else:
                sent[address] = None
    last = events[-1]
    state = _state("failed" if failed or is_lost else "sent", last["kind"], last["sent_by"])
    reasons = list(dict.fromkeys(failed.values()))
    return state | {
        "at": last["at"],
        "sent_to": list(sent),
        "not_delivered_to": list(failed),
        "reason": "; ".join(reasons) or (last["reason"] if is_lost else None),
    }


def _state(state: str, kind: str, sent_by: str) -> dict[str, Any]:
    return {
        "state": state,
        "kind": kind,
        "sent_by": sent_by,
        "at": None,
        "sent_to": [],
        "not_delivered_to": [],
        "reason": None,
    }
