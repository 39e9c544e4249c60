"""The relay while Kafka is away or refuses: it goes on trying, calmly, and ends when it is told to."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError

from shared.eventstore import EventStore
from shared.identifiers import new_id
from shared.messaging import Relay
from tests.integration.plumbing.conftest import Place
from tests.support.events import noted, opened
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


class Scripted:
    """A producer that does with each record what the test says; it keeps what arrived."""

    def __init__(self, fate: Callable[[int], Exception | None]) -> None:
        self.arrived: list[bytes] = []
        self.sent_count = 0
        self.started_count = 0
        self.stopped_count = 0
        self.unanswered = False
        self._fate = fate

    async def start(self) -> None:
        self.started_count += 1
        if isinstance(error := self._fate(-1), KafkaConnectionError):
            raise error

    async def stop(self) -> None:
        self.stopped_count += 1
        if self.unanswered:
            await asyncio.Event().wait()

    async def tell(self, topic: str, value: bytes, *, key: bytes) -> None:
        """Watermarks are looked at elsewhere."""

    async def flush(self) -> None:
        """What is sent is out already."""

    async def send(self, _topic, value, *, key, headers) -> Awaitable[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if error := self._fate(self.sent_count):
            done.set_exception(error)
        else:
            self.arrived.append(value)
            done.set_result(None)
        self.sent_count += 1
        return done


@contextlib.asynccontextmanager
async def relaying(place: Place, store: EventStore[int], producer: Scripted):
    relay = Relay(store=store, settings=place.settings("intake"), make_producer=lambda: producer)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        relay.stop()
        async with asyncio.timeout(20):
            await task


def save(store: EventStore[int], *events) -> None:
    store.transact(lambda tx: tx.append(*events))


async def test_commits_do_not_turn_an_outage_into_a_busy_loop(place: Place, store: EventStore[int]):
    producer = Scripted(lambda _: KafkaConnectionError("no broker answers"))
    async with relaying(place, store, producer) as relay:
        await eventually(lambda: relay.problem and "KafkaConnectionError" in relay.problem)
        for _ in range(60):
            await asyncio.to_thread(save, store, opened(new_id()))
        assert producer.started_count < 6
    assert producer.stopped_count == producer.started_count, "each attempt leaves nothing open"


async def test_an_error_that_nobody_foresaw_does_not_end_the_relay(
    place: Place, store: EventStore[int]
):
    producer = Scripted(lambda n: KeyError("no topic") if n == 0 else None)
    async with relaying(place, store, producer) as relay:
        save(store, opened(new_id()))
        await eventually(lambda: relay.position == 1)
        assert relay.problem is None
    assert len(producer.arrived) == 1


async def test_after_a_failure_the_whole_batch_is_sent_again_from_its_beginning(
    place: Place, store: EventStore[int]
):
    ticket = new_id()
    producer = Scripted(lambda n: KafkaTimeoutError() if n == 1 else None)
    save(store, opened(ticket), noted(ticket, 2), noted(ticket, 3))
    async with relaying(place, store, producer) as relay:
        await eventually(lambda: relay.position == 3)
    first, second, third = (event.version for event in store.history(ticket))
    said = [int(value.partition(b'"version":')[2].partition(b",")[0]) for value in producer.arrived]
    assert said == [first, third, first, second, third]


async def test_it_stops_although_its_producer_never_does(place: Place, store: EventStore[int]):
    producer = Scripted(lambda _: None)
    producer.unanswered = True
    async with relaying(place, store, producer) as relay:
        await eventually(lambda: relay.is_leader)
    assert not relay.is_leader


async def test_an_event_numbered_by_hand_hides_nothing_that_the_service_stores(
    place: Place, store: EventStore[int]
):
    """Followed far ahead, the relay would never publish what is stored next, and say that all is published."""
    producer = Scripted(lambda _: None)
    first, later = opened(new_id()), opened(new_id())
    save(store, first)
    by_hand = opened(new_id())
    store.transact(
        lambda tx: tx.cursor.execute(
            f"INSERT INTO {store.events_table} (originator_id, originator_version, topic, state, notification_id)"
            " VALUES (%s, 1, 'ticket.opened.v1', %s, 1000000)",
            (by_hand.stream_id, b"{}"),
        )
    )
    async with relaying(place, store, producer) as relay:
        await eventually(lambda: producer.arrived)
        await asyncio.to_thread(save, store, later)
        await eventually(lambda: len(producer.arrived) == 2)
        assert relay.problem is None
    found = [
        str(event.stream_id).encode() in raw
        for event, raw in zip((first, later), producer.arrived, strict=True)
    ]
    assert found == [True, True]


async def test_a_position_where_the_log_has_not_come_is_told(place: Place, store: EventStore[int]):
    store.transact(
        lambda tx: tx.cursor.execute("UPDATE relay_position SET notification_id = 1000000")
    )
    save(store, opened(new_id()))
    producer = Scripted(lambda _: None)
    async with relaying(place, store, producer) as relay:
        await eventually(lambda: relay.problem and "the log has numbered" in relay.problem)
        assert producer.arrived == []
        assert relay.published_until is None
