"""Shifts begin and end at their minute: a timer is set for it, and the safety sweep is a year away."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from services.routing.app.alarm import Alarm
from services.routing.app.asking import Asking
from services.routing.app.deciding import Deciding
from services.routing.app.desks import Desks
from services.routing.app.progress import Progress
from services.routing.domain.cause import Cause
from services.routing.timers import Sweeper
from shared.events.agents import AgentProfile, GroupProfile, Presence, RoutingRule, RuleMode
from shared.events.base import Actor, ActorKind, Channel, Event
from shared.events.policies import CalendarDefined
from shared.eventstore import EventStore, EventTransaction
from shared.messaging import Received
from shared.topics import topic_of
from tests.integration.routing.office import Office
from tests.support.events import stamp

pytestmark = pytest.mark.integration

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOURS = {"mon": [["09:30", "17:00"]], "tue": [["08:15", "12:00"]]}
YEAR_SECONDS = 366 * 86_400
BOSS = Cause(Actor(kind=ActorKind.AGENT, id="boss"), Channel.AGENT, "by-hand")


class Over(Exception):
    """As much time has passed as the test wanted."""


class Clock(Progress):
    """Time stands still while somebody works, and passes at once when everybody sleeps."""

    def __init__(self, until: datetime) -> None:
        super().__init__()
        self.now = MONDAY
        self.until = until
        self.sleeps = 0

    async def past(self, seen: int, seconds: float) -> bool:
        if self.count > seen:
            return True
        self.sleeps += 1
        self.now += timedelta(seconds=seconds)
        if self.now > self.until:
            raise Over
        return False


class Clocked:
    """The store, whose transactions begin by this clock."""

    def __init__(self, store: EventStore[Any], clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def transact(self, work: Callable[[EventTransaction[Any]], Any]) -> Any:
        def at(tx: EventTransaction[Any]) -> Any:
            tx.now = self._clock.now
            return work(tx)

        return self._store.transact(at)


async def test_work_comes_at_the_minute_the_shift_begins_and_goes_when_grace_after_it_ends(
    office: Office,
) -> None:
    clock = Clock(until=MONDAY + timedelta(days=1, hours=1))
    store = Clocked(office.store, clock)
    alarm = Alarm(clock.move)
    desks = Desks(drain_max=50, wake_at=alarm.set)
    deciding = Deciding(desks, quiet_seconds=0, nudge=clock.move)
    asking = Asking(desks, nudge=clock.move)

    def hear(event: Event) -> None:
        batch = [Received(topic_of(event.wire_type), 0, 0, event, b"")]
        store.transact(lambda tx: deciding.on_batch(tx, batch))

    def define(tx: EventTransaction[Any]) -> None:
        group = GroupProfile(name="Support", grace_seconds=600)
        asking.define_group(tx, "support", group, BOSS, None)
        rules = (RoutingRule(id="all", group="support"),)
        asking.define_rules(tx, rules, RuleMode.FIRST, BOSS, None)
        ann = AgentProfile(name="Ann", groups=("support",), shift_calendar="early")
        asking.define_agent(tx, "ann", ann, Presence.ONLINE, BOSS, None)

    calendar = {"timezone": "UTC", "hours": HOURS}
    hear(CalendarDefined(**stamp(1), calendar_id="early", definition=calendar))
    store.transact(define)
    opened = office.tickets.opened()
    hear(opened)
    sweeper = Sweeper(
        store=cast(EventStore[Any], store),
        deciding=deciding,
        nudges=clock,
        alarm=alarm,
        sweep_seconds=YEAR_SECONDS,
        now=lambda: clock.now,
    )
    with pytest.raises(Over):
        await sweeper.run()
    told = [
        (type(event).__name__, f"{event.recorded_at:%a %H:%M}")
        for event in await office.events(opened.ticket_id)
    ]
    assert told == [
        ("GroupChanged", "Mon 09:00"),
        ("TicketQueued", "Mon 09:00"),
        ("TicketAssigned", "Mon 09:30"),
        ("TicketUnassigned", "Mon 17:10"),
        ("TicketQueued", "Mon 17:10"),
        ("TicketAssigned", "Tue 08:15"),
    ]
    assert clock.sleeps <= 6, "nothing is polled"
    await office.check()
