"""Who is at a ticket, on a real Redis: signs that run out, the pen of a group, and life without Redis."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from services.query.attention import Attentions, Person
from services.query.settings import Settings
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story
from tests.support.servers import Servers

pytestmark = pytest.mark.integration

MIA = Person("mia", "Mia", "viewing")
BEN = Person("ben", "Ben", "viewing")


def typing(person: Person) -> Person:
    return replace(person, state="typing")


def gone(person: Person) -> Person:
    return replace(person, state="gone")


class Clock:
    """The time, told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def with_redis(settings: Settings, servers: Servers) -> Settings:
    return settings.model_copy(
        update={"redis_url": SecretStr(servers.redis), "topic_prefix": f"t{uuid4().hex[:8]}."}
    )


@pytest.fixture
async def attentions(with_redis: Settings, clock: Clock) -> AsyncIterator[Attentions]:
    made = Attentions(with_redis, clock)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await made.close()


async def test_signs_are_seen_and_run_out(attentions: Attentions, clock: Clock) -> None:
    ticket = uuid4()
    await attentions.sign(ticket, MIA)
    seen = await attentions.sign(ticket, typing(BEN))
    assert seen.people == (typing(BEN), MIA), "who writes comes first"
    clock.now += 11
    assert (await attentions.at(ticket)).people == (MIA,), "a sign of writing is short"
    assert (await attentions.sign(ticket, gone(MIA))).people == ()
    assert (await attentions.at(uuid4())).people == ()


async def test_a_change_in_one_process_is_heard_in_another(
    attentions: Attentions, with_redis: Settings, clock: Clock
) -> None:
    ticket, other = uuid4(), Attentions(with_redis, clock)
    running = asyncio.create_task(other.run())
    try:
        waiting = asyncio.create_task(other.changed(ticket, 30))
        while not waiting.done():  # until the other process has subscribed
            await attentions.sign(ticket, MIA)
            await asyncio.wait({waiting}, timeout=0.05)
        assert (await other.at(ticket)).people == (MIA,)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await other.close()


async def test_the_pen_is_held_by_who_writes_first_unless_somebody_insists(
    attentions: Attentions,
) -> None:
    ticket = uuid4()
    assert (await attentions.sign(ticket, typing(MIA))).writer is None, "no pen in this group"
    seen = await attentions.sign(ticket, typing(MIA), one_writer=True)
    assert seen.writer == typing(MIA)
    assert (await attentions.sign(ticket, typing(BEN), one_writer=True)).writer == typing(MIA)
    insisted = await attentions.sign(ticket, typing(BEN), one_writer=True, insists=True)
    assert insisted.writer == typing(BEN)
    assert (await attentions.sign(ticket, gone(MIA))).writer == typing(BEN)
    assert (await attentions.sign(ticket, gone(BEN))).writer is None


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", None])
async def test_without_redis_it_says_so_and_nothing_fails(
    settings: Settings, url: str | None
) -> None:
    redis_url = None if url is None else SecretStr(url)
    away = Attentions(settings.model_copy(update={"redis_url": redis_url}))
    seen = await away.sign(uuid4(), typing(MIA), one_writer=True)
    assert (seen.people, seen.is_live) == ((), False)
    assert "Redis" in (seen.detail or "")
    assert (await away.at(uuid4())).is_live is False


async def test_over_http_it_is_for_people_who_work_here(reader: Reader) -> None:
    story = Story(7).opened()
    reader.feed(story)
    path = f"/v1/tickets/{story.ticket_id}/attention"

    async def post(body: object, role: Role = Role.AGENT, where: str = path) -> int:
        token = reader.issuer.issue("carl", role)
        answer = await reader.http.post(
            where, json=body, headers={"Authorization": f"Bearer {token}"}
        )
        return answer.status_code

    assert await post({"state": "viewing"}) == 200
    assert await post({"state": "viewing"}, Role.CUSTOMER) == 403
    assert await post({"state": "dancing"}) == 422
    assert await post({"state": "viewing"}, where=f"/v1/tickets/{uuid4()}/attention") == 404
    told = await reader.read(path)
    assert told == {
        "people": [],
        "writer": None,
        "is_live": False,
        "detail": "Without Redis nobody is told who else is here.",
    }
