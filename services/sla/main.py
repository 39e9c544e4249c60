"""The one place that knows which parts of the sla service are real."""

from importlib import metadata
from typing import Any

from services.sla.alerts.sender import Sender
from services.sla.alerts.sinks import build_sinks
from services.sla.api import routers
from services.sla.app import Sla
from services.sla.calendars import Recalculation
from services.sla.oncall.desk import RotaDesk
from services.sla.promises.books import Books
from services.sla.settings import Settings
from services.sla.stream import is_caught_up, ticket_consumer
from services.sla.tickets.judging import Judging
from services.sla.timers import CONDITION, Timers
from shared.clock import SystemClock
from shared.events.base import Owner
from shared.eventstore import EventStore, GroupCommitter
from shared.http.app import build_api
from shared.http.health import HealthState
from shared.messaging import Relay
from shared.service import Service


def build(settings: Settings) -> Service:
    """The service, ready to run.

    Raises:
        ValueError: an alert receiver's address or secret is not what it should be.
    """
    clock = SystemClock()
    store: EventStore[Any] = EventStore(settings, owner=Owner.SLA)
    books = Books()
    sinks = build_sinks(settings)
    judging = Judging(books=books, sinks=sinks, pages_warnings=settings.alert_on_warnings)
    health = HealthState(expects=(CONDITION,))
    senders = [Sender(store=store, sink=sink, settings=settings, clock=clock) for sink in sinks]
    recalculation = Recalculation(store=store, judging=judging)

    def wake_senders() -> None:
        for sender in senders:
            sender.wake()

    def wake_all() -> None:
        timers.wake()
        wake_senders()

    consumer = ticket_consumer(
        store=store, judging=judging, settings=settings, after_commit=wake_all
    )
    timers = Timers(
        store=store,
        judging=judging,
        settings=settings,
        clock=clock,
        health=health,
        after_commit=wake_senders,
        is_caught_up=lambda: is_caught_up(consumer),
    )
    committer = GroupCommitter(store, isolate=True)
    sla = Sla(
        store=store,
        committer=committer,
        books=books,
        sinks=sinks,
        clock=clock,
        on_calendar=recalculation.wake,
        on_alert=wake_senders,
        on_import=timers.wake,
    )
    api = build_api(
        name="sla",
        title="Ticketing: promises, breaches, on-call",
        version=metadata.version("ticketing"),
        settings=settings,
        health=health,
    )
    rota_desk = RotaDesk(store=store, committer=committer, clock=clock)
    for router in routers(sla, rota_desk):
        api.include_router(router)
    return Service(
        "sla",
        settings,
        api=api,
        store=store,
        migrations=("services.sla",),
        consumers=(consumer,),
        relay=Relay(store=store, settings=settings),
        committers=(committer,),
        tasks=(
            timers.run,
            timers.watch,
            recalculation.run,
            *(sender.run for sender in senders),
        ),
    )
