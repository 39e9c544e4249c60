"""Query's projections: alone in memory, and rebuilt from offset zero, beside COPY of the rows that come out."""

import io
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg import sql
from pydantic import SecretStr

from services.query.projections import Projections
from services.query.settings import Settings
from shared.database import Database
from shared.events import Event, encode
from shared.messaging import Consumer
from shared.messaging.lanes import Share, share_out, side_by_side
from shared.messaging.positions import Slot
from shared.messaging.records import Received
from shared.topics import PARTITIONS, Topic, topic_of
from tests.bench import kafka
from tests.bench.figures import Figure, Missed, Report
from tests.bench.pace import Pace, Stopwatch
from tests.bench.plumbing import Meter, reading
from tests.bench.product import Product, run
from tests.bench.scale import Scale
from tests.bench.story import lives

SECTION: Final = "projections"
_ALONE: Final = "bench_projection"
_REBUILT: Final = "bench_rebuild"
_PREFIX: Final = "rebuild."
_PLUMBING: Final = (
    "schema_migrations",
    "consumer_positions",
    "stream_versions",
    "held_events",
    "parked_events",
)
_COPY_LIMIT: Final = "COPY of all resulting rows"


def measure(product: Product, scale: Scale, report: Report) -> None:
    """Project all events of all stories twice, once without Kafka and once as a rebuild."""
    events = list(lives(scale.stories))
    with product.fresh_database(_ALONE):
        alone = _project(product, events)
        copied, rows = _copy(product, len(events))
    _add(report, "projection, batches from memory", alone, copied, _COPY_LIMIT, rows=rows)
    with product.fresh_database(_REBUILT):
        rebuilt, read = run(lambda: _rebuild(product, events))
        _require_same(product, len(events))
    _add(
        report,
        "projection rebuild, from offset zero into an empty schema",
        rebuilt,
        copied,
        _COPY_LIMIT,
        read_only_per_second=read.rate,
    )


def _project(product: Product, events: Sequence[Event]) -> Pace:
    settings = _settings(product, _ALONE)
    store = Database(settings, schema="query")
    store.open()
    try:
        store.migrate("shared.messaging", "services.query")
        batch = [_received(offset, event) for offset, event in enumerate(events)]
        projections, size = Projections(), settings.consumer_batch_max

        def apply(share: Share[Received]) -> None:
            part = [received for some in share.values() for received in some]
            store.transact(lambda tx: projections(tx, part))

        clock = Stopwatch(product.pid("postgres"))
        for first in range(0, len(batch), size):
            shares = share_out(_by_partition(batch[first : first + size]), settings.consumer_lanes)
            for outcome in side_by_side(apply, shares, lanes=settings.consumer_lanes):
                if outcome is not None:
                    raise outcome
        return clock.pace(len(events))
    finally:
        run(store.close)


def _by_partition(batch: Sequence[Received]) -> Share[Received]:
    parts: dict[Slot, list[Received]] = {}
    for received in batch:
        parts.setdefault((received.topic, received.partition), []).append(received)
    return {**parts}


async def _rebuild(product: Product, events: Sequence[Event]) -> tuple[Pace, Pace]:
    await product.make_topics(_PREFIX, *Topic)
    await kafka.produce(product.kafka, _PREFIX, [kafka.Ready.of(event) for event in events])
    read = await kafka.consume(product.kafka, _PREFIX, tuple(Topic), len(events))
    settings = _settings(product, _REBUILT)
    store = Database(settings, schema="query")
    store.open()
    store.migrate("shared.messaging", "services.query")
    meter = Meter(len(events), server=product.pid("postgres"))
    consumer = Consumer(
        name="query",
        topics=tuple(Topic),
        settings=settings,
        store=store,
        handler=Projections(),
        after_commit=meter,
        lanes=settings.consumer_lanes,
    )
    return await reading(consumer, store, meter), read


def _copy(product: Product, count: int) -> tuple[Pace, int]:
    """The finished tables into empty ones with the same indexes, at once: the pace in events, and the rows."""
    with product.connect(_ALONE) as connection:
        connection.execute("SET search_path = query")
        contents = {name: _dump(connection, name) for name in _tables(connection)}
        for name in contents:
            statement = sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)")
            connection.execute(statement.format(_clone(name), sql.Identifier(name)))
        rows = 0
        clock = Stopwatch(product.pid("postgres"))
        with connection.transaction(), connection.cursor() as cursor:
            for name, data in contents.items():
                statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)")
                with cursor.copy(
                    statement.format(_clone(name), _columns(connection, name))
                ) as copy:
                    copy.write(data)
                rows += cursor.rowcount
        return clock.pace(count), rows


def _dump(connection: psycopg.Connection[Any], name: str) -> bytes:
    statement = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT binary)")
    out = io.BytesIO()
    with (
        connection.cursor() as cursor,
        cursor.copy(statement.format(_columns(connection, name), sql.Identifier(name))) as copy,
    ):
        for part in copy:
            out.write(part)
    return out.getvalue()


def _tables(connection: psycopg.Connection[Any]) -> list[str]:
    rows = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'query'::regnamespace"
        " AND relname <> ALL(%s) ORDER BY relname",
        (list(_PLUMBING),),
    )
    return [row[0] for row in rows]


def _columns(connection: psycopg.Connection[Any], name: str) -> sql.Composed:
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        (name,),
    )
    return sql.SQL(", ").join(sql.Identifier(row[0]) for row in rows)


def _clone(name: str) -> sql.Identifier:
    return sql.Identifier(f"copied_{name}")


def _require_same(product: Product, count: int) -> None:
    with product.connect(_REBUILT) as connection:
        row = connection.execute("SELECT count(*) FROM query.timeline").fetchone()
    assert row is not None
    if row[0] != count:
        raise Missed(f"{count} events were published and {row[0]} projected")


def _received(offset: int, event: Event) -> Received:
    partition = event.stream_id.int % PARTITIONS
    return Received(topic_of(event.wire_type), partition, offset, event, encode(event))


def _settings(product: Product, database: str) -> Settings:
    return Settings(
        database_url=SecretStr(product.database_url("query", database)),
        kafka_bootstrap_servers=product.kafka,
        topic_prefix=_PREFIX,
    )


def _add(
    report: Report, name: str, ours: Pace, limit: Pace, limit_name: str, **more: float
) -> None:
    report.add(
        Figure(
            section=SECTION,
            name=name,
            value=ours.rate,
            unit="events/s",
            limit=limit.rate,
            limit_name=limit_name,
            core_ms=ours.core_ms,
            limit_core_ms=limit.core_ms,
            details=more,
        )
    )
