"""Backtests and second judgements over HTTP on a real log; re-applied policies on real tables."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec.json import decode
from pydantic import SecretStr

from services.sla.backtest.timelines import End, Line, Promises, Timeline
from services.sla.engine import evaluate
from services.sla.main import build
from services.sla.reapplying import Reapplication
from services.sla.settings import Settings
from shared.events import Owner, sla
from shared.events.operations import SlaOperation, operations_stream
from shared.eventstore import EventStore
from shared.security import Role
from shared.security.issuer import LocalIssuer
from shared.service import Service
from shared.settings import ServiceSettings
from tests.integration.sla.support import ADMIN_ORIGIN, NOON, Desk, Story, a_policy
from tests.integration.sla.test_service import _until_ready, an_intake
from tests.support.database import Database, fresh_database
from tests.support.servers import Servers
from tests.support.topics import fresh_topics
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration
HOUR = timedelta(hours=1)
STRICT = a_policy(targets=[{"metric": "first_reply", "seconds": 600}])


@pytest.fixture
def own_database(servers: Servers) -> Iterator[Database]:
    with fresh_database(servers.postgres) as made:
        yield made


@pytest.fixture
def own_prefix(servers: Servers) -> Iterator[str]:
    with fresh_topics(servers.kafka) as made:
        yield made


@pytest.fixture
def issuer(tmp_path: Path) -> LocalIssuer:
    return LocalIssuer(tmp_path)


@pytest.fixture
def common(servers: Servers, own_prefix: str) -> dict[str, Any]:
    return {"kafka_bootstrap_servers": servers.kafka, "topic_prefix": own_prefix}


@pytest.fixture
async def service(
    own_database: Database, common: dict[str, Any], issuer: LocalIssuer
) -> AsyncIterator[Service]:
    settings = Settings(
        database_url=SecretStr(own_database.url("sla")), jwks_file=issuer.jwks_file, **common
    )
    made = build(settings)
    await made.start()
    await _until_ready(made)
    yield made
    await made.stop()


@pytest.fixture
async def client(service: Service, issuer: LocalIssuer) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"authorization": f"Bearer {issuer.issue('sue', Role.SUPERVISOR)}"}
    transport = httpx2.ASGITransport(service.api)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://sla", headers=headers
    ) as made:
        yield made


async def lines(
    client: httpx2.AsyncClient, path: str, body: dict[str, Any]
) -> list[dict[str, Any]]:
    answer = await client.post(path, json=body, timeout=120)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_a_draft_is_tried_on_the_log_and_a_second_judgement_stands_beside_the_first(
    client: httpx2.AsyncClient,
    service: Service,
    common: dict[str, Any],
    own_database: Database,
) -> None:
    assert (await client.put("/v1/policies/standard", json=a_policy())).status_code == 200
    opened_at = datetime.now(UTC) - timedelta(hours=5)
    story = Story(number=7)
    happened = [
        story.opened(opened_at),
        story.agent_replied(opened_at + HOUR / 2),
        story.resolved(opened_at + HOUR),
    ]
    settings = ServiceSettings(database_url=SecretStr(own_database.url("intake")), **common)
    async with an_intake(settings) as intake:
        await asyncio.to_thread(intake.transact, lambda tx: tx.append(*happened))
        store = service.store
        assert isinstance(store, EventStore)

        async def met() -> bool:
            told = await asyncio.to_thread(store.history, story.ticket_id)
            return sum(isinstance(event, sla.SlaMet) for event in told) == 2

        await eventually(met)
        await eventually(lambda: _is_published(store))
    await _timelines_are_told(client, store)
    body = {"policies": [{"id": "standard", **STRICT}], "days": 3}
    *progress, last = await lines(client, "/v1/sla/backtest", body)
    assert progress[-1]["progress"]["events_read"] == progress[-1]["progress"]["events_total"] > 0
    result = last["result"]
    assert result["tickets_count"] == 1
    assert result["metrics"]["first_reply"]["happened"]["met"] == 1
    assert result["metrics"]["first_reply"]["draft"]["breached"] == 1
    assert result["changes"]["newly_breached"] == 1
    assert result["tickets"][0]["number"] == 7
    first_words = await asyncio.to_thread(store.history, story.ticket_id)

    judged = await lines(client, "/v1/sla/judgements", {"label": "ten minutes", **body})
    assert judged[-1]["result"]["label"] == "ten minutes"
    told = await asyncio.to_thread(store.history, story.ticket_id)
    assert told[:-1] == first_words, "what was said first stands"
    again = told[-1]
    assert isinstance(again, sla.SlaJudgedAgain)
    assert (again.label, again.actor.id, again.version) == ("ten minutes", "sue", len(told))
    first_reply = next(one for one in again.verdicts if one.metric == "first_reply")
    assert (first_reply.status, first_reply.first_status) == ("breached", "met")
    assert first_reply.breached_at == opened_at + timedelta(minutes=10)

    taken = await client.post("/v1/sla/judgements", json={"label": "ten minutes", **body})
    assert (taken.status_code, taken.json()["code"]) == (409, "label_taken")
    assert len(await asyncio.to_thread(store.history, story.ticket_id)) == len(told)
    beside = (await client.get(f"/v1/sla/tickets/{story.ticket_id}/judgements")).json()["items"]
    assert [one["label"] for one in beside] == ["ten minutes"]
    (listed,) = (await client.get("/v1/sla/judgements")).json()["items"]
    assert listed["differing_tickets_count"] == 1
    kept = (await client.get("/v1/sla/judgements/ten minutes")).json()
    assert kept["result"]["changes"]["newly_breached"] == 1


async def _timelines_are_told(client: httpx2.AsyncClient, store: EventStore[Any]) -> None:
    """What happened, and the promises to judge it by, for a judgement elsewhere."""
    answer = await client.get("/v1/sla/timelines?days=3", timeout=120)
    stream = operations_stream(Owner.SLA, "timelines")
    (taken,) = await asyncio.to_thread(store.history, stream)
    assert isinstance(taken, SlaOperation)
    assert (taken.what, taken.changes) == ("timelines.take", {"days": (None, 3)})
    told = [decode(line, type=Line) for line in answer.content.splitlines()]
    promises = next(line for line in told if isinstance(line, Promises))
    (timeline,) = (line for line in told if isinstance(line, Timeline))
    assert told[-1] == End(unreadable_events_count=0)
    assert [type(fact).__name__ for fact in timeline.facts] == [
        "Created",
        "AgentReplied",
        "Resolved",
    ]
    trial = promises.trial
    judged = evaluate(trial.rules(), timeline.facts, trial.until)
    assert {verdict.status for verdict in judged.verdicts} == {"met"}


async def _is_published(store: EventStore[Any]) -> bool:
    def waiting() -> int:
        def read(tx: Any) -> int:
            tx.cursor.execute(
                "SELECT (SELECT max(notification_id) FROM sla_events)"
                " - (SELECT max(notification_id) FROM relay_position) AS waiting"
            )
            return int(tx.cursor.fetchone()["waiting"])

        return store.transact(read)

    return await asyncio.to_thread(waiting) <= 0


async def test_a_draft_that_is_no_policy_is_refused_with_its_field(
    client: httpx2.AsyncClient,
) -> None:
    body = {"policies": [{"id": "p", "targets": [{"metric": "sleep", "seconds": 1}]}]}
    refused = await client.post("/v1/sla/backtest", json=body)
    assert refused.status_code == 422
    assert [each["field"] for each in refused.json()["errors"]] == ["policies[0].targets[0].metric"]
    blank = await client.post("/v1/sla/judgements", json={"label": ""})
    assert [each["field"] for each in blank.json()["errors"]] == ["label"]


def test_policies_are_applied_again_to_living_tickets_and_past_verdicts_stand(
    desk: Desk, stores: Any, settings: Settings
) -> None:
    del stores, settings
    desk.policy()
    late, living, done = Story(number=1), Story(number=2), Story(number=3)
    desk.hear(late.opened(NOON))
    desk.time_is(NOON + 2 * HOUR)
    desk.hear(living.opened(datetime.now(UTC)), done.opened(NOON), done.agent_replied(NOON))
    desk.hear(done.resolved(NOON))
    desk.policy(targets=[{"metric": "first_reply", "seconds": 10 * 365 * 86_400}])
    before = desk.told(late.ticket_id)
    done_before = desk.told(done.ticket_id)
    reapplication = Reapplication(store=desk.store, judging=desk.judging)
    accepted = asyncio.run(reapplication.request(ADMIN_ORIGIN))
    assert accepted["finished_at"] is None
    while reapplication.step():
        pass
    (row,) = asyncio.run(reapplication.list())
    assert row["finished_at"] is not None
    assert (row["tickets_count"], row["changed_count"]) == (2, 2)
    applied, changed = desk.told(living.ticket_id)[3:5]
    assert isinstance(applied, sla.SlaPolicyApplied)
    assert (applied.previous_policy_version, applied.policy_version) == (1, 2)
    assert isinstance(changed, sla.SlaDueChanged | sla.SlaCancelled)
    assert desk.told(late.ticket_id)[: len(before)] == before
    assert desk.breaches(late.ticket_id)[0].breached_at == NOON + HOUR
    assert desk.told(done.ticket_id) == done_before, "nothing living, nothing to apply"
