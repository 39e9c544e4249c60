"""Wiring: the only place that knows which parts are real."""

from importlib.metadata import version

from services.routing.api import add_routes
from services.routing.app.alarm import Alarm
from services.routing.app.asking import Asking
from services.routing.app.deciding import Deciding
from services.routing.app.desks import Desks
from services.routing.app.importing import Importing
from services.routing.app.progress import Progress
from services.routing.app.routing import Routing
from services.routing.presence import Leases
from services.routing.settings import Settings
from services.routing.stream import listen
from services.routing.timers import LeaseWatch, Sweeper
from shared.events import Owner
from shared.eventstore import EventStore, GroupCommitter
from shared.http.app import build_api
from shared.messaging import Relay
from shared.service import Service


def build(settings: Settings) -> Service:
    """The service, ready to run."""
    store: EventStore[None] = EventStore(settings, owner=Owner.ROUTING)
    # Verbs write rows and may refuse a later part of the same request, so each gets a savepoint.
    committer = GroupCommitter(store, isolate=True, group_max=settings.commit_group_max)
    heard, nudges = Progress(), Progress()
    alarm = Alarm(nudges.move)
    desks = Desks(drain_max=settings.routing_drain_max, wake_at=alarm.set)
    deciding = Deciding(
        desks, quiet_seconds=settings.routing_import_quiet_seconds, nudge=nudges.move
    )
    leases = _leases(settings)
    routing = Routing(
        store=store,
        committer=committer,
        asking=Asking(desks, nudge=nudges.move),
        importing=Importing(desks),
        heard=heard,
        leases=leases,
        unknown_wait_seconds=settings.routing_unknown_wait_seconds,
        import_wait_seconds=settings.routing_import_wait_seconds,
    )
    api = build_api(
        name="routing", title="Ticketing: routing", version=version("ticketing"), settings=settings
    )
    add_routes(api, routing)
    sweeper = Sweeper(
        store=store,
        deciding=deciding,
        nudges=nudges,
        alarm=alarm,
        sweep_seconds=settings.routing_sweep_seconds,
    )
    watch = LeaseWatch(
        store=store,
        deciding=deciding,
        leases=leases,
        settings=settings,
        health=api.state.health,
    )
    return Service(
        "routing",
        settings,
        api=api,
        store=store,
        migrations=("services.routing",),
        consumers=(listen(settings=settings, store=store, deciding=deciding, heard=heard),),
        relay=Relay(store=store, settings=settings),
        committers=(committer,),
        tasks=(sweeper.run, watch.run),
        on_stop=() if leases is None else (leases.close,),
    )


def _leases(settings: Settings) -> Leases | None:
    if settings.redis_url is None:
        return None
    return Leases(
        settings.redis_url.get_secret_value(),
        prefix=settings.topic_prefix,
        lease_seconds=settings.routing_lease_seconds,
    )
