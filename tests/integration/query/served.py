"""The whole query service behind a port, with Kafka in front of it: for its own tests and for browsers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

from services.query.main import build
from services.query.settings import Settings
from shared.events import Event, encode
from shared.messaging.records import headers_of
from shared.security.issuer import LocalIssuer
from shared.service import Service
from shared.topics import topic_of
from tests.integration.query.stories import Story
from tests.support.database import Database, fresh_database
from tests.support.servers import Servers
from tests.support.serving import serving
from tests.support.topics import fresh_topics
from tests.support.waiting import eventually


@dataclass
class Served:
    """What is needed to speak to it and to tell it what happened."""

    address: str
    issuer: LocalIssuer
    producer: AIOKafkaProducer
    prefix: str
    database: Database
    service: Service

    async def publish(self, *told: Story | Event) -> None:
        """Returns when Kafka has all of them."""
        for one in told:
            for event in one.events if isinstance(one, Story) else [one]:
                raw = encode(event)
                await self.producer.send(
                    self.prefix + topic_of(event.wire_type),
                    raw,
                    key=event.stream_id.bytes,
                    headers=headers_of(
                        event.OWNER, event.stream_id, event.version, event.wire_type, raw
                    ),
                )
        await self.producer.flush()


@asynccontextmanager
async def served_query(servers: Servers, issuer: LocalIssuer) -> AsyncIterator[Served]:
    """Empty database, empty topics; ready."""
    with fresh_database(servers.postgres) as database, fresh_topics(servers.kafka) as prefix:
        service = build(
            Settings(
                database_url=SecretStr(database.url("query")),
                kafka_bootstrap_servers=servers.kafka,
                redis_url=SecretStr(servers.redis),
                topic_prefix=prefix,
                jwks_file=issuer.jwks_file,
                board_seconds_max=1.0,  # tests wait for the next snapshot
            )
        )
        producer = AIOKafkaProducer(bootstrap_servers=servers.kafka)
        try:
            async with serving(service.api) as place:
                await producer.start()
                try:
                    await service.start()
                    await eventually(lambda: service.health.is_ready, what="the service is ready")
                    yield Served(f"http://{place}", issuer, producer, prefix, database, service)
                finally:
                    await producer.stop()
                    await service.api.state.live.close()
        finally:
            await service.stop()  # after the server: a request would open connections again
