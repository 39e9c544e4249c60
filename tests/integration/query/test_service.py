"""The whole service on the real Kafka and PostgreSQL: published events become answers that know their age."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
import psycopg
import pytest

from services.query.lag import LagWatch
from services.query.settings import Settings
from services.query.views.freshness import Freshness
from shared.database import Database
from shared.identifiers import new_id
from shared.security import Role
from shared.security.issuer import LocalIssuer
from shared.service import Service
from tests.integration.query.conftest import Reader
from tests.integration.query.random_lives import random_life
from tests.integration.query.served import Served, served_query
from tests.integration.query.stories import Story
from tests.support.servers import Servers
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@dataclass
class RunningService:
    """The service, and an agent who asks it."""

    served: Served
    http: httpx2.AsyncClient


@pytest.fixture
async def running(servers: Servers, issuer: LocalIssuer) -> AsyncIterator[RunningService]:
    token = issuer.issue("anna", Role.AGENT)
    async with (
        served_query(servers, issuer) as served,
        httpx2.AsyncClient(
            base_url=served.address, headers={"Authorization": f"Bearer {token}"}, timeout=20
        ) as http,
    ):
        yield RunningService(served, http)


async def test_events_from_kafka_become_answers_that_say_how_fresh_they_are(
    running: RunningService,
) -> None:
    stories = [random_life(number, seed=number) for number in range(1, 21)]
    watched = Story(21).opened().give_group(0, "desk", "rule").note(1, "seen")
    await running.served.publish(*stories)
    await running.served.publish(watched, watched)  # delivered twice: at-least-once

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
    await eventually(lambda: words_unread(running) == 0, what="pairs of words are read behind it")


def words_unread(running: RunningService) -> int:
    with running.served.database.rule("query") as connection:
        ((count,),) = connection.execute(
            "SELECT count(*) FROM search_documents AS d LEFT JOIN search_pairs AS p USING (ticket_id)"
            " WHERE p.document_hash IS DISTINCT FROM document_hash(d.everything, d.public)"
        ).fetchall()
    return int(count)


async def test_the_live_board_shows_a_ticket_soon_after_it_was_published(
    running: RunningService,
) -> None:
    async with running.http.stream("GET", "/v1/dashboard/stream") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.aiter_lines()
        story = Story(50).opened(subject="live")
        before = await _next_board(lines)
        await running.served.publish(story)
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


async def test_an_answer_claims_no_more_than_was_known_before_it_read(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka is looked at while the answer is read: what that look saw may not be in the answer."""
    lag = reader.service.api.state.parts.lag
    before, after = (Freshness(datetime(2026, 3, 2, hour, tzinfo=UTC), 0, hour) for hour in (9, 10))
    monkeypatch.setattr(lag, "freshness", before)
    read = psycopg.AsyncConnection.execute

    async def look_meanwhile(*said: Any, **more: Any) -> Any:
        found = await read(*said, **more)
        lag.freshness = after
        return found

    monkeypatch.setattr(psycopg.AsyncConnection, "execute", look_meanwhile)
    for path in ("/v1/dashboard", "/v1/tickets", "/v1/tickets?is_open=true&q=printer"):
        lag.freshness = before
        answer = await reader.http.get(
            path, headers={"Authorization": f"Bearer {reader.issuer.issue('anna', Role.AGENT)}"}
        )
        assert lag.freshness is after
        assert answer.json()["as_of"] == "2026-03-02T09:00:00Z", path
    lag.freshness = before
    page = await reader.get("/tickets")
    assert lag.freshness is after
    assert 'data-position="9"' in page.text


async def _next_board(lines: AsyncIterator[str]) -> dict[str, dict[str, int]]:
    async for line in lines:
        if line.startswith("data: "):
            board: dict[str, dict[str, int]] = json.loads(line.removeprefix("data: "))
            return board
    raise AssertionError("the stream ended")
