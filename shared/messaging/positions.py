"""Where a consumer stands in each partition: moved by compare-and-set, in the transaction of the effects."""

from collections.abc import Collection, Mapping

from shared.database import Transaction
from shared.topics import Topic

Slot = tuple[Topic, int]
"""A topic and a partition."""


class Fenced(Exception):  # it is a fact about us
    """Somebody else moved the position: this process no longer owns the partition and has changed nothing."""


class Positions:
    """The next offset to apply of each partition, for one consumer."""

    def __init__(self, consumer: str) -> None:
        self._consumer = consumer

    def load(self, tx: Transaction, slots: Collection[Slot]) -> dict[Slot, int]:
        """The positions of these partitions; 0 for one never read."""
        tx.cursor.execute(
            "SELECT topic, partition, position FROM consumer_positions WHERE consumer = %s",
            (self._consumer,),
        )
        known = {
            (Topic(row["topic"]), row["partition"]): row["position"] for row in tx.cursor.fetchall()
        }
        return {slot: known.get(slot, 0) for slot in slots}

    def last_records(self, tx: Transaction) -> dict[Slot, str]:
        """The id of the record before each position, where it is known."""
        tx.cursor.execute(
            "SELECT topic, partition, last_record FROM consumer_positions"
            " WHERE consumer = %s AND last_record IS NOT NULL",
            (self._consumer,),
        )
        return {
            (Topic(row["topic"]), row["partition"]): row["last_record"]
            for row in tx.cursor.fetchall()
        }

    def advance(
        self,
        tx: Transaction,
        moves: Mapping[Slot, tuple[int, int]],
        last_records: Mapping[Slot, str | None] | None = None,
    ) -> None:
        """Move each partition from the first to the second offset, all or none.

        Args:
            tx: the transaction of what was applied.
            moves: from and to.
            last_records: the id of the record before the new position, where there is one.

        Raises:
            Fenced: one of them is not where we left it.
        """
        # Sorted, so that two processes never wait for each other crosswise.
        ordered = sorted(moves.items())
        begun = [(slot, after) for slot, (before, after) in ordered if before == 0]
        moved = [(slot, before, after) for slot, (before, after) in ordered if before != 0]
        last = last_records or {}
        if begun:
            tx.cursor.execute(
                "INSERT INTO consumer_positions (consumer, topic, partition, position, last_record)"
                " SELECT %s, * FROM unnest(%s::text[], %s::int[], %s::bigint[], %s::text[])"
                " ON CONFLICT (consumer, topic, partition) DO UPDATE"
                " SET position = excluded.position, last_record = excluded.last_record"
                " WHERE consumer_positions.position = 0",
                (
                    self._consumer,
                    [topic.value for (topic, _), _ in begun],
                    [partition for (_, partition), _ in begun],
                    [after for _, after in begun],
                    [last.get(slot) for slot, _ in begun],
                ),
            )
            self._require(tx.cursor.rowcount, len(begun))
        if moved:
            tx.cursor.execute(
                # The rows are locked in this order by the subquery, then moved.
                "UPDATE consumer_positions AS p SET position = n.after, last_record = n.last_record FROM ("
                "  SELECT c.topic, c.partition, m.after, m.last_record FROM consumer_positions AS c"
                "  JOIN unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[], %s::text[])"
                "    AS m (topic, partition, before, after, last_record)"
                "    ON c.topic = m.topic AND c.partition = m.partition AND c.position = m.before"
                "  WHERE c.consumer = %s ORDER BY c.topic, c.partition FOR UPDATE OF c) AS n"
                " WHERE p.consumer = %s AND p.topic = n.topic AND p.partition = n.partition",
                (
                    [topic.value for (topic, _), _, _ in moved],
                    [partition for (_, partition), _, _ in moved],
                    [before for _, before, _ in moved],
                    [after for _, _, after in moved],
                    [last.get(slot) for slot, _, _ in moved],
                    self._consumer,
                    self._consumer,
                ),
            )
            self._require(tx.cursor.rowcount, len(moved))

    def _require(self, moved: int, wanted: int) -> None:
        if moved != wanted:
            raise Fenced(
                f"{self._consumer}: {wanted - moved} of {wanted} partitions were moved by somebody else"
            )
