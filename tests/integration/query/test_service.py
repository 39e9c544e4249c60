"""The whole service on the real Kafka and PostgreSQL: published events become answers that know their age."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import httpx2
import pytest
import uvicorn
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

from services.query.lag import LagWatch
from services.query.main import build
from services.query.settings import Settings
from shared.database import Database
from shared.events import Event, encode
from shared.identifiers import new_id
from shared.messaging.records import headers_of
from shared.security import Role
from shared.security.issuer import LocalIssuer
from shared.service import Service
from shared.topics import topic_of
from tests.integration.query.random_lives import random_life
from tests.integration.query.stories import Story
from tests.support.database import fresh_database
from tests.support.servers import Servers
from tests.support.topics import fresh_topics
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


class RunningService:
    """The service behind a real HTTP port."""

    def __init__(self, http: httpx2.AsyncClient, producer: AIOKafkaProducer, prefix: str) -> None:
        self.http = http
        self._producer = producer
        self._prefix = prefix

    async def publish(self, *events: Event) -> None:
        for event in events:
            raw = encode(event)
            await self._producer.send(
                self._prefix + topic_of(event.wire_type),
                raw,
                key=event.stream_id.bytes,
                headers=headers_of(
                    event.OWNER, event.stream_id, event.version, event.wire_type, raw
                ),
            )
        await self._producer.flush()


@pytest.fixture
async def running(servers: Servers, issuer: LocalIssuer) -> AsyncIterator[RunningService]:
    async with contextlib.AsyncExitStack() as stack:
        topic_prefix = stack.enter_context(fresh_topics(servers.kafka))
        database = stack.enter_context(fresh_database(servers.postgres))
        settings = Settings(
            database_url=SecretStr(database.url("query")),
            kafka_bootstrap_servers=servers.kafka,
            redis_url=SecretStr(servers.redis),
            topic_prefix=topic_prefix,
            jwks_file=issuer.jwks_file,
        )
        service = build(settings)
        server = uvicorn.Server(
            uvicorn.Config(service.api, host="127.0.0.1", port=0, log_config=None, ws="none")
        )
        serving = asyncio.create_task(server.serve())
        await eventually(lambda: server.started, what="HTTP is up")
        port = server.servers[0].sockets[0].getsockname()[1]
        producer = AIOKafkaProducer(bootstrap_servers=servers.kafka)
        await producer.start()
        token = issuer.issue("anna", Role.AGENT)
        http = await stack.enter_async_context(
            httpx2.AsyncClient(
                base_url=f"http://127.0.0.1:{port}",
                headers={"Authorization": f"Bearer {token}"},
                timeout=20,
            )
        )
        try:
            await service.start()
            await eventually(lambda: service.health.is_ready, what="the service is ready")
            yield RunningService(http, producer, topic_prefix)
        finally:
            await http.aclose()
            await producer.stop()
            server.should_exit = True
            await serving
            await service.stop()


async def test_events_from_kafka_become_answers_that_say_how_fresh_they_are(
    running: RunningService,
) -> None:
    stories = [random_life(number, seed=number) for number in range(1, 21)]
    watched = Story(21).opened().give_group(0, "desk", "rule").note(1, "seen")
    await running.publish(*(event for story in stories for event in story.events))
    await running.publish(*watched.events, *watched.events)  # delivered twice: at-least-once

    async def caught_up() -> dict[str, object] | None:
        board = (await running.http.get("/v1/dashboard")).json()
        done = board["behind_events"] == 0 and board["position"] > len(watched.events)
        return board if done and board["lag_events"].get("query") == 0 else None

    board = await eventually(caught_up, what="everything is projected")
    assert board["freshness_seconds"] is not None
    answer = await running.http.get("/v1/tickets/21", params={"min_version": 2})
    assert answer.status_code == 200
    assert [message["kind"] for message in answer.json()["ticket"]["messages"]] == [
        "customer", "note",
    ]  # fmt: skip
    assert float(answer.headers["X-Freshness-Seconds"]) < 10
    assert answer.json()["as_of"] is not None


async def test_the_live_board_shows_a_ticket_soon_after_it_was_published(
    running: RunningService,
) -> None:
    async with running.http.stream("GET", "/v1/dashboard/stream") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.aiter_lines()
        story = Story(50).opened(subject="live")
        before = await _next_board(lines)
        await running.publish(*story.events)
        while (board := await _next_board(lines))["backlog"]["open_count"] == before["backlog"][
            "open_count"
        ]:
            pass
        assert board["backlog"]["open_count"] == before["backlog"]["open_count"] + 1


async def test_without_its_topics_nobody_claims_to_be_fresh(
    settings: Settings, service: Service
) -> None:
    assert isinstance(service.store, Database)
    nowhere = settings.model_copy(update={"topic_prefix": f"nowhere-{new_id()}."})
    watch = LagWatch(nowhere, service.store)
    task = asyncio.create_task(watch.run())
    try:
        await eventually(lambda: "missing" in (watch.problem or ""), what="it says what is missing")
        assert watch.freshness.as_of is None
        assert watch.freshness.seconds() is None
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _next_board(lines: AsyncIterator[str]) -> dict[str, dict[str, int]]:
    async for line in lines:
        if line.startswith("data: "):
            board: dict[str, dict[str, int]] = json.loads(line.removeprefix("data: "))
            return board
    raise AssertionError("the stream ended")
