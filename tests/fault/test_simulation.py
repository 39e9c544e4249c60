"""Everything that may go wrong between a command and its effect, drawn from a seed, with the real parts.

Simulated are the clients, Kafka (partitions, doubles, holes, late records, offsets) and death. Real are PostgreSQL,
the event store, the group commit, the relay's publishing and the consumer's applying. A seed gives the same run:

    TICKETING_SIMULATION_SEED=17 pytest tests/fault/test_simulation.py     one run
    TICKETING_SIMULATION_SEEDS=500 pytest tests/fault/test_simulation.py   many runs
"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from random import Random
from typing import Any
from uuid import UUID

import psycopg
import pytest
from aiokafka.errors import KafkaError

from shared.database import CommitUnknown, Database
from shared.errors import Refused
from shared.events import Owner
from shared.eventstore import Claim, EventStore, GroupCommitter
from shared.eventstore.committer import _Member
from shared.messaging import Relay
from shared.messaging.positions import Fenced
from shared.topics import Topic
from tests.fault.test_simulation_kafka import Commits, Crash, Faults, Link, Log, Producer
from tests.integration.plumbing.conftest import Place, counting
from tests.integration.plumbing.readers import Table
from tests.support.database import fresh_database
from tests.support.events import noted, opened
from tests.support.servers import Servers

pytestmark = [pytest.mark.fault, pytest.mark.integration]

STEPS = 80
PARTITIONS = 3
TABLES = {
    "intake": ("intake_events", "claims"),
    "query": ("applied", "stream_versions", "consumer_positions", "held_events", "parked_events"),
}


def seeds() -> list[int]:
    if one := os.environ.get("TICKETING_SIMULATION_SEED"):
        return [int(one)]
    return list(range(int(os.environ.get("TICKETING_SIMULATION_SEEDS", "30"))))


class FaultyStore(Commits, EventStore[int]):
    """An event store whose process may die."""


class FaultyDatabase(Commits, Database):
    """A reader's database whose process may die."""


class Command:
    """What a client wants. With a key it asks until it is answered; without, once, and an outage leaves it in doubt."""

    def __init__(self, name: str, ticket: UUID, *, kind: str) -> None:
        self.name = name
        self.ticket = ticket
        self.kind = kind
        self.answer: dict[str, Any] | None = None

    @property
    def claim(self) -> Claim | None:
        return None if self.kind == "keyless" else Claim.of("client", self.name, self.name.encode())

    @property
    def is_done(self) -> bool:
        return self.answer is not None or self.kind == "keyless"

    def work(self, tx) -> dict[str, Any]:
        version = tx.version(self.ticket) + 1
        if self.kind == "open":
            assert version == 1, "opened twice"
            tx.append(opened(self.ticket, body=self.name))
        else:
            tx.append(noted(self.ticket, version, self.name))
        if self.kind == "refused":
            raise Refused("after all, no")
        return {"version": version}


