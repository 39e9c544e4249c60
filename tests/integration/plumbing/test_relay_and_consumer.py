"""Relay and consumer on real Kafka and PostgreSQL: order, redelivery, gaps, poison, fencing."""

import asyncio
import contextlib

import pytest
from aiokafka import AIOKafkaProducer
from psycopg.conninfo import conninfo_to_dict

from deploy.bootstrap import StillRunning, start_log_over
from shared.database import Database
from shared.events import Owner, encode
from shared.eventstore import EventStore
from shared.identifiers import new_id
from shared.messaging import Consumer, Relay
from shared.messaging.positions import Fenced, Positions
from shared.messaging.records import headers_of
from shared.topics import Topic
from tests.integration.plumbing.conftest import Place, a_store
from tests.support.events import noted, opened
from tests.support.topics import make_anew
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


class Reader:
    """A consumer that keeps what it applied, in its own table, in the consumer's transaction."""

    def __init__(self, place: Place, instance: str = "1") -> None:
        self.settings = place.settings("query", instance)
        self.database = Database(self.settings, schema="query")
        self.database.open()
        self.database.migrate("shared.messaging")
        self.poison: set[str] = set()
        self.database.transact(
            lambda tx: (
                tx.cursor.execute(
                    "CREATE TABLE IF NOT EXISTS applied"
                    " (n bigserial, stream_id uuid, version int, PRIMARY KEY (stream_id, version))"
                )
                and None
            )
        )
        self.consumer = Consumer(
            name="reader",
            topics=[Topic.TICKETS],
            settings=self.settings,
            store=self.database,
            handler=self.handle,
        )

    def handle(self, tx, batch):
        for received in batch:
            if getattr(received.event, "body", None) in self.poison:
                raise ValueError(f"cannot read {received.event.body}")
        tx.cursor.executemany(
            "INSERT INTO applied (stream_id, version) VALUES (%s, %s)",
            [(received.event.stream_id, received.event.version) for received in batch],
        )

    def applied(self) -> list[tuple]:
        def read(tx):
            tx.cursor.execute("SELECT stream_id, version FROM applied ORDER BY n")
            return [(row["stream_id"], row["version"]) for row in tx.cursor.fetchall()]

        return self.database.transact(read)

    async def until(self, count: int) -> list[tuple]:
        await eventually(
            lambda: asyncio.to_thread(lambda: len(self.applied()) >= count), what=f"{count} applied"
        )
        return self.applied()

    async def close(self) -> None:
        await self.consumer.stop()
        await self.database.close()


@contextlib.asynccontextmanager
async def a_reader(place: Place, instance: str = "1"):
    reader = Reader(place, instance)
    await reader.consumer.start()
    try:
        yield reader
    finally:
        await reader.close()


@contextlib.asynccontextmanager
async def relaying(place: Place, store: EventStore[int], instance: str = "1"):
    relay = Relay(store=store, settings=place.settings("intake", instance))
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        relay.stop()
        await task


@contextlib.asynccontextmanager
async def publishing(place: Place):
    """Publish by hand, as a relay that repeats or loses its mind would."""
    producer = AIOKafkaProducer(bootstrap_servers=place.servers.kafka)
    await producer.start()

    async def publish(event, raw: bytes | None = None, headers=None) -> None:
        raw = encode(event) if raw is None else raw
        await producer.send_and_wait(
            place.prefix + Topic.TICKETS,
            raw,
            key=str(event.stream_id).encode(),
            headers=headers
            or headers_of(
                Owner.INTAKE, event.stream_id, event.version, event.wire_type, encode(event)
            ),
        )

    try:
        yield publish
    finally:
        await producer.stop()


def save(store: EventStore[int], *events) -> None:
    store.transact(lambda tx: tx.append(*events))


async def test_stored_events_arrive_once_each_and_in_order(place: Place, store: EventStore[int]):
    tickets = [new_id() for _ in range(20)]
    async with relaying(place, store), a_reader(place) as reader:
        for ticket in tickets:
            save(store, opened(ticket))
        for version in range(2, 6):
            save(store, *(noted(ticket, version) for ticket in tickets))
        applied = await reader.until(100)
    assert len(applied) == 100
    for ticket in tickets:
        assert [version for stream, version in applied if stream == ticket] == [1, 2, 3, 4, 5]


