"""Heartbeats on the real Redis: a lost lease means offline, a lost Redis means nothing."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from services.routing.presence import Leases
from services.routing.settings import Settings
from services.routing.timers import LeaseWatch
from shared.events.agents import AgentPresenceChanged, agent_stream
from shared.identifiers import new_id
from shared.security import Role
from shared.security.issuer import LocalIssuer
from tests.integration.routing.conftest import clean
from tests.integration.routing.office import Office, make_settings, open_office
from tests.support.database import Database
from tests.support.servers import Servers

pytestmark = pytest.mark.integration


class HandClock:
    """Seconds that the test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def leasing(database: Database, issuer: LocalIssuer, servers: Servers) -> Settings:
    return make_settings(
        database, issuer, redis_url=servers.redis, topic_prefix=f"test-{new_id()}."
    )


@pytest.fixture
async def desk(leasing: Settings, issuer: LocalIssuer, database: Database) -> AsyncIterator[Office]:
    async with open_office(leasing, issuer) as opened:
        await asyncio.to_thread(clean, database)
        await opened.ready("ann", "bob")
        yield opened


@pytest.fixture
async def redis(servers: Servers, leasing: Settings) -> AsyncIterator[Redis]:
    async with Redis.from_url(servers.redis) as client:
        yield client
        if keys := await client.keys(f"{leasing.topic_prefix}*"):
            await client.delete(*keys)


@pytest.fixture
async def leases(servers: Servers, leasing: Settings) -> AsyncIterator[Leases]:
    made = Leases(
        servers.redis, prefix=leasing.topic_prefix, lease_seconds=leasing.routing_lease_seconds
    )
    yield made
    await made.close()


def a_watch(office: Office, leasing: Settings, clock: HandClock) -> LeaseWatch:
    return LeaseWatch(
        store=office.store,
        deciding=office.deciding,
        leases=None,
        settings=leasing,
        health=office.service.health,
        monotonic=clock,
    )


async def beat(office: Office, agent: str) -> dict:
    return await office.done("POST", f"/v1/agents/{agent}/heartbeat", as_=agent, role=Role.AGENT)


async def presence(office: Office, agent: str) -> str:
    return (await office.done("GET", f"/v1/agents/{agent}"))["presence"]


async def lose_lease(redis: Redis, leasing: Settings, agent: str) -> None:
    assert await redis.delete(f"{leasing.topic_prefix}routing.lease.{agent}") == 1


async def test_a_lost_lease_means_offline_after_the_debounce_and_a_heartbeat_brings_back(
    desk: Office, redis: Redis, leases: Leases, leasing: Settings
) -> None:
    clock = HandClock()
    watch = a_watch(desk, leasing, clock)
    assert (await beat(desk, "ann"))["presence"] == "online"
    assert await watch.look(leases) == []
    await lose_lease(redis, leasing, "ann")
    assert await watch.look(leases) == []
    clock.seconds += leasing.routing_lease_debounce_seconds
    assert await watch.look(leases) == ["ann"]
    assert await presence(desk, "ann") == "offline"
    assert await presence(desk, "bob") == "online"
    assert (await beat(desk, "ann"))["presence"] == "online"
    reasons = [
        event.reason
        for event in await desk.events(agent_stream("ann"))
        if isinstance(event, AgentPresenceChanged)
    ]
    assert reasons == ["requested", "heartbeat_lost", "heartbeat_back"]


async def test_a_lease_that_returns_within_the_debounce_is_not_missed(
    desk: Office, redis: Redis, leases: Leases, leasing: Settings
) -> None:
    clock = HandClock()
    watch = a_watch(desk, leasing, clock)
    await beat(desk, "ann")
    await watch.look(leases)
    await lose_lease(redis, leasing, "ann")
    await watch.look(leases)
    await beat(desk, "ann")
    clock.seconds += leasing.routing_lease_debounce_seconds
    assert await watch.look(leases) == []
    assert await presence(desk, "ann") == "online"


async def test_a_redis_that_forgot_everything_turns_nobody_offline(
    desk: Office, redis: Redis, leases: Leases, leasing: Settings
) -> None:
    clock = HandClock()
    watch = a_watch(desk, leasing, clock)
    await beat(desk, "ann")
    await watch.look(leases)
    await redis.delete(*await redis.keys(f"{leasing.topic_prefix}*"))
    for _ in range(3):
        assert await watch.look(leases) == []
        clock.seconds += leasing.routing_lease_debounce_seconds
    assert await presence(desk, "ann") == "online"


async def test_without_redis_presence_stays_and_readiness_says_so(
    database: Database, issuer: LocalIssuer
) -> None:
    away = make_settings(database, issuer, redis_url="redis://127.0.0.1:1/0")
    async with open_office(away, issuer) as office:
        await asyncio.to_thread(clean, database)
        await office.ready("ann")
        assert (await beat(office, "ann"))["presence"] == "online"
        leases = Leases("redis://127.0.0.1:1/0", prefix="x.", lease_seconds=90)
        assert await a_watch(office, away, HandClock()).look(leases) == []
        condition = office.service.health.conditions()["redis"]
        assert not condition.ok
        assert not condition.gates
        assert "what agents said about themselves holds" in condition.detail
        assert await presence(office, "ann") == "online"
        ticket = await office.opened()
        assert await office.holder(ticket) == "ann"
        await leases.close()


async def test_agents_speak_for_themselves(desk: Office) -> None:
    body = {"presence": "away"}
    path = "/v1/agents/ann/presence"
    assert (await desk.ask("POST", path, body, as_="bob", role=Role.AGENT)).status_code == 403
    assert (await desk.ask("POST", path, body, as_="ann", role=Role.AGENT)).status_code == 200
    assert await presence(desk, "ann") == "away"
