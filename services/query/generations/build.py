"""Building a generation: from offset zero beside the live one, never ahead of it, resumable at every batch."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import psycopg
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.query.generations import shape, state, switch
from services.query.generations.state import LIVE, NEXT, OLD, builder_of, generations, live_number
from services.query.projections import Projections
from services.query.projections.groups import Group
from services.query.settings import Settings
from services.query.views.freshness import CONSUMER
from shared.database import Database, Transaction
from shared.messaging.applying import Applying
from shared.messaging.lanes import Share
from shared.messaging.parking import Parking
from shared.messaging.positions import Positions, Slot
from shared.topics import Topic

log = structlog.get_logger(__name__)

_LOCK_MS: Final = 300
"""Readers of the live tables wait no longer than this for an attempt to exchange them."""

_POSITIONS_LOCK_MS: Final = 10_000
_SWITCH_ATTEMPTS_MAX: Final = 200
_PAUSE_SECONDS: Final = 0.5
_FETCH_MS: Final = 1_000
_FETCH_TRIES: Final = 30
_FETCH_BYTES_MAX: Final = 16 * 1024 * 1024
_PARTITION_FETCH_BYTES_MAX: Final = 256 * 1024
"""Compressed, some thousand events of each partition: enough for a whole batch of one partition number."""


class NotPrepared(Exception):
    """The database lacks the schemas for other generations; preparing the servers (bootstrap) makes them."""


class AlreadyBuilding(Exception):
    """Another process builds a generation now."""


class Differs(Exception):
    """Rows or figures are not those of the live generation; nothing was switched. `lines` say what."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = tuple(lines)


class Progress(msgspec.Struct, frozen=True):
    """How far it is: events passed, of those that the live generation has; what is being done."""

    group: Group
    number: int
    stage: str
    done: int
    total: int
    is_resumed: bool = False
    differences: dict[str, int] = {}


async def rebuild(
    settings: Settings,
    group: Group,
    told: Callable[[Progress], None],
    *,
    accept_differences: bool = False,
) -> Progress:
    """Build the group's next generation and switch to it.

    Killed at any moment, the next call goes on where the last batch was committed; only a migration of these tables
    in between makes it begin anew. Live reads go on throughout; live projecting rests while the last events are
    caught up and the tables exchanged.

    Args:
        settings: those of the service.
        group: which tables.
        told: called after every batch and at every stage.
        accept_differences: switch also when rows or figures differ: the live ones were wrong.

    Raises:
        NotPrepared: see there.
        AlreadyBuilding: see there.
        Differs: and `accept_differences` is False.
    """
    store = Database(settings, schema=LIVE, ahead=NEXT)
    store.open()
    try:
        async with _alone(store), _reader(settings) as reader:
            return await _Build(settings, store, reader, group, told).run(
                accept_differences=accept_differences
            )
    finally:
        await store.close()


@asynccontextmanager
async def _alone(store: Database) -> AsyncIterator[None]:
    """Held by the session, so it ends with the process, however that ends."""
    connection = await store.connect()
    async with connection:
        found = await connection.execute(
            "SELECT pg_try_advisory_lock(hashtext('generations'), 0) AS mine"
        )
        row = await found.fetchone()
        if row is None or not row["mine"]:
            raise AlreadyBuilding("another process builds a generation now")
        yield


