"""The one place that knows which parts of the sla service are real."""

from importlib import metadata
from typing import Any

from services.sla.alerts.desk import AlertDesk
from services.sla.alerts.senders import Senders
from services.sla.alerts.sinks import build_sinks, parts_of
from services.sla.alerts.sinks_file import read_sinks_file
from services.sla.api import routers
from services.sla.app import Sla
from services.sla.backtest import Runner
from services.sla.backtest.desk import TrialDesk
from services.sla.calendars import Recalculation
from services.sla.oncall.contact_desk import ContactDesk
from services.sla.oncall.desk import RotaDesk
from services.sla.promises.books import Books
from services.sla.reapplying import Reapplication
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
        ValueError: an alert receiver's address or secret, or the file of sinks, is not what it should be.
    """
    clock = SystemClock()
    store: EventStore[Any] = EventStore(settings, owner=Owner.SLA)
    books = Books()
    sinks = build_sinks(settings)
    judging = Judging(books=books, sinks=sinks, pages_warnings=settings.alert_on_warnings)
    health = HealthState(expects=(CONDITION,))
    parts = parts_of(settings)
    senders = Senders(
        store=store,
        fixed=sinks,
        parts=parts,
        settings=settings,
        clock=clock,
        documents=read_sinks_file(settings.alert_sinks_file) if settings.alert_sinks_file else None,
    )
    recalculation = Recalculation(store=store, judging=judging)
    reapplication = Reapplication(store=store, judging=judging)

    def wake_all() -> None:
        timers.wake()
        senders.wake()

    consumer = ticket_consumer(
        store=store, judging=judging, settings=settings, after_commit=wake_all
    )
    timers = Timers(
        store=store,
        judging=judging,
        settings=settings,
        clock=clock,
        health=health,
        after_commit=senders.wake,
        is_caught_up=lambda: is_caught_up(consumer),
    )
    committer = GroupCommitter(store, isolate=True)
    sla = Sla(
        store=store,
        committer=committer,
        books=books,
        judging=judging,
        clock=clock,
        on_calendar=recalculation.wake,
        on_alert=senders.wake,
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
    alert_desk = AlertDesk(store=store, senders=senders, parts=parts, clock=clock)
    trial_desk = TrialDesk(store=store, runner=Runner(settings), clock=clock)
    contact_desk = ContactDesk(store)
    for router in routers(sla, rota_desk, alert_desk, contact_desk, trial_desk, reapplication):
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
            reapplication.run,
            *senders.tasks(),
        ),
    )
