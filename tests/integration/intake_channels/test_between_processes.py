"""What processes of intake tell each other through Redis: who types, and how often a sender came."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from services.intake.channels.chat.hub import Hub, Watcher
from services.intake.channels.chat.store import ChatReading
from services.intake.channels.pace import SenderPace
from tests.integration.intake.desk import Desk
from tests.support.servers import Servers
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@asynccontextmanager
async def at_work(desk: Desk, url: str, channel: str) -> AsyncIterator[Hub]:
    hub = Hub(ChatReading(desk.store), redis_url=url, channel=channel)
    running = asyncio.create_task(hub.run())
    try:
        yield hub
    finally:
        running.cancel()
        await asyncio.wait([running])
        await hub.close()


async def test_who_types_in_one_process_is_seen_in_another(desk: Desk, servers: Servers):
    chat, frames, channel = uuid4(), [], f"test-{uuid4()}"

    async def send(frame: dict) -> None:
        frames.append(frame)

    async with (
        at_work(desk, servers.redis, channel) as here,
        at_work(desk, servers.redis, channel) as there,
    ):
        there.add(Watcher(chat, "visitor", 0, send))

        async def is_seen() -> bool:
            await here.typing(chat, "agent", "Anna")  # again, until the other has subscribed
            return bool(frames)

        await eventually(is_seen)
    assert frames[0] == {"type": "typing", "side": "agent", "name": "Anna"}


async def test_processes_count_a_sender_together_and_each_alone_without_redis(servers: Servers):
    prefix = f"test-{uuid4()}."
    one, two, alone = (
        SenderPace(url, prefix=prefix, count_max=2, seconds=60)
        for url in (servers.redis, servers.redis, "redis://127.0.0.1:1/0")
    )
    try:
        waits = [await pace.wait_seconds("203.0.113.7") for pace in (one, two, one, alone)]
        assert waits[:2] == [0, 0]
        assert 1 <= waits[2] <= 60
        assert waits[3] == 0
        assert await two.wait_seconds("203.0.113.8") == 0
    finally:
        for pace in (one, two, alone):
            await pace.close()
