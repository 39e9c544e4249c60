"""The timeline: every event of a ticket, who, when, old and new value, as a sentence and as data."""

from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from services.query.views.pools import Pool
from services.query.views.told import sentence
from shared.http import cursor

LIMIT_MAX: Final = 500
"""A page; the busiest ticket of a big desk has some 60 events from intake and as many from the others."""

_OWNERS: Final = {"tickets.v1": "intake", "assignments.v1": "routing", "sla.v1": "sla"}

# At the same moment the cause stands before its consequences: intake, routing, sla.
_STATEMENT: Final[LiteralString] = """
SELECT topic, version, type, occurred_at, recorded_at, actor_kind, actor_id, actor_name, via, correlation_id,
       causation_id, changes, raw,
       array_position(ARRAY['tickets.v1', 'assignments.v1', 'sla.v1'], topic) AS place
FROM timeline
WHERE stream_id = %(ticket_id)s
  AND (%(until)s::timestamptz IS NULL OR occurred_at <= %(until)s)
  AND (%(at)s::timestamptz IS NULL
       OR (occurred_at, array_position(ARRAY['tickets.v1', 'assignments.v1', 'sla.v1'], topic), version)
          > (%(at)s, %(place)s, %(version)s))
ORDER BY occurred_at, place, version LIMIT %(limit)s
"""


async def timeline(
    pool: Pool,
    ticket_id: UUID,
    *,
    limit: int = LIMIT_MAX,
    after: str | None = None,
    until: datetime | None = None,
) -> dict[str, Any]:
    """Every event of one ticket in the order in which it happened. Only for those who see internal facts.

    A fact that became known late stands where it belongs; its `recorded_at` tells when we learned of it.

    Args:
        pool: connections.
        ticket_id: whose.
        limit: entries of a page.
        after: where the page begins.
        until: leaves out what happened later.

    Raises:
        Invalid: `after` is not a cursor of this ticket's timeline.
    """
    scope = f"timeline:{ticket_id}"
    at, place, version = (
        cursor.decode(after, tuple[datetime, int, int], scope=scope)
        if after
        else (None, None, None)
    )
    values = {
        "ticket_id": ticket_id,
        "until": until,
        "at": at,
        "place": place,
        "version": version,
        "limit": limit + 1,
    }
    async with pool.connection() as connection:
        rows = await (await connection.execute(_STATEMENT, values)).fetchall()
    page, following = rows[:limit], None
    if len(rows) > limit:
        last = page[-1]
        following = cursor.encode(
            (last["occurred_at"], last["place"], last["version"]), scope=scope
        )
    return {"events": [_entry(ticket_id, row) for row in page], "next": following}


def _entry(ticket_id: UUID, row: dict[str, Any]) -> dict[str, Any]:
    owner = _OWNERS[row["topic"]]
    actor = {"kind": row["actor_kind"], "id": row["actor_id"], "name": row["actor_name"]}
    return {
        "event_id": f"{owner}:{ticket_id}:{row['version']}",
        "owner": owner,
        "version": row["version"],
        "type": row["type"],
        "occurred_at": row["occurred_at"],
        "recorded_at": row["recorded_at"],
        "actor": actor,
        "channel": row["via"],
        "sentence": f"{actor['name'] or actor['id']} {sentence(row['type'], row['raw'])}",
        "changes": [
            {"field": field, "old": old, "new": new} for field, (old, new) in row["changes"].items()
        ],
        "correlation_id": row["correlation_id"],
        "causation_id": row["causation_id"],
        "data": _without_address(row["raw"]),
    }


def _without_address(raw: dict[str, Any]) -> dict[str, Any]:
    """The event as it is, but for the address it came from: that is for supervisors, in the audit."""
    actor = {name: value for name, value in raw["actor"].items() if name != "ip"}
    return {**raw, "actor": actor}
