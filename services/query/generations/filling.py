"""Filling a generation: from where it stands up to what the live one has, batch by batch, each resumable."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from aiokafka import AIOKafkaConsumer

from services.query.generations import state
from services.query.generations.state import builder_of
from services.query.projections import Projections
from services.query.projections.groups import Group
from services.query.settings import Settings
from services.query.views.freshness import CONSUMER
from shared.database import Database, Transaction
from shared.messaging.applying import Applying
from shared.messaging.lanes import Share
from shared.messaging.positions import Positions, Slot
from shared.messaging.reading import Reading

CLIENT: Final = "query-generations"
"""What its readers call themselves to Kafka."""

_FETCH_TRIES: Final = 30


class Standing:
    """Where the builder and the live generation are: next offsets by partition."""

    def __init__(self, own: dict[Slot, int], target: dict[Slot, int]) -> None:
        self.own = own
        self.target = target

    @classmethod
    def read(cls, tx: Transaction, group: Group) -> "Standing":
        """As it is now. The live ones are read before any batch, so a row here is never newer than a live one."""
        own = state.positions(tx, builder_of(group), group)
        return cls(own, state.positions(tx, CONSUMER, group))

    @property
    def done(self) -> int:
        """Events that the builder has passed."""
        return sum(self.own.values())

    @property
    def total(self) -> int:
        """Events that the live generation has."""
        return sum(self.target.values())

    def missing(self, part: int = 0, parts: int = 1) -> dict[Slot, int]:
        """How many events the builder lacks, in partitions whose number divided by `parts` leaves `part`."""
        return {
            slot: position - self.own.get(slot, 0)
            for slot, position in self.target.items()
            if slot[1] % parts == part and self.own.get(slot, 0) < position
        }


class Filling:
    """Reads partitions of some numbers and applies them; nobody else writes of the tickets in them.

    Args:
        settings: those of the service.
        store: looks into the schema of the new generation first.
        reader: started; this alone uses it.
        group: which tables.
        part: which partition numbers, of `parts`: those that leave this when divided.
        parts: among how many the partitions are shared out.
        guard: called first in each transaction that applies a batch.
    """

    def __init__(
        self,
        settings: Settings,
        store: Database,
        reader: AIOKafkaConsumer,
        group: Group,
        *,
        part: int = 0,
        parts: int = 1,
        guard: Callable[[Transaction], None] = lambda _tx: None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._reading = Reading(
            reader, topic_prefix=settings.topic_prefix, batch_max=settings.consumer_batch_max
        )
        self._group = group
        self._part, self._parts = part, parts
        self._guard = guard
        consumer = builder_of(group)
        self._positions = Positions(consumer)
        self._applying = Applying(consumer, Projections([group]), settings.topic_prefix)

    async def fill(self, told: Callable[[int, int], None] = lambda _done, _total: None) -> None:
        """Read until less than a batch is missing of what the live generation has.

        Args:
            told: hears after every batch how many events are passed, and of how many.

        Raises:
            TimeoutError: Kafka does not give what is missing.
        """
        standing = await self._transact(self._look)
        self.place(standing)
        tries, has_begun = 0, False
        while True:
            told(standing.done, standing.total)
            missing = standing.missing(self._part, self._parts)
            enough = self._settings.consumer_batch_max if has_begun else 1
            if sum(missing.values()) < enough:
                return
            records = await self.fetch(standing, missing)
            if records:
                tries, has_begun = 0, True
                standing = await self._transact(partial(self._apply_and_look, records, standing))
            else:
                tries = self.tried(tries, missing)
                standing = await self._transact(self._look)

    @staticmethod
    def tried(tries: int, missing: Mapping[Slot, int]) -> int:
        """Count a try that brought nothing.

        Raises:
            TimeoutError: it was one too many.
        """
        if tries >= _FETCH_TRIES:
            said = ", ".join(f"{topic}/{number}: {n}" for (topic, number), n in missing.items())
            raise TimeoutError(f"Kafka does not give what is missing: {said}")
        return tries + 1

    def place(self, standing: Standing) -> None:
        """Read on from where the builder stands."""
        own = [slot for slot in standing.target if slot[1] % self._parts == self._part]
        self._reading.place({slot: standing.own.get(slot, 0) for slot in own})

    async def fetch(self, standing: Standing, missing: Mapping[Slot, int]) -> Share[Any]:
        """The next records that the live generation has, at most a batch; in order within each partition."""
        if not self._reading.reads(missing):
            self.place(standing)
        return await self._reading.fetch(missing, standing.target)

    def apply(self, tx: Transaction, records: Share[Any], standing: Standing) -> dict[Slot, int]:
        """Apply; returns the positions that follow."""
        after = {slot: raws[-1].offset + 1 for slot, raws in records.items()}
        self._positions.advance(
            tx, {slot: (standing.own.get(slot, 0), position) for slot, position in after.items()}
        )
        applied = self._applying.apply(tx, [raw for raws in records.values() for raw in raws])
        tx.cursor.execute(
            "UPDATE generations SET event_count = event_count + %s WHERE name = %s AND state = 'building'",
            (len(applied.events), self._group),
        )
        return after

    def _apply_and_look(self, records: Share[Any], standing: Standing, tx: Transaction) -> Standing:
        self._guard(tx)
        # Nobody reads these tables yet, and the position is lost with the rows: the switch's commit makes both last.
        tx.cursor.execute("SET LOCAL synchronous_commit = off")
        self.apply(tx, records, standing)
        return self._look(tx)

    def _look(self, tx: Transaction) -> Standing:
        return Standing.read(tx, self._group)

    async def _transact(self, work: Callable[[Transaction], Standing]) -> Standing:
        return await asyncio.to_thread(self._store.transact, work)
