"""Query's projections of batches from memory, beside COPY of the rows that come out."""

import time
from typing import Any, Final

import msgspec
import psycopg
from pydantic import SecretStr

from services.query.projections import Projections
from services.query.settings import Settings
from shared import heap
from shared.database import Database
from shared.events import Event, encode
from shared.messaging.records import Received
from shared.processes import Part, Parts
from shared.topics import PARTITIONS, topic_of
from tests.bench.copied import copied
from tests.bench.figures import Figure, Goal, Report
from tests.bench.pace import Pace, Stopwatch
from tests.bench.product import Product, run
from tests.bench.scale import Scale
from tests.bench.story import lives

SECTION: Final = "projections"
_DATABASE: Final = "bench_projection"
_GATE: Final = 1
"""The lock behind which the processes wait until all have their events."""

_SECONDS_MAX: Final = 600.0
_GOAL: Final = Goal(at_least=10_000, share_of_limit=0.6)


class _Done(msgspec.Struct):
    """What a process has done, and its processor time for it in seconds."""

    count: int
    core: float


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Done).decode


def measure(product: Product, scale: Scale, report: Report) -> None:
    """Project all events of all stories, without Kafka."""
    with product.fresh_database(_DATABASE):
        ours, count = _project(product, scale.stories)
        limit, rows = copied(product, _DATABASE, count)
    report.add(
        Figure(
            section=SECTION,
            name="projection, batches from memory",
            value=ours.rate,
            unit="events/s",
            limit=limit.rate,
            limit_name="COPY of all resulting rows",
            goal=_GOAL,
            core_ms=ours.core_ms,
            limit_core_ms=limit.core_ms,
            details={"rows": rows},
        )
    )


def _project(product: Product, stories: int) -> tuple[Pace, int]:
    """By as many processes as query catches up with, each with the events of its own partitions in memory."""
    settings = _settings(product)
    store = Database(settings, schema="query")
    store.open()
    try:
        store.migrate("shared.messaging", "services.query")
        with product.connect(_DATABASE) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (_GATE,))
            parts = Parts(_project_part, settings.catch_up_processes, settings, stories)
            try:
                return _measured(product, connection, parts, settings.catch_up_processes)
            finally:
                parts.end()
    finally:
        run(store.close)


def _measured(
    product: Product, connection: psycopg.Connection[Any], parts: Parts, processes: int
) -> tuple[Pace, int]:
    ready = 0
    while ready < processes:
        ready += len(list(parts.words(_SECONDS_MAX)))
    clock = Stopwatch(product.pid("postgres"))
    connection.execute("SELECT pg_advisory_unlock(%s)", (_GATE,))
    done: list[_Done] = []
    while not parts.are_done:
        done += map(_decode, parts.words(_SECONDS_MAX))
    count = sum(each.count for each in done)
    return clock.pace(count, core_elsewhere=sum(each.core for each in done)), count


def _project_part(part: Part, settings: Settings, stories: int) -> None:
    store = Database(settings, schema="query")
    store.open()
    batch = [
        _received(offset, event)
        for offset, event in enumerate(lives(stories))
        if event.stream_id.int % PARTITIONS % part.count == part.number
    ]
    heap.settle()
    projections, size = Projections(), settings.consumer_batch_max // part.count
    part.say(b"ready")
    store.transact(
        lambda tx: tx.cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", (_GATE,))
    )
    begun = time.process_time()
    for first in range(0, len(batch), size):
        some = batch[first : first + size]
        store.transact(lambda tx, some=some: projections(tx, some))  # type: ignore[misc]
    part.say(_encode(_Done(len(batch), time.process_time() - begun)))
    run(store.close)


def _received(offset: int, event: Event) -> Received:
    partition = event.stream_id.int % PARTITIONS
    return Received(topic_of(event.wire_type), partition, offset, event, encode(event))


def _settings(product: Product) -> Settings:
    return Settings(
        database_url=SecretStr(product.database_url("query", _DATABASE)),
        kafka_bootstrap_servers=product.kafka,
    )