class Reader:
    """A process of the reading service: what it believes to be its partitions, and where it fetches next."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.fetch: dict[int, int] = {}

    def assign(self, offsets: dict[int, int]) -> None:
        self.fetch = offsets
        self.table.consumer._sought.clear()

    def restart(self) -> None:
        self.table.database.is_dead = False
        self.table.consumer._batches.places.next.clear()
        self.assign({})


class World:
    """Two processes of the writing service with a relay each, two readers, one log, and a seed."""

    def __init__(self, seed: int, stores: list[FaultyStore], tables: list[Table]) -> None:
        self.random = Random(seed)
        self.faults = Faults(self.random, share=self.random.choice((0.02, 0.1, 0.25)))
        self.log = Log(self.faults, "sim." + Topic.TICKETS, PARTITIONS)
        self.stores = stores
        self.committers = [GroupCommitter(store, isolate=seed % 2 == 0) for store in stores]
        self.readers = [Reader(table) for table in tables]
        self.relays = [Relay(store=store, settings=store._settings) for store in stores]
        self.producers = [Producer(self.log, self.faults) for _ in stores]
        self.links: list[Link] = []
        self.committed: dict[int, int] = dict.fromkeys(range(PARTITIONS), 0)
        self.positions: dict[int, int] = {}
        self.published = 0
        self.commands: list[Command] = []
        for database in [*stores, *(table.database for table in tables)]:
            database.faults, database.is_dead = self.faults, False
        for store in stores:
            store._states.clear()
        for reader in self.readers:
            reader.restart()
            reader.table.poison.clear()

    async def run(self) -> None:
        connections = [await store.connect() for store in self.stores]
        try:
            self.links = [Link(connection, self.faults) for connection in connections]
            for relay, link in zip(self.relays, self.links, strict=True):
                await relay.find_position(link)
            self.rebalance()
            for _ in range(STEPS):
                await self.step()
            await self.calm_down()
        finally:
            for connection in connections:
                await connection.close()

    async def step(self) -> None:
        chance = self.random.random()
        if chance < 0.3:
            await self.ask(self.wishes())
        elif chance < 0.5:
            await self.publish(self.random.randrange(2))
        elif chance < 0.8:
            self.read(self.random.choice(self.readers), most=self.random.choice((1, 3, 20)))
        elif chance < 0.87:
            self.rebalance()
        elif chance < 0.9:
            self.log.let_late_arrive()
        elif chance < 0.94:
            self.fall_ill()
        else:
            self.retry_parked(self.random.choice(self.readers))
        self.check_positions()

    # The clients and the writing service.

    def wishes(self) -> list[Command]:
        """New ones, unanswered ones again, and answered ones once more."""
        wishes: list[Command] = []
        tickets = [one.ticket for one in self.commands if one.kind == "open" and one.answer]
        repeatable = [one for one in self.commands if one.kind != "keyless"]
        for _ in range(self.random.randint(1, 8)):
            if repeatable and self.random.random() < 0.3:
                wishes.append(self.random.choice(repeatable))
                continue
            kind = self.random.choice(("note", "note", "note", "keyless", "refused", "open"))
            if not tickets:
                kind = "open"
            ticket = UUID(int=self.random.getrandbits(128))
            if kind != "open":
                ticket = self.random.choice(tickets)
            wishes.append(Command(f"command {len(self.commands)}", ticket, kind=kind))
            self.commands.append(wishes[-1])
        return wishes

    async def ask(self, commands: list[Command]) -> None:
        """One group of requests, at one of the processes."""
        here = self.random.randrange(2)
        meddled = self.random.choice(commands) if self.faults.draw("meddle") else None
        if meddled is not None and meddled.claim is None:
            meddled = None  # asked twice without a key, it would rightly be done twice
        members = [self.member(one, 1 - here if one is meddled else None) for one in commands]
        self.committers[here]._commit(members)
        for command, member in zip(commands, members, strict=True):
            try:
                answer = (await member.future).result
            except (Crash, psycopg.OperationalError):
                continue  # no answer: the client will ask again
            except Refused:
                answer = {"version": None}
            assert command.answer in (None, answer), f"{command.name} got two different answers"
            command.answer = answer
        if self.stores[here].is_dead:
            self.restart_store(here)

    def member(self, command: Command, other: int | None) -> _Member:
        """A request; while its work runs, the other process may be asked the same, and be first."""
        is_first_run = True

        def work(tx):
            nonlocal is_first_run
            if other is not None and is_first_run:
                is_first_run = False
                self.committers[other]._commit([self.member(command, None)])
                if self.stores[other].is_dead:
                    self.restart_store(other)
            return command.work(tx)

        return _Member(work, [command.ticket], command.claim)

    def restart_store(self, index: int) -> None:
        self.stores[index].is_dead = False
        self.stores[index]._states.clear()

    # The relays: both may believe to lead.

    async def publish(self, index: int) -> None:
        relay, link = self.relays[index], self.links[index]
        try:
            await relay.publish_next(link, self.producers[index])
        except (Crash, KafkaError, psycopg.OperationalError):
            await relay.find_position(link)
        rows = await (await link.execute("SELECT notification_id FROM relay_position")).fetchall()
        assert rows[0]["notification_id"] >= self.published, "the relay's position went back"
        self.published = rows[0]["notification_id"]

    # The readers.

    def rebalance(self) -> None:
        """Partitions change hands; who does not notice goes on with what he had."""
        owner = {partition: self.random.choice(self.readers) for partition in range(PARTITIONS)}
        for reader in self.readers:
            if not self.faults.draw("does not notice"):
                reader.assign({one: self.begin(one) for one in owner if owner[one] is reader})

    def begin(self, partition: int) -> int:
        """Our own position; or Kafka's, when the database did not answer; or one that it has told long ago."""
        match self.faults.draw("Kafka's offset", "an older offset"):
            case "":
                return self.positions.get(partition, 0)
            case "Kafka's offset":
                return self.committed[partition]
            case _:
                return self.random.randint(0, self.committed[partition])

    def read(self, reader: Reader, most: int) -> bool:
        """One batch over all partitions the reader has. Returns whether there was anything."""
        consumer = reader.table.consumer
        batch: list[Any] = []
        ends: dict[int, int] = {}
        for partition, start in reader.fetch.items():
            records, ends[partition] = self.log.read(partition, start, most)
            batch += records
        if not batch:
            reader.fetch.update(ends)
            return any(ends[one] < len(self.log.partitions[one]) for one in ends)
        consumer._delivered(batch)
        if self.faults.draw("the batch is swallowed"):  # as FastStream does when something raises
            reader.fetch.update(ends)
            self.committed.update(ends)
            return True
        try:
            missing = consumer._apply_records(batch)
        except Crash:
            reader.restart()
            return True
        except (Fenced, psycopg.OperationalError):
            consumer._forget(batch)  # and the same batch once more
            return True
        if missing:
            for slot, position in missing.items():
                reader.fetch[slot[1]] = consumer._sought[slot] = position
            return True
        reader.fetch.update(ends)
        if not self.faults.draw("Kafka refuses the commit"):
            self.committed.update(ends)
        return True

    def fall_ill(self) -> None:
        """Some commands' events cannot be handled for a while; or they can again."""
        for reader in self.readers:
            reader.table.poison.clear()
        if self.commands and not self.faults.is_calm:
            sick = {one.name for one in self.random.choices(self.commands[-12:], k=4)}
            for reader in self.readers:
                reader.table.poison |= sick

    def retry_parked(self, reader: Reader) -> None:
        try:
            for parked in reader.table.consumer.parked():
                reader.table.consumer.retry_parked(parked.stream_id)
        except Crash:
            reader.restart()
        except CommitUnknown:
            return

    # The end.

    async def calm_down(self) -> None:
        """No more faults: everything must come to its end, and to the right one."""
        self.faults.is_calm = True
        self.fall_ill()
        for index in range(len(self.stores)):
            self.restart_store(index)
        while unanswered := [one for one in self.commands if not one.is_done]:
            await self.ask(unanswered)
        # everything once more: the first answers again
        await self.ask([one for one in self.commands if one.claim is not None])
        self.log.let_late_arrive()
        for relay, link, producer in zip(self.relays, self.links, self.producers, strict=True):
            await relay.find_position(link)
            while await relay.publish_next(link, producer):
                pass
        for reader in self.readers:
            reader.restart()
        self.rebalance()
        is_reading = True
        while is_reading:
            is_reading = False
            for reader in self.readers:
                is_reading |= self.read(reader, most=50)
        self.retry_parked(self.readers[0])
        self.check_positions()
        self.check_effects()

    def check_positions(self) -> None:
        """No position ever goes back."""
        for row in self._look("SELECT partition, position FROM consumer_positions"):
            assert row["position"] >= self.positions.get(row["partition"], 0), (
                "a position went back"
            )
            self.positions[row["partition"]] = row["position"]

    def check_effects(self) -> None:
        """Every command once in its stream, where its answer says; every event once in the table, in order."""
        stored: dict[UUID, list[str]] = {}
        for ticket in {one.ticket for one in self.commands}:
            history = self.stores[0].history(ticket)
            assert [event.version for event in history] == list(range(1, len(history) + 1))
            stored[ticket] = [event.body for event in history]
        counted = Counter(name for names in stored.values() for name in names)
        for command in self.commands:
            version = command.answer["version"] if command.answer else None
            if version is not None:
                assert stored[command.ticket][version - 1] == command.name, (
                    "acknowledged, and not there"
                )
                assert counted[command.name] == 1, "done more than once"
            elif command.answer is None:
                assert counted[command.name] <= 1, "in doubt, and done more than once"
            else:
                assert counted[command.name] == 0, "refused, and done"
        applied: dict[UUID, list[int]] = defaultdict(list)
        for row in self._look("SELECT stream_id, version FROM applied ORDER BY n"):
            applied[row["stream_id"]].append(row["version"])
        wanted = {ticket: list(range(1, len(bodies) + 1)) for ticket, bodies in stored.items()}
        assert applied == wanted, "the reader lost, doubled or reordered an event"
        assert self._look("SELECT * FROM held_events") == []
        assert self.readers[0].table.consumer.parked() == []

    def _look(self, query: str) -> list[dict[str, Any]]:
        with self.readers[0].table.database._sync.connection() as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def place(servers: Servers) -> Iterator[Place]:
    """One database for all runs; Kafka is in the runs themselves."""
    with fresh_database(servers.postgres) as made:
        yield Place(servers, {role: made.url(role) for role in ("intake", "query")}, "sim.")


