"""The live board: one producer for all, woken by changes, honest when Redis is away."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from services.query.live import BY_PUSH, BY_TIMER, LiveBoard, TooManyViewers
from services.query.settings import Settings
from shared.http.health import HealthState
from tests.support.servers import Servers
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


class Figures:
    """Stands for the database: counts how often it is asked."""

    def __init__(self) -> None:
        self.position = 0
        self.broken = False

    async def compute(self) -> dict[str, Any]:
        if self.broken:
            raise psycopg.OperationalError("gone")
        self.position += 1
        return {"position": self.position}


@contextlib.asynccontextmanager
async def running(settings: Settings, figures: Figures) -> AsyncIterator[LiveBoard]:
    live = LiveBoard(settings, figures.compute, HealthState())
    task = asyncio.create_task(live.run())
    try:
        yield live
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def never_by_timer(settings: Settings, **changes: Any) -> Settings:
    return settings.model_copy(
        update={"board_seconds_min": 0.1, "board_seconds_max": 60.0, **changes}
    )


def on(servers: Servers) -> SecretStr:
    return SecretStr(servers.redis)


async def test_all_viewers_share_one_computation(settings: Settings) -> None:
    figures = Figures()
    async with running(never_by_timer(settings), figures) as live:
        viewers = [live.watch() for _ in range(50)]
        first = await asyncio.gather(*(anext(viewer) for viewer in viewers))
        assert {event.id for event in first} == {"1"}
        assert live.computed_count == 1
        for viewer in viewers:
            await viewer.aclose()
        assert live.viewers == 0


async def test_nothing_is_computed_while_nobody_watches(settings: Settings) -> None:
    figures = Figures()
    async with running(never_by_timer(settings), figures) as live:
        live.announce()
        viewer = live.watch()
        await anext(viewer)
        await viewer.aclose()
        live.announce()
        again = live.watch()
        await anext(again)
        assert live.computed_count == 2
        await again.aclose()


async def test_many_changes_make_one_snapshot(settings: Settings) -> None:
    figures = Figures()
    async with running(never_by_timer(settings), figures) as live:
        viewer = live.watch()
        await anext(viewer)
        for _ in range(1_000):
            live.announce()
        assert (await anext(viewer)).id == "2"
        await viewer.aclose()


async def test_a_viewer_that_comes_back_is_not_told_what_it_knows(settings: Settings) -> None:
    figures = Figures()
    async with running(never_by_timer(settings), figures) as live:
        stays = live.watch()
        known = await anext(stays)
        back = asyncio.ensure_future(anext(live.watch(known.id)))
        fresh = await anext(live.watch())
        assert fresh.id == known.id
        live.announce()
        assert (await back).id == "2"


async def test_a_change_in_another_process_comes_through_redis(
    settings: Settings, servers: Servers
) -> None:
    shared = never_by_timer(settings, redis_url=on(servers), topic_prefix="live-test.")
    async with running(shared, Figures()) as here, running(shared, Figures()) as there:
        viewer = here.watch()
        await anext(viewer)
        await eventually(lambda: here.mode == there.mode == BY_PUSH, what="subscribed")
        there.announce()
        event = await asyncio.wait_for(anext(viewer), 5)
        assert json.loads(event.data)["live"]["mode"] == BY_PUSH
        await viewer.aclose()


async def test_without_redis_it_goes_on_by_timer_and_says_so(settings: Settings) -> None:
    nowhere = settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})
    async with running(nowhere, Figures()) as live:
        viewer = live.watch()
        ids = [(await anext(viewer)).id for _ in range(3)]
        assert ids == ["1", "2", "3"]
        event = await anext(viewer)
        assert json.loads(event.data)["live"]["mode"] == BY_TIMER
        await viewer.aclose()


async def test_a_board_that_cannot_be_computed_says_so_and_recovers(settings: Settings) -> None:
    figures = Figures()
    figures.broken = True
    async with running(settings, figures) as live:
        viewer = live.watch()
        assert (await anext(viewer)).event == "trouble"
        figures.broken = False
        while (event := await anext(viewer)).event == "trouble":
            pass
        assert event.event == "board"
        await viewer.aclose()


async def test_one_viewer_too_many_is_refused(settings: Settings) -> None:
    async with running(settings.model_copy(update={"board_viewers_max": 1}), Figures()) as live:
        viewer = live.watch()
        await anext(viewer)
        with pytest.raises(TooManyViewers):
            live.admit()
        await viewer.aclose()
        live.admit()


async def test_closing_ends_every_stream(settings: Settings) -> None:
    async with running(never_by_timer(settings), Figures()) as live:
        viewer = live.watch()
        await anext(viewer)
        await live.close()
        assert [event async for event in viewer] == []