@asynccontextmanager
async def _reader(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        client_id=f"query-generations-{settings.instance}",
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="none",
        fetch_max_bytes=_FETCH_BYTES_MAX,
        max_partition_fetch_bytes=_PARTITION_FETCH_BYTES_MAX,
        fetch_max_wait_ms=100,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


class _Build:
    def __init__(
        self,
        settings: Settings,
        store: Database,
        reader: AIOKafkaConsumer,
        group: Group,
        told: Callable[[Progress], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._reader = reader
        self._group = group
        self._told = told
        self._consumer = builder_of(group)
        self._positions = Positions(self._consumer)
        self._own: dict[Slot, int] = {}
        self._applying = Applying(self._consumer, Projections([group]), settings.topic_prefix)
        self._progress = Progress(group, 0, "preparing", 0, 0)

    async def run(self, *, accept_differences: bool) -> Progress:
        await asyncio.to_thread(self._store.transact, self._prepare)
        await self._fill("filling")
        stage = await asyncio.to_thread(self._store.transact, self._stage)
        if stage == "filling":
            self._tell(stage="indexing")
            await asyncio.to_thread(self._store.transact, self._index)
            await self._fill("catching up")
        loop = asyncio.get_running_loop()
        for _ in range(_SWITCH_ATTEMPTS_MAX):
            self._tell(stage="checking")
            if await asyncio.to_thread(self._switch, loop, accept_differences):
                self._tell(stage="switched")
                return self._progress
            self._tell(stage="waiting for long readers")
            await asyncio.sleep(_PAUSE_SECONDS)
            await self._fill("catching up")
        raise TimeoutError(
            "somebody reads the live tables all the time; they could not be exchanged"
        )

    def _tell(self, **changes: Any) -> None:
        self._progress = msgspec.structs.replace(self._progress, **changes)
        self._told(self._progress)

    def _prepare(self, tx: Transaction) -> None:
        """Begin, or find what was begun."""
        for schema in (NEXT, OLD):
            row = tx.cursor.execute("SELECT to_regnamespace(%s) AS oid", (schema,)).fetchone()
            if row is None or row["oid"] is None:
                raise NotPrepared(f"schema {schema} is missing; prepare the servers once more")
        found = generations(tx, self._group)
        building, now = found.get("building"), shape.shape_of(tx, self._group)
        if building and building.shape == now and shape.exists(tx, NEXT, self._group):
            self._progress = Progress(
                self._group, building.number, "filling", 0, 0, is_resumed=True
            )
            return
        tx.cursor.execute(
            "DELETE FROM generations WHERE name = %s AND state = 'building'", (self._group,)
        )
        switch.forget_builder(tx, self._group)
        shape.make_tables(tx, self._group)
        number = 1 + max([live_number(found), *(each.number for each in found.values())])
        tx.cursor.execute(
            "INSERT INTO generations (name, number, state, stage, shape) VALUES (%s, %s, 'building', 'filling', %s)",
            (self._group, number, now),
        )
        self._progress = Progress(self._group, number, "filling", 0, 0)

    def _stage(self, tx: Transaction) -> str:
        return generations(tx, self._group)["building"].stage

    def _index(self, tx: Transaction) -> None:
        shape.make_indexes(tx, self._group)
        tx.cursor.execute(
            "UPDATE generations SET stage = 'indexed' WHERE name = %s AND state = 'building'",
            (self._group,),
        )

    def _look(self, tx: Transaction) -> tuple[dict[Slot, int], dict[Slot, int]]:
        """Own positions, and those of the live generation: read before the batch, so a row here is never older."""
        own = state.positions(tx, self._consumer, self._group)
        return own, state.positions(tx, CONSUMER, self._group)

    async def _fill(self, stage: str) -> None:
        """Read until less than a batch is missing of what the live generation has; in lanes, side by side.

        Raises:
            Exception: what the first lane failed with; what the others applied stands, and the next build finds it.
        """
        self._own, target = await asyncio.to_thread(self._store.transact, self._look)
        self._place(self._own, target)
        lanes = range(self._settings.consumer_lanes)
        for outcome in await asyncio.gather(
            *(self._fill_lane(stage, lane) for lane in lanes), return_exceptions=True
        ):
            if outcome is not None:
                raise outcome

    async def _fill_lane(self, stage: str, lane: int) -> None:
        """What stands in partitions of every so-manieth number: nobody else writes of these tickets."""
        tries, has_begun = 0, False
        while True:
            _, target = await asyncio.to_thread(self._store.transact, self._look)
            missing = {
                slot: count
                for slot, count in _missing(self._own, target).items()
                if slot[1] % self._settings.consumer_lanes == lane
            }
            done, total = sum(self._own.values()), sum(target.values())
            self._tell(stage=stage, done=done, total=total)
            if not missing or (
                has_begun and sum(missing.values()) < self._settings.consumer_batch_max
            ):
                return
            records = await self._fetch(self._own, target, missing)
            if not records:
                tries += 1
                if tries > _FETCH_TRIES:
                    raise TimeoutError(f"Kafka does not give what is missing: {_said(missing)}")
                continue
            tries, has_begun = 0, True
            self._own |= await asyncio.to_thread(
                self._store.transact, lambda tx, r=records: self._apply(tx, r, self._own)
            )

    def _place(self, own: dict[Slot, int], target: dict[Slot, int]) -> None:
        self._reader.assign([self._partition(slot) for slot in target])
        for slot in target:
            self._reader.seek(self._partition(slot), own.get(slot, 0))

    async def _fetch(
        self, own: dict[Slot, int], target: dict[Slot, int], missing: Mapping[Slot, int]
    ) -> Share[Any]:
        """The next records that the live generation has, at most a batch; in order within each partition."""
        assigned = self._reader.assignment()
        if any(self._partition(slot) not in assigned for slot in target):
            self._place(own, target)
        got = await self._take(missing)
        records: Share[Any] = {}
        for partition, raws in got.items():
            slot = self._slot(partition)
            known = [raw for raw in raws if raw.offset < target[slot]]
            if known:
                records[slot] = known
            if len(known) < len(raws):
                self._reader.seek(partition, raws[len(known)].offset)
        return records

    async def _take(self, missing: Mapping[Slot, int]) -> dict[TopicPartition, list[Any]]:
        """Records that are here already, partition number by number; or else the first that come.

        Of each topic in proportion to what it has: so all that is told of a ticket comes in few batches, and its row
        is written as few times.
        """
        left = self._settings.consumer_batch_max
        got: dict[TopicPartition, list[Any]] = {}
        for number in sorted({slot[1] for slot in missing}):
            some = [slot for slot in missing if slot[1] == number]
            share = left / sum(missing[slot] for slot in some)
            for slot in some:
                got |= await self._reader.getmany(
                    self._partition(slot), max_records=math.ceil(missing[slot] * share)
                )
            left = self._settings.consumer_batch_max - sum(map(len, got.values()))
            if left <= 0:
                break
        return got or await self._reader.getmany(
            *map(self._partition, missing),
            timeout_ms=_FETCH_MS,
            max_records=self._settings.consumer_batch_max,
        )

    def _apply(self, tx: Transaction, records: Share[Any], own: dict[Slot, int]) -> dict[Slot, int]:
        """Apply; returns the positions that follow."""
        after = {slot: raws[-1].offset + 1 for slot, raws in records.items()}
        self._positions.advance(
            tx, {slot: (own.get(slot, 0), position) for slot, position in after.items()}
        )
        applied = self._applying.apply(tx, [raw for raws in records.values() for raw in raws])
        tx.cursor.execute(
            "UPDATE generations SET event_count = event_count + %s WHERE name = %s AND state = 'building'",
            (len(applied.events), self._group),
        )
        return after

    # The switch: one transaction, in a worker thread; Kafka is asked in the loop meanwhile.

    def _switch(self, loop: asyncio.AbstractEventLoop, accept_differences: bool) -> bool:
        """False: somebody read for too long; nothing has happened."""

        def work(tx: Transaction) -> int:
            self._catch_up(tx, loop)
            differences = switch.touch_differences(tx, self._group)
            # Whoever moves a live position waits from here on; batches under way end first.
            tx.cursor.execute(f"SET LOCAL lock_timeout = {_POSITIONS_LOCK_MS}")
            tx.cursor.execute("LOCK TABLE consumer_positions IN SHARE ROW EXCLUSIVE MODE")
            tx.cursor.execute("SET LOCAL lock_timeout = 0")
            self._catch_up(tx, loop)
            self._check(tx, accept_differences=accept_differences)
            switch.exchange(tx, self._group, lock_ms=_LOCK_MS)
            self._progress = msgspec.structs.replace(self._progress, differences=differences)
            return switch.note_switch(tx, self._group, differences)

        try:
            self._store.transact(work)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            log.info("generation_waits", group=self._group, reason=str(error).partition("\n")[0])
            return False
        return True

    def _catch_up(self, tx: Transaction, loop: asyncio.AbstractEventLoop) -> None:
        own, target = self._look(tx)
        asyncio.run_coroutine_threadsafe(self._placed(own, target), loop).result()
        tries = 0
        while _missing(own, target):
            records = asyncio.run_coroutine_threadsafe(
                self._fetch(own, target, _missing(own, target)), loop
            ).result()
            tries = 0 if records else tries + 1
            if tries > _FETCH_TRIES:
                raise TimeoutError(
                    f"Kafka does not give what is missing: {_said(_missing(own, target))}"
                )
            if records:
                own |= self._apply(tx, records, own)
        self._progress = msgspec.structs.replace(
            self._progress, done=sum(own.values()), total=sum(target.values())
        )

    async def _placed(self, own: dict[Slot, int], target: dict[Slot, int]) -> None:
        self._place(own, target)

    def _check(self, tx: Transaction, *, accept_differences: bool) -> None:
        now = shape.shape_of(tx, self._group)
        if generations(tx, self._group)["building"].shape != now:
            raise Differs(
                ["a migration has changed the live tables meanwhile; run it again, it begins anew"]
            )
        live, new = (Parking(name).count(tx) for name in (CONSUMER, self._consumer))
        lines = switch.compare(tx, self._group)
        if live or new:
            lines.append(
                f"{live} streams are parked in the live generation, {new} in the new one: decide about them first"
                " (ticketing parked list)"
            )
            raise Differs(lines)
        if lines and not accept_differences:
            raise Differs(lines)
        if lines:
            switch.refuse_old_cursors(tx)

    def _slot(self, of: Any) -> Slot:
        return Topic(of.topic.removeprefix(self._settings.topic_prefix)), of.partition

    def _partition(self, slot: Slot) -> TopicPartition:
        return TopicPartition(self._settings.topic_prefix + slot[0], slot[1])


def _missing(own: dict[Slot, int], target: dict[Slot, int]) -> dict[Slot, int]:
    return {
        slot: position - own.get(slot, 0)
        for slot, position in target.items()
        if own.get(slot, 0) < position
    }


def _said(missing: dict[Slot, int]) -> str:
    return ", ".join(
        f"{topic}/{partition}: {count}" for (topic, partition), count in missing.items()
    )