async def test_a_relay_that_starts_afresh_goes_on_where_it_was(
    place: Place, store: EventStore[int]
):
    first, second = new_id(), new_id()
    async with a_reader(place) as reader:
        save(store, opened(first))
        async with relaying(place, store):
            await reader.until(1)
        save(store, opened(second))
        async with relaying(place, store) as relay:
            applied = await reader.until(2)
            assert relay.position == 2
    assert applied == [(first, 1), (second, 1)]


async def test_only_one_of_two_relays_leads_and_the_other_takes_over(
    place: Place, store: EventStore[int]
):
    other_store = a_store(place, "2")
    async with a_reader(place) as reader, relaying(place, store) as leader:
        await eventually(lambda: leader.is_leader)
        async with relaying(place, other_store, "2") as other:
            await eventually(lambda: other.problem is None)
            assert not other.is_leader
            leader.stop()
            await eventually(lambda: other.is_leader)
            save(other_store, opened(new_id()))
            await reader.until(1)
    await other_store.close()


async def test_a_republished_event_has_no_second_effect(place: Place):
    ticket = new_id()
    first, second = opened(ticket), noted(ticket, 2)
    async with publishing(place) as publish, a_reader(place) as reader:
        for event in (first, second, first, second, first):
            await publish(event)
        await publish(noted(ticket, 3))
        assert await reader.until(3) == [(ticket, 1), (ticket, 2), (ticket, 3)]


async def test_an_early_event_is_held_until_its_predecessor_comes(place: Place):
    ticket, other = new_id(), new_id()
    async with publishing(place) as publish, a_reader(place) as reader:
        await publish(noted(ticket, 3))
        await publish(opened(ticket))
        await publish(opened(other))
        await reader.until(2)
        await publish(noted(ticket, 2))
        applied = await reader.until(4)
    assert [version for stream, version in applied if stream == ticket] == [1, 2, 3]


async def test_poison_is_parked_with_its_ticket_and_all_others_go_on(place: Place):
    sick, healthy = new_id(), new_id()
    async with publishing(place) as publish, a_reader(place) as reader:
        reader.poison.add("poison")
        await publish(opened(sick))
        await publish(noted(sick, 2, "poison"))
        await publish(noted(sick, 3))
        await publish(opened(healthy))
        await publish(noted(healthy, 2))
        applied = await reader.until(3)
        assert {stream for stream, version in applied if version == 2} == {healthy}
        (parked,) = await eventually(
            lambda: [p for p in reader.consumer.parked() if p.waiting_count == 1]
        )
        assert (parked.stream_id, parked.version) == (sick, 2)
        assert "cannot read poison" in parked.error

        assert reader.consumer.retry_parked(sick) == 2, "still poison"
        reader.poison.clear()
        assert reader.consumer.retry_parked(sick) == 0
        await publish(noted(sick, 4))
        applied = await reader.until(6)
    assert [version for stream, version in applied if stream == sick] == [1, 2, 3, 4]


async def test_a_discarded_event_lets_those_behind_it_go_on(place: Place):
    ticket = new_id()
    async with publishing(place) as publish, a_reader(place) as reader:
        reader.poison.add("poison")
        await publish(opened(ticket))
        await publish(noted(ticket, 2, "poison"))
        await publish(noted(ticket, 3))
        await eventually(lambda: [p for p in reader.consumer.parked() if p.waiting_count == 1])
        assert reader.consumer.retry_parked(ticket, discard_first=True) == 0
        applied = await reader.until(2)
    assert applied == [(ticket, 1), (ticket, 3)]


