"""Routing as it runs: events come from the real Kafka, decisions go back to it; delivered again, nothing changes."""

from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from services.routing.settings import Settings
from shared.events import Event, decode, encode
from shared.events.assignments import TicketAssigned
from shared.events.base import StatusCategory
from shared.messaging.records import headers_of
from shared.security.issuer import LocalIssuer
from shared.topics import topic_of
from tests.integration.routing.office import Office, make_settings, open_office
from tests.support.database import Database, fresh_database
from tests.support.servers import Servers
from tests.support.topics import fresh_topics
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def whole(servers: Servers, issuer: LocalIssuer) -> Iterator[tuple[Settings, Database]]:
    with fresh_database(servers.postgres) as made, fresh_topics(servers.kafka) as prefix:
        yield (
            make_settings(
                made,
                issuer,
                kafka_bootstrap_servers=servers.kafka,
                topic_prefix=prefix,
                redis_url=servers.redis,
            ),
            made,
        )


@pytest.fixture
async def running(whole: tuple[Settings, Database], issuer: LocalIssuer) -> AsyncIterator[Office]:
    async with open_office(whole[0], issuer) as office:
        await office.service.start()
        await eventually(lambda: office.service.health.is_ready, what="readiness")
        yield office
        await office.service.stop()


async def publish(settings: Settings, *events: Event) -> None:
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers) as producer:
        for event in events:
            raw = encode(event)
            await producer.send_and_wait(
                settings.topic_prefix + topic_of(event.wire_type),
                raw,
                key=str(event.stream_id).encode(),
                headers=headers_of(
                    event.OWNER, event.stream_id, event.version, event.wire_type, raw
                ),
            )


async def test_from_a_published_ticket_to_a_published_assignment_once(
    running: Office, whole: tuple[Settings, Database]
) -> None:
    settings, database = whole
    await running.ready("ann", "bob")
    opened = [running.tickets.opened() for _ in range(20)]

    async def all_are_held() -> bool:
        (row,) = await running.rows("SELECT count(agent_id) AS held FROM tickets")
        return row["held"] == 20

    def applied() -> int:
        with psycopg.connect(database.superuser) as connection:
            row = connection.execute(
                "SELECT sum(position) FROM routing.consumer_positions WHERE topic = 'tickets.v1'"
            ).fetchone()
            return int(row[0] or 0) if row else 0

    await publish(settings, *opened, *opened)
    await eventually(all_are_held, what="every ticket assigned")
    solved = [running.tickets.moved(one.ticket_id, StatusCategory.SOLVED) for one in opened[:10]]
    await publish(settings, *solved, *opened, *solved)
    await eventually(lambda: applied() == 80, what="all eighty records applied")
    for event in opened:
        assert (await running.names(event.ticket_id)) == ["GroupChanged", "TicketAssigned"]
    loads = await running.rows("SELECT load FROM agents ORDER BY agent_id")
    assert sum(row["load"] for row in loads) == 10
    await running.check()

    seen: dict[str, Event] = {}
    async with AIOKafkaConsumer(
        f"{settings.topic_prefix}assignments.v1",
        bootstrap_servers=settings.kafka_bootstrap_servers,
        auto_offset_reset="earliest",
        group_id=None,
    ) as consumer:
        while len(seen) < 40:
            record = await consumer.getone()
            headers = dict(record.headers)
            event = decode(headers["ce_type"].decode(), record.value)
            assert isinstance(event, Event)
            assert record.key == str(event.stream_id).encode()
            assert event.event_id not in seen
            seen[event.event_id] = event
    assert sum(isinstance(event, TicketAssigned) for event in seen.values()) == 20


async def test_a_long_queue_drains_by_itself_when_somebody_comes(
    running: Office, whole: tuple[Settings, Database]
) -> None:
    await running.ready("ann", presence="offline")
    await running.hear(*(running.tickets.opened() for _ in range(1_100)))
    await running.done("POST", "/v1/agents/ann/presence", {"presence": "online"})

    async def is_empty() -> bool:
        return not await running.rows("SELECT 1 FROM tickets WHERE lane IS NOT NULL")

    await eventually(is_empty, what="an empty queue")
    (row,) = await running.rows("SELECT load FROM agents")
    assert row["load"] == 1_100
