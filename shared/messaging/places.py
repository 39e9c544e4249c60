"""What a reader knows of its places in the log: the next offset of each partition, and the record before it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from shared.database import Transaction
from shared.messaging.positions import Positions, Slot
from shared.messaging.records import id_of


class LogReplaced(Exception):
    """The log ends before our position, or has another record before it: the topic was made anew.

    What is in it below our position would pass for applied.
    """


class Places:
    """The positions of the database as this process last saw them, with the id of the record before each.

    Attributes:
        next: the offset to apply next, by partition.
    """

    def __init__(self, positions: Positions) -> None:
        self.next: dict[Slot, int] = {}
        self._before: dict[Slot, str] = {}
        self._positions = positions

    def load(
        self, tx: Transaction, slots: Collection[Slot]
    ) -> tuple[dict[Slot, int], dict[Slot, str | None]]:
        """What the database says of these partitions; for `note`, when the transaction has ended."""
        before = self._positions.last_records(tx)
        return self._positions.load(tx, slots), {slot: before.get(slot) for slot in slots}

    def note(self, next_: Mapping[Slot, int], before: Mapping[Slot, str | None]) -> None:
        """Take these for what the database has."""
        self.next.update(next_)
        for slot, record in before.items():
            if record is None:
                self._before.pop(slot, None)
            else:
                self._before[slot] = record

    def forget(self, slots: Collection[Slot]) -> None:
        """The database is asked again before the next batch."""
        for slot in slots:
            self.next.pop(slot, None)
            self._before.pop(slot, None)

    def require_the_same_log(self, slots: Mapping[Slot, Sequence[Any]]) -> None:
        """Where the record before our position comes along, it must be the one that was read.

        Raises:
            LogReplaced: it is another one.
        """
        for slot, raws in slots.items():
            expected, before = self._before.get(slot), self.next[slot] - 1
            if expected is None or not raws[0].offset <= before <= raws[-1].offset:
                continue
            for raw in raws:
                if raw.offset == before and (found := id_of(raw)) != expected:
                    raise LogReplaced(
                        f"{slot[0]}/{slot[1]} has {found} at {before}, where we have read {expected}"
                    )
