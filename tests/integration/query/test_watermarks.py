"""What is stored and not published is invisible to every reader; freshness knows it all the same."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from services.query.lag import LagWatch
from services.query.settings import Settings
from shared.database import Database
from shared.events import Owner
from shared.eventstore import EventStore
from shared.identifiers import new_id
from shared.messaging import Relay
from shared.messaging.watermark import Watermark, encode
from shared.settings import ServiceSettings
from tests.support.database import fresh_database
from tests.support.events import opened
from tests.support.servers import Servers
from tests.support.topics import fresh_topics
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


class Corner:
    """Intake's event store with a relay that comes and goes, and query's watch."""

    def __init__(self, store: EventStore[Any], settings: ServiceSettings, watch: LagWatch) -> None:
        self.store = store
        self.watch = watch
        self._settings = settings

    async def accept(self) -> datetime:
        """Store an event; the moment after it was acknowledged."""
        await asyncio.to_thread(self.store.transact, lambda tx: tx.append(opened(new_id())))
        return datetime.now(UTC)

    @contextlib.asynccontextmanager
    async def relaying(self) -> AsyncIterator[None]:
        relay = Relay(store=self.store, settings=self._settings)
        task = asyncio.create_task(relay.run())
        try:
            yield
        finally:
            relay.stop()
            await task

    async def known_until(self, moment: datetime) -> None:
        """Return when the answers claim to hold everything up to this moment."""
        await eventually(lambda: (as_of := self.watch.freshness.as_of) and as_of >= moment)


@pytest.fixture
async def corner(servers: Servers) -> AsyncIterator[Corner]:
    async with contextlib.AsyncExitStack() as stack:
        prefix = stack.enter_context(fresh_topics(servers.kafka))
        database = stack.enter_context(fresh_database(servers.postgres))

        def addressed(role: str) -> dict[str, Any]:
            return {
                "database_url": SecretStr(database.url(role)),
                "kafka_bootstrap_servers": servers.kafka,
                "topic_prefix": prefix,
            }

        intake = ServiceSettings(**addressed("intake"))
        store = EventStore[Any](intake, owner=Owner.INTAKE)
        store.open()
        store.migrate("shared.messaging")
        stack.push_async_callback(store.close)
        query = Settings(**addressed("query"))
        reading = Database(query, schema="query")
        reading.open()
        reading.migrate("shared.messaging", "services.query")
        stack.push_async_callback(reading.close)
        watch = LagWatch(query, reading)
        looking = asyncio.create_task(watch.run())
        try:
            yield Corner(store, intake, watch)
        finally:
            looking.cancel()
            await asyncio.wait([looking])


async def test_an_event_that_is_stored_and_not_published_keeps_answers_from_claiming_its_moment(
    corner: Corner,
):
    async with corner.relaying():
        await corner.known_until(datetime.now(UTC))
    stored_at = await corner.accept()  # and nobody publishes it
    seen = corner.watch.freshness
    # Two more looks at a Kafka in which nothing is missing.
    for _ in range(2):
        before = corner.watch.freshness
        await eventually(lambda before=before: corner.watch.freshness is not before)
    assert seen.as_of
    assert corner.watch.freshness.as_of
    assert corner.watch.freshness.as_of < stored_at
    assert corner.watch.freshness.behind == 0, "as far as Kafka knows, all is there"
    await eventually(lambda: "intake" in (corner.watch.problem or ""))
    async with corner.relaying():
        # Published now, and with no projection at work it is missing in Kafka's count instead.
        await eventually(lambda: corner.watch.freshness.behind == 1)
        assert corner.watch.freshness.as_of < stored_at


async def test_a_watch_that_begins_later_hears_of_a_relay_that_fell_silent_before(
    corner: Corner,
):
    async with corner.relaying():
        await corner.known_until(datetime.now(UTC))
    silent_since = datetime.now(UTC)
    late = LagWatch(corner.watch._settings, corner.watch._store)
    looking = asyncio.create_task(late.run())
    try:
        first = await eventually(lambda: late.freshness.as_of)
        assert first <= silent_since
    finally:
        looking.cancel()
        await asyncio.wait([looking])


async def test_a_watch_that_begins_while_relays_speak_without_a_pause_knows_at_once(
    corner: Corner,
):
    producer = Relay(store=corner.store, settings=corner._settings)._idempotent_producer()
    await producer.start()
    topic = f"{corner._settings.topic_prefix}watermarks.v1"

    async def speak() -> None:
        while True:
            mark = Watermark(owner=Owner.INTAKE, until=datetime.now(UTC), position=0)
            await producer.tell(topic, encode(mark), key=b"intake")

    speaking = asyncio.create_task(speak())
    await corner.known_until(datetime.now(UTC))
    late = LagWatch(corner.watch._settings, corner.watch._store)
    looking = asyncio.create_task(late.run())
    try:
        await eventually(lambda: late.freshness.as_of, what="the first look")
        await eventually(lambda: late.problem is None, what="nothing is wrong")
    finally:
        looking.cancel()
        speaking.cancel()
        await asyncio.wait([looking, speaking])
        await producer.stop()


async def test_what_is_no_watermark_is_passed_over(corner: Corner):
    async with corner.relaying():
        producer = Relay(store=corner.store, settings=corner._settings)._idempotent_producer()
        await producer.start()
        await producer.tell(
            f"{corner._settings.topic_prefix}watermarks.v1", b"not JSON", key=b"stranger"
        )
        await producer.stop()
        await corner.known_until(datetime.now(UTC))
