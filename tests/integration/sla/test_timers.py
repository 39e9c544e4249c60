"""Deadlines fire to the second, once, in whichever process, after whatever downtime."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Gauge

import deploy.timers
from services.sla.settings import Settings
from services.sla.tickets import states
from services.sla.timers import CONDITION, Timers
from shared.clock import SystemClock
from shared.events import Event, Owner, sla
from shared.events.operations import SlaOperation, operations_stream
from shared.eventstore import EventStore
from shared.http.health import HealthState
from shared.observability.metrics import SLA_TIMER_LAG_SECONDS as LAG
from shared.observability.metrics import SLA_TIMERS_OPEN as OPEN
from shared.observability.metrics import SLA_TIMERS_OVERDUE as OVERDUE
from tests.integration.sla.support import NOON, Desk, Story
from tests.support.database import Database

pytestmark = pytest.mark.integration
HOUR = timedelta(hours=1)
PATIENCE = 10.0
ROOT = Path(__file__).parents[3]
FIRST_REPLY = [{"metric": "first_reply", "seconds": 3_600}]


@asynccontextmanager
async def running(timers: Timers) -> AsyncIterator[None]:
    task = asyncio.create_task(timers.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Commits:
    """Waits for the next commit of events in a store."""

    def __init__(self, store: EventStore[Any]) -> None:
        self._seen = asyncio.Event()
        loop = asyncio.get_running_loop()
        store.on_commit(lambda: loop.call_soon_threadsafe(self._seen.set))

    async def next(self) -> None:
        await asyncio.wait_for(self._seen.wait(), PATIENCE)
        self._seen.clear()


class Readiness(HealthState):
    """A health state that can be waited for."""

    def __init__(self) -> None:
        super().__init__(expects=(CONDITION,))
        self.reports: list[bool] = []
        self.good = asyncio.Event()

    def set(self, name: str, ok: bool, detail: str = "", *, gates: bool = True) -> None:
        super().set(name, ok, detail, gates=gates)
        self.reports.append(ok)
        if ok:
            self.good.set()


def _timers(desk: Desk, settings: Settings, health: HealthState | None = None) -> Timers:
    return Timers(
        store=desk.store,
        judging=desk.judging,
        settings=settings,
        clock=SystemClock(),
        health=health or HealthState(),
    )


async def test_a_deadline_breaks_within_two_seconds_and_wakes_a_loop_that_slept(
    desk: Desk, settings: Settings
) -> None:
    """The loop would sleep for a minute; only being woken, and sleeping exactly, can be in time."""
    sleepy = settings.model_copy(
        update={"timer_recheck_seconds_max": 60.0, "timer_lateness_seconds": 0.2}
    )
    desk.policy(targets=FIRST_REPLY)
    health = Readiness()
    timers = _timers(desk, sleepy, health)
    async with running(timers):
        await asyncio.wait_for(health.good.wait(), PATIENCE)
        commits = Commits(desk.store)
        story = Story()
        due = datetime.now(UTC) + timedelta(seconds=0.7)
        await asyncio.to_thread(desk.hear, story.opened(due - HOUR))
        await commits.next()
        timers.wake()
        await commits.next()
    (breach,) = desk.breaches(story.ticket_id)
    assert breach.breached_at == due
    assert timedelta(seconds=0.2) <= breach.detected_at - due < timedelta(seconds=2)


async def test_a_deadline_does_not_wait_for_the_work_that_shares_the_loops_threads(
    desk: Desk, settings: Settings
) -> None:
    desk.policy(targets=[{"metric": "first_reply", "seconds": 1}])
    story = Story()
    desk.hear(story.opened(datetime.now(UTC)))
    commits, is_over = Commits(desk.store), threading.Event()
    reads = [asyncio.create_task(asyncio.to_thread(is_over.wait, PATIENCE)) for _ in range(100)]
    try:
        async with running(_timers(desk, settings)):
            await commits.next()
    finally:
        is_over.set()
        await asyncio.gather(*reads)
    assert len(desk.breaches(story.ticket_id)) == 1


def test_deadlines_that_nobody_fires_are_counted_all_the_same(
    desk: Desk, settings: Settings
) -> None:
    desk.policy(targets=FIRST_REPLY)
    desk.hear(Story(number=1).opened(NOON), Story(number=2).opened(datetime.now(UTC)))
    timers = _timers(desk, settings)
    desk.store.transact(timers.count)
    assert _shown(OPEN, OVERDUE) == [2, 1]
    assert _shown(LAG)[0] > HOUR.total_seconds()
    timers.fire_due()
    desk.store.transact(timers.count)
    assert _shown(OPEN, OVERDUE, LAG) == [1, 0, 0]


async def test_after_downtime_everything_overdue_fires_once_before_the_service_is_ready(
    desk: Desk, settings: Settings
) -> None:
    desk.policy(targets=FIRST_REPLY)
    stories = [Story(number=number) for number in range(30)]
    for minute, story in enumerate(stories):
        desk.hear(story.opened(NOON + timedelta(minutes=minute)))
    health = Readiness()
    timers = _timers(desk, settings.model_copy(update={"timer_batch_max": 7}), health)
    assert not health.is_ready
    async with running(timers):
        await asyncio.wait_for(health.good.wait(), PATIENCE)
        assert desk.store.transact(states.earliest_due) is None, "ready only when all were fired"
    for minute, story in enumerate(stories):
        (breach,) = desk.breaches(story.ticket_id)
        assert breach.breached_at == NOON + timedelta(minutes=minute) + HOUR
    assert health.reports[0] is False


async def test_timers_wait_for_the_replies_that_came_while_we_were_down_but_not_for_ever(
    desk: Desk, settings: Settings
) -> None:
    desk.policy(targets=FIRST_REPLY)
    answered, silent = Story(number=1), Story(number=2)
    desk.hear(answered.opened(NOON), silent.opened(NOON))
    caught_up = False
    health = Readiness()
    timers = Timers(
        store=desk.store,
        judging=desk.judging,
        settings=settings,
        clock=SystemClock(),
        health=health,
        is_caught_up=lambda: caught_up,
    )
    async with running(timers):
        await asyncio.to_thread(desk.hear, answered.agent_replied(NOON + HOUR / 2))
        caught_up = True
        timers.wake()
        await asyncio.wait_for(health.good.wait(), PATIENCE)
    assert not any(
        isinstance(event, sla.SlaBreached | sla.SlaBreachRetracted)
        for event in desk.told(answered.ticket_id)
    )
    assert len(desk.breaches(silent.ticket_id)) == 1

    impatient = settings.model_copy(update={"timer_catch_up_seconds_max": 0.0})
    late = Story(number=3)
    desk.hear(late.opened(NOON))
    again = Readiness()
    never = Timers(
        store=desk.store,
        judging=desk.judging,
        settings=impatient,
        clock=SystemClock(),
        health=again,
        is_caught_up=lambda: False,
    )
    async with running(never):
        await asyncio.wait_for(again.good.wait(), PATIENCE)
    assert len(desk.breaches(late.ticket_id)) == 1


def test_a_ticket_that_cannot_be_judged_does_not_stop_the_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services.sla import engine

    desk.policy(targets=FIRST_REPLY)
    bad, good = Story(number=1), Story(number=2)
    desk.hear(bad.opened(NOON), good.opened(NOON + timedelta(minutes=1)))
    honest = engine.advance

    def broken(state: Any, now: datetime, rules: Any) -> Any:
        if state.clocks[0].started_us == engine.state.to_us(NOON):
            raise ZeroDivisionError
        return honest(state, now, rules)

    monkeypatch.setattr(engine, "advance", broken)
    assert desk.time_is(NOON + 5 * HOUR) == 2
    assert len(desk.breaches(good.ticket_id)) == 1
    monkeypatch.undo()
    row = desk.store.transact(lambda tx: states.find(tx, bad.ticket_id))
    assert row is not None
    assert row.next_due is not None
    assert row.next_due > datetime.now(UTC), "put aside for a while, not for good"
    assert desk.time_is(row.next_due) == 1
    assert len(desk.breaches(bad.ticket_id)) == 1


def test_an_index_of_timers_that_was_lost_is_rebuilt_from_clocks_and_ladders(
    desk: Desk, clean_database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    step = {"percent": 50, "raise_priority": "next"}
    desk.policy(targets=FIRST_REPLY, escalation=[{"steps": [step]}])
    url, began = clean_database.url("sla"), datetime.now(UTC)
    stories = [Story(number=number) for number in range(3)]
    desk.hear(*(story.opened(began) for story in stories))
    desk.hear(stories[2].agent_replied(began))
    dues = "SELECT ticket_id, next_due FROM ticket_states ORDER BY ticket_id"
    before = desk.store.transact(lambda tx: tx.cursor.execute(dues).fetchall())
    assert deploy.timers.run(url, mends=False) == 0
    lose = "UPDATE ticket_states SET next_due = nullif(now(), next_due) WHERE number > 0"
    desk.store.transact(lambda tx: tx.cursor.execute(lose).rowcount)
    assert deploy.timers.run(url, mends=False) == 1
    assert deploy.timers.run(url, mends=True) == 0
    assert deploy.timers.run(url, mends=False) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if "timers" in line] == [
        "3 tickets, 0 timers not where their clocks say",
        "3 tickets, 2 timers not where their clocks say",
        "3 tickets, 2 timers mended",
        "3 tickets, 0 timers not where their clocks say",
    ]
    assert desk.store.transact(lambda tx: tx.cursor.execute(dues).fetchall()) == before
    (noted,) = desk.store.history(operations_stream(Owner.SLA, "timers"))
    assert isinstance(noted, SlaOperation)
    assert (noted.what, noted.actor.id.partition(":")[0]) == ("timers.mend", "os"), (
        "looking is no act"
    )
    assert desk.time_is(began + HOUR / 2 + timedelta(seconds=1)) == 2, "the steps of two ladders"


def test_two_processes_share_the_work_and_no_timer_fires_twice(
    desk: Desk, clean_database: Database
) -> None:
    stories = _overdue(desk, count=300)
    with _process(clean_database) as one, _process(clean_database) as two:
        for process in (one, two):
            _expect_ready(process)
        for process in (one, two):
            _go(process)
        fired = [_fired_by(process) for process in (one, two)]
    assert sum(fired) == len(stories)
    assert set(_breach_counts(desk).values()) == {1}
    assert len(_breach_counts(desk)) == len(stories)


@pytest.mark.fault
def test_a_process_that_is_killed_between_breach_and_page_loses_and_doubles_nothing(
    desk: Desk, clean_database: Database
) -> None:
    page = {"levels": [{"agent": "anna"}]}
    ladder = [{"steps": [{"seconds_after": 0, "raise_priority": "next", "page": page}]}]
    stories = _overdue(desk, count=300, escalation=ladder)
    with _process(clean_database) as victim:
        _expect_ready(victim)
        _go(victim)
        assert victim.stdout is not None
        assert victim.stdout.readline(), "it has committed at least one batch"
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
    left = len(stories) - len(_breach_counts(desk))
    assert 0 <= left < len(stories)
    with _process(clean_database) as heir:
        _expect_ready(heir)
        _go(heir)
        assert _fired_by(heir) == left
    for kind in (sla.SlaBreached, sla.SlaEscalationStep, sla.SlaPaged):
        counts = _counts(desk, kind)
        assert len(counts) == len(stories)
        assert set(counts.values()) == {1}, kind
    pages = desk.store.transact(
        lambda tx: tx.cursor.execute("SELECT ticket_id, targets FROM alerts").fetchall()
    )
    assert Counter(row["ticket_id"] for row in pages) == {story.ticket_id: 1 for story in stories}
    assert {tuple(row["targets"]) for row in pages} == {("agent:anna",)}


def _shown(*gauges: Gauge) -> list[float]:
    return [
        sample.value
        for gauge in gauges
        for (family,) in [gauge.collect()]
        for sample in family.samples
    ]


def _overdue(desk: Desk, *, count: int, **policy: Any) -> list[Story]:
    desk.policy(targets=FIRST_REPLY, **policy)
    stories = [Story(number=number) for number in range(count)]
    desk.hear(*(story.opened(NOON + timedelta(seconds=n)) for n, story in enumerate(stories)))
    return stories


def _process(database: Database) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.sla.firing", database.url("sla"), "10"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _expect_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def _go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def _fired_by(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    lines = process.stdout.read().split()
    return int(lines[-1]) if lines else 0


def _breach_counts(desk: Desk) -> Counter[str]:
    return _counts(desk, sla.SlaBreached)


def _counts(desk: Desk, kind: type[Event]) -> Counter[str]:
    """How many events of this kind each ticket has."""
    rows = desk.store.transact(
        lambda tx: tx.cursor.execute(
            "SELECT originator_id FROM sla_events WHERE topic = %s",
            (kind.__struct_config__.tag,),
        ).fetchall()
    )
    return Counter(str(row["originator_id"]) for row in rows)
