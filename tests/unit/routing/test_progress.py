"""Progress: nothing is missed between looking and waiting, from whatever thread it comes."""

import asyncio
import threading

from services.routing.app.progress import Progress


async def test_a_move_before_the_waiting_is_not_missed() -> None:
    progress = Progress()
    seen = progress.count
    progress.move()
    assert await progress.past(seen, 0)


async def test_a_move_from_another_thread_wakes_everybody() -> None:
    progress = Progress()
    seen = progress.count
    waiting = [asyncio.create_task(progress.past(seen, 30)) for _ in range(3)]
    await asyncio.gather(*(asyncio.to_thread(lambda: None) for _ in range(2)))
    thread = threading.Thread(target=progress.move)
    thread.start()
    assert await asyncio.gather(*waiting) == [True, True, True]
    thread.join()


async def test_without_a_move_the_waiting_ends_and_leaves_nothing_behind() -> None:
    progress = Progress()
    assert not await progress.past(progress.count, 0.001)
    assert progress._waiting == []
