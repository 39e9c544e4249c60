"""The whole service on real Kafka and PostgreSQL: an opened ticket in, a breach and a page out."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from pydantic import SecretStr
from standardwebhooks import Webhook

from services.sla.main import build
from services.sla.settings import Settings
from shared.events import decode, sla
from shared.events.base import Event, Owner
from shared.eventstore import EventStore
from shared.messaging import Relay
from shared.security.issuer import LocalIssuer
from shared.settings import ServiceSettings
from shared.topics import Topic
from tests.integration.sla.receivers import Receiver, receiver
from tests.integration.sla.support import ADMIN_ORIGIN, Story, a_policy
from tests.integration.sla.test_alerts import SECRET
from tests.support.database import Database, fresh_database
from tests.support.servers import Servers
from tests.support.topics import fresh_topics

pytestmark = pytest.mark.integration
HOUR = timedelta(hours=1)
PATIENCE = 30.0


@pytest.fixture
def own_database(servers: Servers) -> Iterator[Database]:
    with fresh_database(servers.postgres) as made:
        yield made


@pytest.fixture
def own_prefix(servers: Servers) -> Iterator[str]:
    with fresh_topics(servers.kafka) as made:
        yield made


@pytest.fixture
def pager() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@asynccontextmanager
async def an_intake(settings: ServiceSettings) -> AsyncIterator[EventStore[Any]]:
    """What publishes tickets: a real store and a real relay."""
    store: EventStore[Any] = EventStore(settings, owner=Owner.INTAKE)
    store.open()
    await asyncio.to_thread(store.migrate, "shared.messaging")
    relay = Relay(store=store, settings=settings)
    running = asyncio.create_task(relay.run())
    try:
        yield store
    finally:
        relay.stop()
        await asyncio.wait_for(running, PATIENCE)
        await store.close()


@asynccontextmanager
async def sla_events(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        settings.topic_prefix + Topic.SLA,
        bootstrap_servers=settings.kafka_bootstrap_servers,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def _next(consumer: AIOKafkaConsumer, kind: type[Event]) -> Event:
    async def find() -> Event:
        async for record in consumer:
            event = decode(dict(record.headers)["ce_type"].decode(), record.value)
            if isinstance(event, kind):
                return event
        raise AssertionError("the topic ended")

    return await asyncio.wait_for(find(), PATIENCE)


async def test_an_opened_ticket_becomes_clocks_a_breach_in_time_and_a_signed_page(
    servers: Servers, own_database: Database, own_prefix: str, pager: Receiver, tmp_path: Path
) -> None:
    common: dict[str, Any] = {
        "kafka_bootstrap_servers": servers.kafka,
        "topic_prefix": own_prefix,
    }
    settings = Settings(
        database_url=SecretStr(own_database.url("sla")),
        alert_webhook_url=pager.url,
        alert_webhook_secret=SecretStr(SECRET),
        alert_private_addresses_allowed=True,
        jwks_file=LocalIssuer(tmp_path).jwks_file,
        **common,
    )
    intake_settings = ServiceSettings(database_url=SecretStr(own_database.url("intake")), **common)
    service = build(settings)
    story = Story()
    async with an_intake(intake_settings) as intake, sla_events(settings) as published:
        await service.start()
        try:
            await _until_ready(service)
            await _define_policy(service)
            due = datetime.now(UTC) + timedelta(seconds=3)
            opened = story.opened(due - HOUR)
            await asyncio.to_thread(intake.transact, lambda tx: tx.append(opened))
            started = await _next(published, sla.SlaStarted)
            assert isinstance(started, sla.SlaStarted)
            assert (started.metric, started.due_at) == ("first_reply", due)
            breach = await _next(published, sla.SlaBreached)
            assert isinstance(breach, sla.SlaBreached)
            assert (breach.ticket_id, breach.breached_at) == (story.ticket_id, due)
            assert breach.detected_at - due < timedelta(seconds=2)
            reply = story.agent_replied(due + HOUR)
            await asyncio.to_thread(intake.transact, lambda tx: tx.append(reply))
            met = await _next(published, sla.SlaMet)
            assert isinstance(met, sla.SlaMet)
            assert met.was_breached
        finally:
            await service.stop()
    kinds = [Webhook(SECRET).verify(sent.body, sent.headers)["type"] for sent in pager.got]
    assert kinds[:1] == ["sla.alert.triggered.v1"]


async def _until_ready(service: Any) -> None:
    async def ready() -> None:
        ticks = asyncio.Event()
        loop = asyncio.get_running_loop()
        while not service.health.is_ready:
            loop.call_later(0.05, ticks.set)
            await ticks.wait()
            ticks.clear()

    await asyncio.wait_for(ready(), PATIENCE)


async def _define_policy(service: Any) -> None:
    from services.sla.promises import define

    await asyncio.to_thread(
        service.store.transact,
        lambda tx: define.define_policy(tx, "standard", a_policy(), origin=ADMIN_ORIGIN),
    )