@pytest.fixture(scope="module")
async def parts(place: Place):
    stores = []
    for instance in ("1", "2"):
        store = FaultyStore(
            place.settings("intake", instance, relay_batch_max=7),
            owner=Owner.INTAKE,
            evolve=counting,
        )
        store.faults = Faults(Random(0), share=0)
        store.open()
        store.migrate("shared.messaging")
        stores.append(store)
    tables = []
    for instance in ("1", "2"):
        database = FaultyDatabase(place.settings("query", instance), schema="query")
        database.faults = Faults(Random(0), share=0)
        tables.append(Table(place, instance, database))
    yield stores, tables
    for part in [*stores, *tables]:
        await part.close()


@pytest.mark.parametrize("seed", seeds())
async def test_every_accepted_command_has_its_effects_once_and_in_order(parts, seed: int):
    stores, tables = parts
    for database, names in ((stores[0], TABLES["intake"]), (tables[0].database, TABLES["query"])):
        database.faults = Faults(Random(0), share=0)
        database.is_dead = False
        with database._sync.connection() as connection:
            connection.execute(f"TRUNCATE {', '.join(names)} RESTART IDENTITY")
            if database is stores[0]:
                connection.execute("UPDATE relay_position SET notification_id = 0")
    try:
        await World(seed, stores, tables).run()
    except BaseException:
        print(f"to see it again: TICKETING_SIMULATION_SEED={seed}")  # noqa: T201
        raise
