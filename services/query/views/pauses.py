"""The pauses of a ticket's clocks: who stopped them, when, how long, and whether the customer was waiting for us."""

from typing import Any, Final, LiteralString
from uuid import UUID

from services.query.views.pools import Pool

PAUSES_MAX: Final = 1_000
"""A ticket whose clocks stood still more often has a robot at work; the newest are told."""

_PAUSES: Final[LiteralString] = """
SELECT metric, cycle, started_at, ended_at, is_open, paused_seconds, paused_by_kind, paused_by, paused_by_name, cause,
       category AS status, answered_at, is_unfounded
FROM sla_pauses WHERE ticket_id = %s ORDER BY started_at DESC, metric, cycle LIMIT %s
"""


async def pauses_of(pool: Pool, ticket_id: UUID) -> dict[str, Any]:
    """Every pause, newest first, and per metric what was lost in unfounded ones. For those who see internal facts.

    `paused_seconds` are seconds of the clock's calendar; null while the pause lasts. Unfounded: the ticket was set to
    pending though the last word was the customer's, who got no answer within the minute. `lost_seconds` counts those
    that are over.
    """
    async with pool.connection() as connection:
        rows = await (await connection.execute(_PAUSES, (ticket_id, PAUSES_MAX))).fetchall()
    lost: dict[str, float] = {}
    for row in rows:
        if row["is_unfounded"]:
            lost[row["metric"]] = lost.get(row["metric"], 0.0) + (row["paused_seconds"] or 0.0)
    return {"pauses": rows, "lost_seconds": lost}
