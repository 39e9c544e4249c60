"""Batches of Kafka records: effects and positions in one PostgreSQL transaction, each event once."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import structlog

from shared.database import Database, Transaction
from shared.messaging.applying import Applied, Applying
from shared.messaging.lanes import Share, share_out, side_by_side
from shared.messaging.places import Places
from shared.messaging.positions import Positions, Slot
from shared.messaging.records import id_of
from shared.observability import metrics
from shared.topics import Topic

log = structlog.get_logger(__name__)


class Batches:
    """Applies what is read, whoever reads it.

    Args:
        name: the owner of positions.
        topic_prefix: of the installation.
        store: where positions are, and what follows from the records.
        applying: handles records inside a transaction.
        tell: hears of each share after its commit, in the thread that called `apply`.
        lanes: transactions side by side when a batch is large.

    Attributes:
        places: the positions, as this process last saw them.
        applying: see above.
    """

    def __init__(
        self,
        name: str,
        *,
        topic_prefix: str,
        store: Database,
        applying: Applying,
        tell: Callable[[Applied], None],
        lanes: int = 1,
    ) -> None:
        self._name = name
        self._topic_prefix = topic_prefix
        self._store = store
        self._tell = tell
        self._lanes = lanes
        self.applying = applying
        self._positions = Positions(name)
        self.places = Places(self._positions)

    def apply(
        self, raw_records: Sequence[Any], begun: Mapping[Slot, int | None]
    ) -> dict[Slot, int]:
        """Apply one batch, or say to which offsets reading must go back first because a record is missing.

        Args:
            raw_records: in ascending order within each partition.
            begun: where reading was told to begin this batch, of partitions in which it was told so.

        Raises:
            Fenced: another process has moved one of the positions; nothing was applied.
            LogReplaced: this is not the log that was read.
        """
        slots: dict[Slot, list[Any]] = {}
        for raw in raw_records:
            slots.setdefault(self.slot_of(raw), []).append(raw)
        if unknown := slots.keys() - self.places.next.keys():
            self.places.note(*self.load(unknown))
        self.places.require_the_same_log(slots)
        if any(self._is_missing(slot, raws[0].offset, begun) for slot, raws in slots.items()):
            return {slot: self.places.next[slot] for slot in slots}
        fresh: dict[Slot, Sequence[Any]] = {}
        for slot, raws in slots.items():
            position = self.places.next[slot]
            if news := [raw for raw in raws if raw.offset >= position]:
                fresh[slot] = news
        if fresh:
            with metrics.CONSUMER_BATCH_SECONDS.labels(self._name).time():
                shares = share_out(fresh, self._lanes)
                outcomes = side_by_side(self._apply_share, shares, lanes=self._lanes)
            self._conclude(shares, outcomes)
        return {}

    def load(self, slots: Collection[Slot]) -> tuple[dict[Slot, int], dict[Slot, str | None]]:
        """The positions of the database, and the records before them; see `Places.load`. Blocks."""
        return self._store.transact(lambda tx: self.places.load(tx, slots))

    def slot_of(self, of: Any) -> Slot:
        """The partition of a record, or of anything else with a topic."""
        return Topic(of.topic.removeprefix(self._topic_prefix)), of.partition

    def _apply_share(self, share: Share[Any]) -> Applied:
        """One transaction: the positions of these partitions and all that follows from their records."""
        moves = {
            slot: (self.places.next[slot], raws[-1].offset + 1) for slot, raws in share.items()
        }
        last = {slot: id_of(raws[-1]) for slot, raws in share.items()}
        raws = [raw for some in share.values() for raw in some]

        def work(tx: Transaction) -> Applied:
            self._positions.advance(tx, moves, last)
            return self.applying.apply(tx, raws)

        return self._store.transact(work)

    def _conclude(
        self, shares: Sequence[Share[Any]], outcomes: Sequence[Applied | Exception]
    ) -> None:
        """Note and tell what was applied.

        Raises:
            Exception: the first that a share failed with; the next attempt passes over what the others applied.
        """
        failed: Exception | None = None
        for share, outcome in zip(shares, outcomes, strict=True):
            if isinstance(outcome, Exception):
                failed = failed or outcome
                continue
            self.places.note(
                {slot: raws[-1].offset + 1 for slot, raws in share.items()},
                {slot: id_of(raws[-1]) for slot, raws in share.items()},
            )
            self._tell(outcome)
        if failed is not None:
            raise failed

    def _is_missing(self, slot: Slot, first: int, begun: Mapping[Slot, int | None]) -> bool:
        """Whether records before `first` were passed over, rather than never written or not for us.

        When reading went back to exactly our position and the next record comes later all the same, the offsets
        between hold no record: markers of somebody's transactions, or what compaction left.
        """
        position = self.places.next[slot]
        if first <= position:
            return False
        if begun.get(slot) != position:
            return True
        log.warning(
            "consumer_passes_hole",
            consumer=self._name,
            topic=slot[0],
            partition=slot[1],
            position=position,
            next=first,
        )
        return False
