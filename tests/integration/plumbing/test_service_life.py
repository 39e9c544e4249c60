"""A service whose parts fail: it says so, ends so that it can be started afresh, and stops everything else in order."""

import asyncio
import socket

import pytest
from fastapi import FastAPI

from shared.database import Database
from shared.http.app import build_api
from shared.service import Service
from tests.integration.plumbing.conftest import Place
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


def a_service(place: Place, *tasks, on_stop=(), **settings) -> Service:
    chosen = place.settings("query", **settings)
    api: FastAPI = build_api(name="query", title="q", version="1", settings=chosen)
    return Service(
        "query",
        chosen,
        api=api,
        store=Database(chosen, schema="query"),
        tasks=tasks,
        on_stop=on_stop,
        needs_kafka=False,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def fail() -> None:
    raise ValueError("a bug")


async def test_a_part_that_ends_with_an_error_ends_the_process_loudly(place: Place):
    service = a_service(place, fail, http_port=free_port())
    async with asyncio.timeout(30):
        await service._serve()
    assert service._has_failed
    assert not service.health.is_ready


async def test_the_exit_code_says_that_a_part_failed(place: Place, monkeypatch):
    service = a_service(place)

    async def serve() -> None:
        service._has_failed = True

    monkeypatch.setattr(service, "_serve", serve)
    with pytest.raises(SystemExit) as ended:
        await asyncio.to_thread(service.run)
    assert ended.value.code == 70


async def test_a_part_that_failed_does_not_keep_the_others_from_being_stopped(place: Place):
    service = a_service(place, fail)
    await service.start()
    await eventually(lambda: service._has_failed)
    await service.stop()
    assert service.store._sync.closed


async def test_connections_are_given_back_when_no_task_uses_them_any_more(place: Place):
    said: list[str] = []

    async def works() -> None:
        said.append("works")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # such as a last word to Redis
            said.append("ends")

    async def hangs() -> None:
        said.append("hangs")
        await asyncio.Event().wait()

    async def gives_back() -> None:
        assert not service.store._sync.closed
        said.append("given back")

    service = a_service(place, works, on_stop=(fail, hangs, gives_back), shutdown_seconds_max=1)
    await service.start()
    await eventually(lambda: "works" in said)
    await service.stop()
    assert said == ["works", "ends", "hangs", "given back"]
    assert service.store._sync.closed


async def test_what_was_built_and_never_started_is_given_back_too(place: Place):
    said: list[str] = []

    async def gives_back() -> None:
        said.append("given back")

    service = a_service(place, on_stop=(gives_back,))
    service.store.open()
    pool = await service.store.pool()
    await service.stop()
    assert said == ["given back"]
    assert pool.closed
    assert service.store._sync.closed


async def test_a_start_that_fails_for_good_is_told(place: Place):
    service = a_service(place)

    async def broken() -> None:
        raise TypeError("a bug in start-up")

    service._reach_postgres = broken
    await service.start()
    await eventually(lambda: service._has_failed)
    assert "query-start" in service.health.conditions()
    await service.stop()


async def test_it_stops_while_it_still_waits_for_its_servers(place: Place):
    service = a_service(place, database_url="postgresql://query:x@127.0.0.1:1/none")
    await service.start()
    await eventually(lambda: "PoolTimeout" in " ".join(service.health.waiting_for()))
    async with asyncio.timeout(20):
        await service.stop()
    assert not service._has_failed
