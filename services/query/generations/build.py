"""Building a generation: from offset zero beside the live one, never ahead of it, resumable at every batch."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import msgspec
import psycopg
import structlog
from aiokafka import AIOKafkaConsumer

from services.query.generations import shape, switch
from services.query.generations.filling import CLIENT, Filling, Standing
from services.query.generations.processes import fill_side_by_side, keep_others_out
from services.query.generations.state import LIVE, NEXT, OLD, builder_of, generations, live_number
from services.query.projections.groups import Group
from services.query.settings import Settings
from services.query.views.freshness import CONSUMER
from shared.database import Database, Transaction
from shared.messaging.parking import Parking
from shared.messaging.reading import reader_of

R = TypeVar("R")
log = structlog.get_logger(__name__)

_LOCK_MS: Final = 300
"""Readers of the live tables wait no longer than this for an attempt to exchange them."""

_POSITIONS_LOCK_MS: Final = 10_000
_VACUUM_LOCK_MS: Final = 10_000
_SWITCH_ATTEMPTS_MAX: Final = 200
_PAUSE_SECONDS: Final = 0.5
_BATCHES_ALONE: Final = 10
"""So many are applied sooner than further processes are started."""


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
    on_switch: Callable[[Transaction, int], None] = lambda _tx, _number: None,
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
        on_switch: called within the switch's transaction, with the number of the generation that becomes live.

    Raises:
        NotPrepared: see there.
        AlreadyBuilding: see there.
        Differs: and `accept_differences` is False.
    """
    store = Database(settings, schema=LIVE, ahead=NEXT)
    store.open()
    try:
        async with _alone(store), reader_of(settings, CLIENT) as reader:
            return await _Build(settings, store, reader, group, told, on_switch).run(
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


class _Build:
    def __init__(
        self,
        settings: Settings,
        store: Database,
        reader: AIOKafkaConsumer,
        group: Group,
        told: Callable[[Progress], None],
        on_switch: Callable[[Transaction, int], None],
    ) -> None:
        self._on_switch = on_switch
        self._settings = settings
        self._store = store
        self._group = group
        self._told = told
        self._consumer = builder_of(group)
        self._filling = Filling(settings, store, reader, group)
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
        """Begin, or find what was begun; after the last batch of a build that was killed."""
        keep_others_out(tx)
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

    async def _fill(self, stage: str) -> None:
        """Read until less than a batch is missing of what the live generation has."""

        def told(done: int, total: int) -> None:
            self._tell(stage=stage, done=done, total=total)

        standing = await asyncio.to_thread(
            self._store.transact, lambda tx: Standing.read(tx, self._group)
        )
        if sum(standing.missing().values()) > _BATCHES_ALONE * self._settings.consumer_batch_max:
            await fill_side_by_side(self._settings, self._store, self._group, told)
        await self._filling.fill(told)

    # The switch: one transaction, in a worker thread; Kafka is asked in the loop meanwhile.

    def _switch(self, loop: asyncio.AbstractEventLoop, accept_differences: bool) -> bool:
        """False: somebody read for too long; nothing has happened."""

        def work(tx: Transaction) -> None:
            switch.keep_vacuum_out(tx, self._group, lock_ms=_VACUUM_LOCK_MS)
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
            self._on_switch(tx, switch.note_switch(tx, self._group, differences))

        try:
            self._store.transact(work)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            log.info("generation_waits", group=self._group, reason=str(error).partition("\n")[0])
            return False
        return True

    def _catch_up(self, tx: Transaction, loop: asyncio.AbstractEventLoop) -> None:
        standing = Standing.read(tx, self._group)
        self._in_loop(loop, self._placed(standing))
        tries = 0
        while missing := standing.missing():
            records = self._in_loop(loop, self._filling.fetch(standing, missing))
            if records:
                tries = 0
                standing.own |= self._filling.apply(tx, records, standing)
            else:
                tries = self._filling.tried(tries, missing)
        self._progress = msgspec.structs.replace(
            self._progress, done=standing.done, total=standing.total
        )

    @staticmethod
    def _in_loop(loop: asyncio.AbstractEventLoop, asked: Coroutine[Any, Any, R]) -> R:
        return asyncio.run_coroutine_threadsafe(asked, loop).result()

    async def _placed(self, standing: Standing) -> None:
        self._filling.place(standing)

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
