"""How old an answer may be: said with every answer, so that nothing is stale in secret."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, LiteralString

from services.query.views.pools import Pool

CONSUMER: Final = "query"
"""The name under which this service's consumer keeps its positions."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """Everything that a service had acknowledged before `as_of` is in the projections.

    Attributes:
        as_of: None until Kafka and the projections have been compared once.
        behind: events published and not yet projected at that comparison.
        position: events projected so far, of all topics; grows with every one.
    """

    as_of: datetime | None = None
    behind: int = 0
    position: int = 0

    def seconds(self, now: datetime | None = None) -> float | None:
        """The age of the answer's knowledge in seconds; None when nobody knows."""
        if self.as_of is None:
            return None
        return max(((now or datetime.now(UTC)) - self.as_of).total_seconds(), 0.0)


_PROGRESS: Final[LiteralString] = """
SELECT p.topic, p.partition, p.position, f.last_recorded_at
FROM consumer_positions AS p LEFT JOIN freshness AS f USING (topic, partition)
WHERE p.consumer = %s
"""

_POSITION: Final[LiteralString] = (
    "SELECT coalesce(sum(position), 0)::bigint AS position FROM consumer_positions WHERE consumer = %s"
)

_NEVER: Final = datetime.fromtimestamp(0, UTC)

Slot = tuple[str, int]


async def measure(
    pool: Pool, ends: dict[Slot, int], looked_at: datetime, whole_at: dict[Slot, datetime]
) -> Freshness:
    """Compare the projections with Kafka.

    Args:
        pool: connections.
        ends: topic (without prefix) and partition → the offset after its last event, asked at `looked_at`.
        looked_at: a moment before `ends` was asked, by which all that was stored had been published.
        whole_at: partition → the last look at which nothing of it was missing; kept up to date here.

    Returns:
        With everything applied the answer is as of `looked_at`. Else as of the partition that is furthest back: its
        newest event applied, or the last look at which it was whole, whichever is later (a partition may have been
        quiet for hours before the one event that is under way).
    """
    async with pool.connection() as connection:
        rows = await (await connection.execute(_PROGRESS, (CONSUMER,))).fetchall()
    applied = {(row["topic"], row["partition"]): row for row in rows}
    behind, as_of = 0, looked_at
    for slot, end in ends.items():
        row = applied.get(slot)
        missing = end - (row["position"] if row else 0)
        if missing > 0:
            behind += missing
            last = (row["last_recorded_at"] if row else None) or _NEVER
            as_of = min(as_of, max(last, whole_at.get(slot, _NEVER)))
        else:
            whole_at[slot] = looked_at
    return Freshness(as_of, behind, sum(row["position"] for row in rows))


async def position_now(pool: Pool) -> int:
    """Events projected so far, of all topics: what is read after this has at least these in it."""
    async with pool.connection() as connection:
        row = await (await connection.execute(_POSITION, (CONSUMER,))).fetchone()
    return row["position"] if row else 0
