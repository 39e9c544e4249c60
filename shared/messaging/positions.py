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

    def advance(self, tx: Transaction, moves: Mapping[Slot, tuple[int, int]]) -> None:
        """Move each partition from the first to the second offset, all or none.

        Raises:
            Fenced: one of them is not where we left it.
        """
        # Sorted, so that two processes never wait for each other crosswise.
        for (topic, partition), (before, after) in sorted(moves.items()):
            if before == 0:
                tx.cursor.execute(
                    "INSERT INTO consumer_positions (consumer, topic, partition, position)"
                    " VALUES (%s, %s, %s, %s)"
                    " ON CONFLICT (consumer, topic, partition) DO UPDATE SET position = excluded.position"
                    " WHERE consumer_positions.position = 0",
                    (self._consumer, topic.value, partition, after),
                )
            else:
                tx.cursor.execute(
                    "UPDATE consumer_positions SET position = %s"
                    " WHERE consumer = %s AND topic = %s AND partition = %s AND position = %s",
                    (after, self._consumer, topic.value, partition, before),
                )
            if tx.cursor.rowcount != 1:
                raise Fenced(f"{self._consumer} {topic}/{partition} is no longer at {before}")
