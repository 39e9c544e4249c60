"""Routing's decisions alone: a long queue given out by one process, and new tickets while a wave drains."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from pydantic import SecretStr

from services.routing.app.alarm import Alarm
from services.routing.app.asking import Asking
from services.routing.app.deciding import Deciding
from services.routing.app.desks import Desks
from services.routing.app.progress import Progress
from services.routing.domain.cause import Cause
from services.routing.settings import Settings
from services.routing.timers import Sweeper
from shared.events.agents import (
    AgentProfile,
    GroupProfile,
    Presence,
    RoutingRule,
    RuleMode,
)
from shared.events.base import Actor, ActorKind, Channel, Event, Owner, Priority, StatusCategory
from shared.events.conditions import Condition
from shared.events.tickets import Person, TicketOpened
from shared.eventstore import EventStore
from shared.identifiers import new_id
from shared.messaging import Received
from shared.topics import Topic
from tests.bench.figures import Figure, Goal, Missed, Report, percentile
from tests.bench.pace import Stopwatch
from tests.bench.product import Product, comes_true, run
from tests.bench.scale import Scale

SECTION: Final = "routing"
_DATABASE: Final = "bench_routing"
_WAVE: Final = "wave"
_ROOM: Final = 1_000.0
_CALM_RATE: Final = 200.0
"""New tickets a second while the wave drains: a very large desk's morning."""

_GIVEN_SECONDS_MAX: Final = 60.0
_BOSS: Final = Cause(Actor(kind=ActorKind.AGENT, id="boss"), Channel.API, "bench")


class Room:
    """Routing without its HTTP entrance and without Kafka, on a database of its own."""

    def __init__(self, settings: Settings) -> None:
        self.store: EventStore[None] = EventStore(settings, owner=Owner.ROUTING)
        self.nudges = Progress()
        self.alarm = Alarm(self.nudges.move)
        self.desks = Desks(drain_max=settings.routing_drain_max, wake_at=self.alarm.set)
        self.deciding = Deciding(self.desks, quiet_seconds=0, nudge=self.nudges.move)
        self.asking = Asking(self.desks, nudge=self.nudges.move)
        self.batch_max = settings.consumer_batch_max
        self._numbers = iter(range(1, 1 << 62))

    def do(self, verb: Callable[..., Any], *arguments: Any) -> Any:
        """One verb in a transaction of its own."""
        return self.store.transact(lambda tx: verb(tx, *arguments))

    def hear(self, events: Sequence[Event]) -> None:
        """A batch, as the consumer hands it over."""
        batch = [Received(Topic.TICKETS, 0, 0, event, b"") for event in events]
        self.store.transact(lambda tx: self.deciding.on_batch(tx, batch))

    def openings(self, groups: Sequence[str]) -> Iterator[TicketOpened]:
        """New tickets for these groups in turn."""
        for number in self._numbers:
            now = datetime.now(UTC)
            yield TicketOpened(
                version=1,
                occurred_at=now,
                recorded_at=now,
                actor=Actor(kind=ActorKind.CUSTOMER, id="cora"),
                via=Channel.EMAIL,
                correlation_id=f"{number:032x}",
                ticket_id=new_id(),
                number=number,
                subject="The printer on the third floor burns",
                message_id=new_id(),
                body="It has been burning since this morning. " * 10,
                requester=Person(f"customer-{number % 5_000}"),
                priority=tuple(Priority)[number % 4],
                category=StatusCategory.NEW,
                tags=(groups[number % len(groups)],),
            )

    def count(self, wire_type: str) -> int:
        """Stored events of this type."""
        row = self.store.transact(
            lambda tx: tx.cursor.execute(
                "SELECT count(*) AS count FROM routing_events WHERE topic = %s", (wire_type,)
            ).fetchone()
        )
        assert row is not None
        return int(row["count"])

    def waiting(self, group: str) -> int:
        """How many wait for this group."""
        row = self.store.transact(
            lambda tx: tx.cursor.execute(
                "SELECT coalesce(sum(waiting), 0) AS count FROM lanes WHERE group_id = %s", (group,)
            ).fetchone()
        )
        assert row is not None
        return int(row["count"])


def measure(product: Product, scale: Scale, report: Report) -> None:
    """Fill the queue, give it out, then free a wave while new tickets come."""
    with product.fresh_database(_DATABASE):
        room = Room(
            Settings(
                database_url=SecretStr(product.database_url("routing", _DATABASE)),
                kafka_bootstrap_servers="127.0.0.1:1",
                jwks_file=None,
            )
        )
        room.store.open()
        try:
            room.store.migrate("shared.messaging", "services.routing")
            _give_out(room, scale, report, product.pid("postgres"))
            run(lambda: _wave(room, scale, report))
        finally:
            run(room.store.close)


