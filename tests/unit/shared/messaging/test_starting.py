"""A start that is cancelled comes to its end first, unless that takes too long."""

import asyncio

import pytest

from shared.messaging.starting import uncut


async def cancelled(starting: asyncio.Task[None]) -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting


async def test_a_start_under_way_is_finished_before_the_cancellation_counts():
    said: list[str] = []

    async def starts() -> None:
        said.append("asks")
        for _ in range(10):
            await asyncio.sleep(0)
        said.append("closes")

    await cancelled(asyncio.create_task(uncut(starts())))
    assert said == ["asks", "closes"]


async def test_a_start_that_hangs_is_cut_off():
    said: list[str] = []

    async def hangs() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            said.append("cut off")

    await cancelled(asyncio.create_task(uncut(hangs(), finish_seconds_max=0.01)))
    assert said == ["cut off"]


async def test_what_it_fails_with_is_told():
    async def fails() -> None:
        raise OSError("nobody there")

    with pytest.raises(OSError, match="nobody there"):
        await uncut(fails())
