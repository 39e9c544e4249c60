"""The timer: sleeps until the next moment, wakes for a new one, outlives the database's absence."""

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from services.intake import timers
from services.intake.postponements import Postponements
from services.intake.timers import PostponementTimer
from shared.clock import SystemClock


class Verbs:
    """Stands for `Intake`: answers `end_postponements` from a list, and tells when the list is used up."""

    def __init__(self, *answers: datetime | Exception | None) -> None:
        self.postponements = Postponements()
        self.used_up = asyncio.Event()
        self._answers = list(answers)
        self._loop = asyncio.get_running_loop()
        self.calls = 0
        self.rings = False

    def end_postponements(self, _correlation_id: str) -> datetime | None:
        self.calls += 1
        if self.rings:  # somebody postpones a ticket while this look is under way
            self._loop.call_soon_threadsafe(self.postponements.changed.set)
        answer = self._answers.pop(0)
        if not self._answers:
            self._loop.call_soon_threadsafe(self.used_up.set)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def ran(verbs: Verbs) -> None:
    task = asyncio.create_task(PostponementTimer(verbs, SystemClock()).run())
    async with asyncio.timeout(10):
        await verbs.used_up.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_it_looks_again_at_the_next_moment():
    verbs = Verbs(datetime.now(UTC) + timedelta(milliseconds=20), None)
    await ran(verbs)
    assert verbs.calls == 2


async def test_a_moment_that_has_just_passed_is_looked_at_at_once():
    await ran(Verbs(datetime.now(UTC) - timedelta(seconds=1), None))


async def test_a_new_postponement_wakes_it_before_the_moment_it_slept_for():
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    verbs = Verbs(tomorrow, None)
    verbs.rings = True
    await ran(verbs)
    assert verbs.calls == 2


async def test_it_outlives_the_absence_of_the_database(monkeypatch):
    monkeypatch.setattr(timers, "_PAUSE_SECONDS_FIRST", 0.01)
    verbs = Verbs(psycopg.OperationalError("gone"), psycopg.OperationalError("gone"), None)
    await ran(verbs)
    assert verbs.calls == 3


async def test_a_mistake_of_ours_is_not_hidden():
    task = asyncio.create_task(PostponementTimer(Verbs(ValueError("a bug")), SystemClock()).run())
    with pytest.raises(ValueError, match="a bug"):
        await task
