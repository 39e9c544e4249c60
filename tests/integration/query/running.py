"""Query's consumer on the real Kafka and PostgreSQL, somebody who publishes, and what came out."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

from services.query.projections import Projections
from services.query.projections.groups import TABLES, Group
from services.query.settings import Settings
from shared.database import Database
from shared.events import Event, encode
from shared.messaging import Consumer
from shared.messaging.catching_up import CatchUp
from shared.messaging.records import headers_of
from shared.topics import Topic, topic_of
from tests.integration.query.conftest import PACKAGES
from tests.integration.query.stories import Story
from tests.support.database import fresh_database
from tests.support.servers import Servers
from tests.support.waiting import eventually


@dataclass
class Running:
    """The live projection, reading Kafka; and somebody who publishes."""

    settings: Settings
    store: Database
    consumer: Consumer
    producer: AIOKafkaProducer

    async def publish(self, *stories: Story) -> None:
        await self.publish_events([event for story in stories for event in story.events])

    async def publish_events(self, events: list[Event]) -> None:
        for event in events:
            raw = encode(event)
            await self.producer.send(
                self.settings.topic_prefix + topic_of(event.wire_type),
                raw,
                key=event.stream_id.bytes,
                headers=headers_of(
                    event.OWNER, event.stream_id, event.version, event.wire_type, raw
                ),
            )
        await self.producer.flush()

    def rows(self, query: Any, *parameters: Any) -> list[dict[str, Any]]:
        return self.store.transact(lambda tx: tx.cursor.execute(query, parameters).fetchall())

    def count(self, table: str = "timeline") -> int:
        return int(self.rows(f"SELECT count(*) AS n FROM {table}")[0]["n"])

    async def projected(self, events: int) -> None:
        await eventually(lambda: self.count() == events, what=f"{events} events are projected")

    def contents(self, group: Group) -> dict[str, list[str]]:
        compared = {
            "search_documents": "SELECT (ticket_id, strip(everything), strip(public))::text AS line"
            " FROM search_documents",
            # Which shard a count is in depends on who wrote beside whom.
            "open_counts": "SELECT (is_by_agent, category, group_id, priority, is_unassigned, is_at_risk,"
            " is_breached, assignee_id, sum(count))::text AS line FROM open_counts"
            " GROUP BY is_by_agent, category, group_id, priority, is_unassigned, is_at_risk, is_breached, assignee_id"
            " HAVING sum(count) <> 0",
        }
        return {
            table: sorted(
                row["line"]
                for row in self.rows(
                    compared.get(
                        table,
                        f"SELECT (to_jsonb(t) - 'change_tx' - 'described_tx')::text AS line FROM {table} AS t",
                    )
                )
            )
            for table in TABLES[group]
        }


@asynccontextmanager
async def open_running(
    servers: Servers, prefix: str, *, catch_up: CatchUp | None = None
) -> AsyncIterator[Running]:
    """Reading these topics into a database of its own."""
    async with AsyncExitStack() as stack:
        database = stack.enter_context(fresh_database(servers.postgres))
        settings = Settings(
            database_url=SecretStr(database.url("query")),
            kafka_bootstrap_servers=servers.kafka,
            topic_prefix=prefix,
            database_pool_size=4,
            consumer_batch_max=50,
        )
        store = Database(settings, schema="query")
        store.open()
        store.migrate(*PACKAGES)
        stack.push_async_callback(store.close)
        consumer = Consumer(
            name="query",
            topics=tuple(Topic),
            settings=settings,
            store=store,
            handler=Projections(),
            catch_up=catch_up,
        )
        await consumer.start()
        stack.push_async_callback(consumer.stop)
        producer = AIOKafkaProducer(bootstrap_servers=servers.kafka)
        await producer.start()
        stack.push_async_callback(producer.stop)
        yield Running(settings, store, consumer, producer)