async def test_unreadable_bytes_are_parked_and_unknown_types_passed_over(place: Place):
    ticket, broken = new_id(), new_id()
    async with publishing(place) as publish, a_reader(place) as reader:
        unknown = headers_of(
            Owner.INTAKE, ticket, 2, "ticket.teleported.v1", encode(noted(ticket, 2))
        )
        await publish(opened(ticket))
        await publish(noted(ticket, 2), headers=unknown)
        await publish(opened(broken), raw=b'{"type": "ticket.opened.v1"')
        await publish(noted(ticket, 2), headers=[("nothing", b"known")])
        await publish(noted(ticket, 3))
        applied = await reader.until(2)
        parked = await eventually(lambda: (p := reader.consumer.parked()) and len(p) == 2 and p)
    assert applied == [(ticket, 1), (ticket, 3)]
    assert {p.wire_type for p in parked} == {"ticket.opened.v1", "stray"}


async def test_a_batch_that_fails_as_a_whole_stops_the_consumer_instead_of_parking_all(
    place: Place,
):
    async with publishing(place) as publish:
        for _ in range(60):
            await publish(opened(new_id(), body="poison"))
        reader = Reader(place)
        reader.poison.add("poison")
        await reader.consumer.start()
        await eventually(lambda: "TooManyUnreadable" in (reader.consumer.problem or ""))
        assert reader.consumer.parked() == []
        reader.poison.clear()
        assert len(await reader.until(60)) == 60
        await reader.close()


async def test_a_reader_goes_on_from_its_own_position_after_a_restart(place: Place):
    async with publishing(place) as publish:
        async with a_reader(place) as reader:
            await publish(opened(new_id()))
            await reader.until(1)
        await publish(opened(new_id()))
        async with a_reader(place) as reader:
            assert len(await reader.until(2)) == 2


async def test_a_database_put_back_to_an_older_state_reads_again_what_it_lacks(place: Place):
    async with publishing(place) as publish:
        async with a_reader(place) as reader:
            for _ in range(10):
                await publish(opened(new_id()))
            await reader.until(10)
            await eventually(lambda: sum(reader.consumer.lag().values()) == 0)
        database = Database(place.settings("query"), schema="query")
        database.open()

        def put_back(tx):
            for table in ("applied", "stream_versions", "consumer_positions"):
                tx.cursor.execute(f"TRUNCATE {table}")

        database.transact(put_back)
        await database.close()
        await publish(opened(new_id()))
        await publish(opened(new_id()))
        async with a_reader(place) as reader:
            for _ in range(8):  # something in every partition, so that the gap is seen in each
                await publish(opened(new_id()))
            assert len(await reader.until(20)) == 20


async def test_a_zombie_that_lost_its_partition_changes_nothing(place: Place):
    reader = Reader(place)
    positions = Positions("reader")
    slot = (Topic.TICKETS, 0)
    reader.database.transact(lambda tx: positions.advance(tx, {slot: (0, 10)}))

    def zombie(tx):
        tx.cursor.execute("INSERT INTO applied (stream_id, version) VALUES (%s, 1)", (new_id(),))
        positions.advance(tx, {slot: (5, 12)})

    with pytest.raises(Fenced):
        reader.database.transact(zombie)
    assert reader.applied() == []
    assert reader.database.transact(lambda tx: positions.load(tx, [slot])) == {slot: 10}
    await reader.database.close()


async def test_a_lost_log_is_published_and_read_again_without_a_second_effect(place: Place):
    superuser = place.servers.postgres
    database = conninfo_to_dict(place.urls["intake"])["dbname"]
    tickets = [new_id() for _ in range(8)]
    store = a_store(place)
    async with relaying(place, store), a_reader(place) as reader:
        save(store, *(opened(ticket) for ticket in tickets))
        await reader.until(8)
        with pytest.raises(StillRunning, match="intake, query"):
            start_log_over(superuser, database)
    await store.close()
    await make_anew(place.servers.kafka, place.prefix + Topic.TICKETS)
    for _ in range(2):  # again is no harm
        start_log_over(superuser, database)
    store = a_store(place)
    async with relaying(place, store), a_reader(place) as reader:
        save(store, *(noted(ticket, 2) for ticket in tickets))
        applied = await reader.until(16)
        assert reader.consumer.problem is None
    await store.close()
    assert sorted(applied) == sorted((ticket, version) for ticket in tickets for version in (1, 2))
