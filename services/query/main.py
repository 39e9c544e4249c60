"""Wiring: the only place that knows which parts of this service are real."""

import asyncio
from collections.abc import Sequence
from importlib import metadata

from services.query.api import make_router
from services.query.arrivals import Arrivals, Visibility
from services.query.attention import Attentions
from services.query.lag import KnownFirst, LagWatch
from services.query.live import LiveBoard
from services.query.mailing.sender import report_mailer
from services.query.own_log import TABLE, note_operation
from services.query.parts import Parts
from services.query.projections import Projections
from services.query.projections.open_hours import write_open_hours
from services.query.proofs import Proofs
from services.query.reads import Reads
from services.query.settings import Settings
from services.query.view_counts import ViewCounts
from services.query.views.freshness import CONSUMER
from services.query.web import pages
from services.query.word_pairs import WordPairs
from shared.audit import Sealer
from shared.clock import SystemClock
from shared.database import Database
from shared.http.app import build_api
from shared.messaging import Consumer
from shared.messaging.applying import Told
from shared.messaging.catching_up import CatchUp
from shared.security.session import session_router
from shared.service import Service
from shared.topics import Topic


def build(settings: Settings) -> Service:
    """The service, ready to run."""
    store = Database(settings, schema="query")
    api = build_api(
        name="query",
        title="Ticketing: query",
        version=metadata.version("ticketing"),
        settings=settings,
    )
    parts = Parts(
        settings,
        store,
        LagWatch(settings, store),
        Arrivals(),
        Reads(store, settings),
        Attentions(settings),
        ViewCounts(),
        Proofs(settings.front_door_url),
    )
    live = LiveBoard(settings, parts.dashboard, api.state.health)
    api.state.parts, api.state.live = parts, live
    api.add_middleware(KnownFirst, lag=parts.lag)
    api.include_router(make_router(parts))
    api.include_router(session_router())
    api.include_router(pages.router)
    clock = SystemClock()
    mailer = report_mailer(parts)
    visibility = Visibility(since=clock.now())
    loops: list[asyncio.AbstractEventLoop] = []

    async def announce_here() -> None:
        """The loop is only known once it runs; commits are announced into it from the consumer's thread."""
        loops.append(asyncio.get_running_loop())
        await live.run()

    async def open_hours_of_before() -> None:
        """Calendars that were projected before there were open hours; the projection does it for those to come."""
        await asyncio.to_thread(store.transact, lambda tx: write_open_hours(tx.cursor))

    def after_commit(told: Sequence[Told]) -> None:
        visibility.note(told, clock.now())
        changed = {event.stream_id for event in told}
        for loop in loops:
            loop.call_soon_threadsafe(parts.arrivals.announce, changed)
            loop.call_soon_threadsafe(live.announce)

    consumer = Consumer(
        name=CONSUMER,
        topics=tuple(Topic),
        settings=settings,
        store=store,
        handler=Projections(),
        after_commit=after_commit,
        lanes=settings.consumer_lanes,
        catch_up=CatchUp(Projections, settings.catch_up_processes),
    )
    return Service(
        "query",
        settings,
        api=api,
        store=store,
        migrations=("shared.audit", "services.query"),
        sealer=Sealer(
            store,
            service="query",
            table=TABLE,
            found_by="ticket_id",
            seconds=settings.audit_seal_seconds,
            secret=settings.audit_secret.get_secret_value() if settings.audit_secret else None,
        ),
        consumers=(consumer,),
        tasks=(
            announce_here,
            open_hours_of_before,
            parts.lag.run,
            parts.attentions.run,
            parts.count_views,
            WordPairs(store, parts.lag).run,
            *([mailer.run] if mailer else []),
        ),
        on_drain=(live.close,),
        on_stop=(parts.attentions.close,),
        note=note_operation,
    )