def _give_out(room: Room, scale: Scale, report: Report, server: int) -> None:
    groups = [f"group-{number:02}" for number in range(scale.routing_groups)]
    _organise(room, scale, groups)
    openings = room.openings(groups)
    began = time.perf_counter()
    for _ in range(0, scale.routing_queued, room.batch_max):
        room.hear(list(islice(openings, room.batch_max)))
    queued = room.count("assignment.queued.v1")
    filled = queued / (time.perf_counter() - began)
    clock = Stopwatch(server)
    for group in groups:
        profile = GroupProfile(name=group)
        room.do(room.asking.define_group, group, profile, _BOSS, None)
    while room.do(room.deciding.sweep):
        pass
    pace = clock.pace(queued)
    given = room.count("assignment.assigned.v1")
    if given != queued:
        raise Missed(f"{queued} tickets waited and {given} were given out")
    report.add(
        Figure(
            section=SECTION,
            name=f"decisions: {queued:,} waiting tickets to {scale.routing_agents:,} agents, events stored",
            value=pace.rate,
            core_ms=pace.core_ms,
            unit="decisions/s",
            goal=Goal(at_least=2_000),
            details={"queued_per_second": filled, "groups": len(groups)},
        )
    )


def _organise(room: Room, scale: Scale, groups: Sequence[str]) -> None:
    """Everybody is there; the groups do not push until they are told to."""
    for group in groups:
        room.do(
            room.asking.define_group, group, GroupProfile(name=group, is_active=False), _BOSS, None
        )
    _rules(room, groups)
    agents = range(0)

    def join(tx: Any) -> None:
        for number in agents:
            profile = AgentProfile(
                name=f"Agent {number}", groups=(groups[number % len(groups)],), capacity=_ROOM
            )
            room.asking.define_agent(
                tx, f"agent-{number:04}", profile, Presence.ONLINE, _BOSS, None
            )

    for start in range(0, scale.routing_agents, 100):
        agents = range(start, min(start + 100, scale.routing_agents))
        room.store.transact(join)


def _rules(room: Room, groups: Sequence[str]) -> None:
    rules = tuple(
        RoutingRule(id=group, group=group, when=(Condition("tags", "contains", group),))
        for group in groups
    )
    room.do(room.asking.define_rules, rules, RuleMode.FIRST, _BOSS, None)


async def _wave(room: Room, scale: Scale, report: Report) -> None:
    """One agent comes for whom very many tickets wait; meanwhile others' new tickets come in steadily."""
    calm = room.openings([f"group-{number:02}" for number in range(scale.routing_groups)])
    groups = [*(f"group-{number:02}" for number in range(scale.routing_groups)), _WAVE]
    for group in groups:
        await asyncio.to_thread(
            room.do, room.asking.define_group, group, GroupProfile(name=group), _BOSS, None
        )
    await asyncio.to_thread(_rules, room, groups)
    profile = AgentProfile(name="Wave", groups=(_WAVE,))
    await asyncio.to_thread(room.do, room.asking.define_agent, "wave", profile, None, _BOSS, None)
    waiting = room.openings([_WAVE])
    for _ in range(0, scale.routing_wave, room.batch_max):
        await asyncio.to_thread(room.hear, list(islice(waiting, room.batch_max)))
    before = await asyncio.to_thread(room.count, "assignment.assigned.v1")
    sweeper = Sweeper(
        store=room.store,
        deciding=room.deciding,
        nudges=room.nudges,
        alarm=room.alarm,
        sweep_seconds=3_600,
    )
    quiet = await _steady(room, calm, lambda seconds: seconds >= scale.routing_calm_seconds)
    sweeping = asyncio.create_task(sweeper.run())
    coming = asyncio.create_task(
        asyncio.to_thread(room.do, room.asking.choose_presence, "wave", Presence.ONLINE, _BOSS)
    )
    began = time.perf_counter()
    try:
        busy = await _steady(room, calm, lambda _seconds: room.waiting(_WAVE) == 0)
        await coming
        drained = time.perf_counter() - began
        wanted = before + scale.routing_wave + len(busy)
        # What a batch left to the sweeper is given out a moment later.
        await comes_true(
            lambda: room.count("assignment.assigned.v1") >= wanted,
            _GIVEN_SECONDS_MAX,
            f"{scale.routing_wave} waited, {len(busy)} came, and all were given out",
        )
    finally:
        sweeping.cancel()
    report.add(
        Figure(
            section=SECTION,
            name=f"a new ticket heard of → decided and stored, while {scale.routing_wave:,} waiting ones drain, p99",
            value=percentile(busy, 0.99) * 1_000,
            unit="ms",
            goal=Goal(at_most=500),
            details={
                "p50_ms": percentile(busy, 0.5) * 1_000,
                "most_ms": max(busy) * 1_000,
                "quiet_p99_ms": percentile(quiet, 0.99) * 1_000,
                "new_tickets": len(busy),
                "drained_after_seconds": drained,
            },
        )
    )


async def _steady(
    room: Room, openings: Iterator[TicketOpened], is_over: Callable[[float], bool]
) -> list[float]:
    """New tickets at an even rate, taken in batches as a consumer does; seconds from each one's moment to its commit.

    The next one's moment does not wait for the last one's commit, so a stall shows in all that came meanwhile.
    """
    loop = asyncio.get_running_loop()
    began, took = loop.time(), []
    # Asked each time: a machine too slow for this rate is always behind, and must find the end all the same.
    while not await asyncio.to_thread(is_over, loop.time() - began):
        due = int((loop.time() - began) * _CALM_RATE) - len(took)
        if due > 0:
            events = list(islice(openings, min(due, room.batch_max)))
            await asyncio.to_thread(room.hear, events)
            done = loop.time() - began
            first = len(took) + 1
            took += [done - number / _CALM_RATE for number in range(first, first + len(events))]
        else:
            await asyncio.sleep((len(took) + 1) / _CALM_RATE - (loop.time() - began))
    return took
