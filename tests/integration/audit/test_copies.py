"""The log against Kafka and against query's copy: what was changed before it was sealed is found there."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest

from deploy.audit.copies import KafkaCopy, compare_query
from deploy.audit.findings import Quiet, Verdict
from deploy.audit.source import opened
from services.query.projections import Projections
from shared.database import Database
from shared.eventstore import EventStore
from shared.identifiers import new_id
from shared.messaging import Consumer, Relay
from shared.topics import Topic
from tests.integration.plumbing.conftest import Place, a_store, place  # noqa: F401  # a fixture
from tests.support.events import noted
from tests.support.events import opened as ticket_opened
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@dataclass
class Published:
    """A log that the relay has published and query has taken over."""

    place: Place
    store: EventStore[Any]
    query: Database
    ticket: UUID
    consumer: Consumer

    def tamper(self, statement: str) -> None:
        url = self.place.urls["intake"]
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET search_path = intake")
            connection.execute(statement, {"ticket": self.ticket})

    def tamper_copy(self, statement: LiteralString) -> None:
        self.query.transact(lambda tx: tx.cursor.execute(statement))

    async def against_kafka(self) -> Verdict:
        def check() -> Verdict:
            verdict = Verdict("intake")
            with opened("intake", self.place.urls["intake"]) as source:
                copy = KafkaCopy(
                    source,
                    bootstrap_servers=self.place.servers.kafka,
                    prefix=self.place.prefix,
                )
                copy.compare(verdict, Quiet())
            return verdict

        return await asyncio.to_thread(check)

    def against_query(self) -> Verdict:
        verdict = Verdict("intake")
        with opened("intake", self.place.urls["intake"]) as source:
            compare_query(source, self.place.urls["query"], verdict, Quiet())
        return verdict


@pytest.fixture
async def published(place: Place) -> AsyncIterator[Published]:  # noqa: F811  # the fixture
    store = a_store(place)
    ticket = new_id()
    store.transact(
        lambda tx: tx.append(ticket_opened(ticket), *(noted(ticket, n) for n in range(2, 6)))
    )
    relay = Relay(store=store, settings=place.settings("intake"))
    task = asyncio.create_task(relay.run())
    query = Database(place.settings("query"), schema="query")
    query.open()
    query.migrate("shared.messaging", "services.query")
    consumer = Consumer(
        name="query",
        topics=[Topic.TICKETS],
        settings=place.settings("query"),
        store=query,
        handler=Projections(),
    )
    await consumer.start()

    def count() -> int:
        return query.transact(
            lambda tx: tx.cursor.execute("SELECT count(*) AS n FROM timeline").fetchone()["n"]  # type: ignore[index]
        )

    await eventually(lambda: asyncio.to_thread(lambda: count() == 5), what="query has all")
    await eventually(lambda: relay.position == 5, what="the relay remembers it")
    relay.stop()
    await task
    yield Published(place, store, query, ticket, consumer)
    await consumer.stop()
    await query.close()
    await store.close()


async def test_what_happened_before_sealing_is_found_in_the_copies(published: Published):
    assert (await published.against_kafka()).findings == []
    assert published.against_query().findings == []

    published.tamper_copy("UPDATE timeline SET actor_id = 'mallory' WHERE version = 3")
    assert [(one.version, one.what) for one in published.against_query().findings] == [
        (3, "is filed under another actor_id in query's copy")
    ]
    published.tamper_copy("UPDATE timeline SET actor_id = 'anna' WHERE version = 3")

    published.tamper(
        "UPDATE intake_events SET state = convert_to(replace(convert_from(state, 'UTF8'),"
        " 'a note', 'a vote'), 'UTF8') WHERE originator_version = 2"
    )
    published.tamper("DELETE FROM intake_events WHERE originator_version = 5")
    published.tamper(
        "UPDATE intake_events SET originator_id = gen_random_uuid() WHERE originator_version = 4"
    )
    for verdict in (await published.against_kafka(), published.against_query()):
        told = {(f.stream == published.ticket, f.version): f.what for f in verdict.findings}
        assert set(told) == {(True, 2), (True, 4), (True, 5), (False, 4)}
        assert "differs from" in told[True, 2]
        assert "was removed from the database" in told[True, 4]
        assert "was removed from the database" in told[True, 5]
        assert "is not in Kafka" in told[False, 4] or "is missing in query" in told[False, 4]
