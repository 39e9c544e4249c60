"""Query reads everything from offset zero, and builds what it has anew, beside COPY of the rows that come out."""

from itertools import islice
from typing import Final

from pydantic import SecretStr

from services.query.generations import rebuild
from services.query.projections import Projections
from services.query.projections.groups import TABLES, Group
from services.query.settings import Settings
from shared.database import Database
from shared.messaging import Consumer
from shared.messaging.catching_up import CatchUp
from shared.topics import Topic
from tests.bench import kafka
from tests.bench.copied import copied
from tests.bench.figures import Figure, Goal, Missed, Report
from tests.bench.pace import Pace, Stopwatch
from tests.bench.plumbing import Meter, reading
from tests.bench.product import Product, run
from tests.bench.scale import Scale
from tests.bench.story import lives

SECTION: Final = "rebuild"
_DATABASE: Final = "bench_rebuild"
_PREFIX: Final = "rebuild."
_PUBLISHED_TOGETHER: Final = 24_000
_GROUPS: Final = (Group.TICKETS, Group.TIMELINE)
"""What the stories are about; together nearly all that query keeps."""

_RATE_MIN: Final = 10_000


def measure(product: Product, scale: Scale, report: Report) -> None:
    """Read the stories as a service that begins, then rebuild both groups of tables as `ticketing projections` does."""
    with product.fresh_database(_DATABASE):
        count = run(lambda: publish(product, scale.rebuilt_stories))
        began = run(lambda: read(product, count))
        limit, rows = copied(product, _DATABASE, count)
        _add(
            report, "query reads all from offset zero, as a service that begins", began, limit, rows
        )
        for group in _GROUPS:
            ours = rebuilt(product, group, count)
            limit, rows = copied(product, _DATABASE, count, TABLES[group])
            name = f"`ticketing projections rebuild {group}`, checked and switched"
            _add(report, name, ours, limit, rows)


async def publish(product: Product, stories: int) -> int:
    """All events of so many stories; returns how many."""
    await product.make_topics(_PREFIX, *Topic)
    count = 0
    told = lives(stories)
    while events := list(islice(told, _PUBLISHED_TOGETHER)):
        await kafka.produce(product.kafka, _PREFIX, [kafka.Ready.of(event) for event in events])
        count += len(events)
    return count


async def read(product: Product, count: int) -> Pace:
    """As a service that was never there before."""
    settings = settings_of(product)
    store = Database(settings, schema="query")
    store.open()
    store.migrate("shared.messaging", "services.query")
    meter = Meter(count, server=product.pid("postgres"))
    consumer = Consumer(
        name="query",
        topics=tuple(Topic),
        settings=settings,
        store=store,
        handler=Projections(),
        after_commit=meter,
        lanes=settings.consumer_lanes,
        catch_up=CatchUp(Projections, settings.catch_up_processes),
    )
    return await reading(consumer, store, meter)


def rebuilt(product: Product, group: Group, count: int) -> Pace:
    """From the first look to the switch, with all processes and with the checks.

    Raises:
        Missed: rows came out otherwise, or not all events were read.
    """
    settings = settings_of(product)
    clock = Stopwatch(product.pid("postgres"), with_children=True)
    done = run(lambda: rebuild(settings, group, lambda _progress: None))
    pace = clock.pace(count)
    if done.differences or done.done != count:
        raise Missed(f"{done.done} of {count} events were read; differences: {done.differences}")
    return pace


def settings_of(product: Product) -> Settings:
    """Query's, for this database and these topics."""
    return Settings(
        database_url=SecretStr(product.database_url("query", _DATABASE)),
        kafka_bootstrap_servers=product.kafka,
        topic_prefix=_PREFIX,
    )


def _add(report: Report, name: str, ours: Pace, limit: Pace, rows: int) -> None:
    report.add(
        Figure(
            section=SECTION,
            name=name,
            value=ours.rate,
            unit="events/s",
            limit=limit.rate,
            limit_name="COPY of all resulting rows",
            goal=Goal(at_least=_RATE_MIN),
            core_ms=ours.core_ms,
            limit_core_ms=limit.core_ms,
            details={"rows": rows},
        )
    )
