"""What requests gave rise to is written once: when PostgreSQL was away, and when the service ends in the middle."""

import asyncio
import contextlib
import threading
from collections.abc import Sequence

import psycopg
import pytest

from shared.events import Actor, ActorKind, Channel
from shared.operations import Operation
from shared.security import written_behind
from shared.security.written_behind import WrittenBehind
from tests.support.waiting import eventually

SECONDS_MAX = 10.0


def operation(number: int) -> Operation:
    return Operation(
        what="test",
        about=str(number),
        actor=Actor(ActorKind.SYSTEM, "test"),
        via=Channel.API,
        correlation_id="test",
    )


class Log:
    """Writes when it may."""

    def __init__(self) -> None:
        self.new: list[Operation] = []
        self.written: list[str] = []
        self.is_away = False
        self.is_asked = threading.Event()
        self.may_write = threading.Event()
        self.may_write.set()

    def take(self, _ends: bool) -> Sequence[Operation]:
        new, self.new = self.new, []
        return new

    def write(self, operations: Sequence[Operation]) -> None:
        self.is_asked.set()
        self.may_write.wait(SECONDS_MAX)
        if self.is_away:
            raise psycopg.OperationalError("away")
        self.written += [one.about for one in operations]


@contextlib.asynccontextmanager
async def running(log: Log, *, kept_max: int = 100):
    behind = WrittenBehind("tests", log.write, take=log.take, kept_max=kept_max)
    task = asyncio.create_task(behind.run())
    yield behind
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_is_being_written_at_the_end_is_written_once_and_what_came_since_too() -> None:
    log = Log()
    log.may_write.clear()
    async with running(log) as behind:
        log.new.append(operation(1))
        behind.wake()
        assert await asyncio.to_thread(log.is_asked.wait, SECONDS_MAX)
        log.new.append(operation(2))
        asyncio.get_running_loop().call_later(0.05, log.may_write.set)
    assert log.written == ["1", "2"]


async def test_what_cannot_be_written_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written_behind, "RETRY_SECONDS", 0.01)
    log = Log()
    log.is_away = True
    async with running(log) as behind:
        log.new.append(operation(1))
        behind.wake()
        assert await asyncio.to_thread(log.is_asked.wait, SECONDS_MAX)
        log.is_asked.clear()
        assert await asyncio.to_thread(log.is_asked.wait, SECONDS_MAX), "tried again"
        assert log.written == []
        log.is_away = False
        await eventually(lambda: log.written, what="it is written")
    assert log.written == ["1"]


async def test_an_outage_keeps_the_newest() -> None:
    log = Log()
    log.is_away = True
    async with running(log, kept_max=2) as behind:
        log.new += [operation(1), operation(2), operation(3)]
        await behind.tell()
        log.is_away = False
    assert log.written == ["2", "3"]
