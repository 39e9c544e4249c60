"""Query's projections of batches from memory, beside COPY of the rows that come out."""

from collections.abc import Sequence
from typing import Final

from pydantic import SecretStr

from services.query.projections import Projections
from services.query.settings import Settings
from shared.database import Database
from shared.events import Event, encode
from shared.messaging.lanes import Share, share_out, side_by_side
from shared.messaging.positions import Slot
from shared.messaging.records import Received
from shared.topics import PARTITIONS, topic_of
from tests.bench.copied import copied
from tests.bench.figures import Figure, Report
from tests.bench.pace import Pace, Stopwatch
from tests.bench.product import Product, run
from tests.bench.scale import Scale
from tests.bench.story import lives

SECTION: Final = "projections"
_DATABASE: Final = "bench_projection"


def measure(product: Product, scale: Scale, report: Report) -> None:
    """Project all events of all stories, without Kafka."""
    events = list(lives(scale.stories))
    with product.fresh_database(_DATABASE):
        ours = _project(product, events)
        limit, rows = copied(product, _DATABASE, len(events))
    report.add(
        Figure(
            section=SECTION,
            name="projection, batches from memory",
            value=ours.rate,
            unit="events/s",
            limit=limit.rate,
            limit_name="COPY of all resulting rows",
            core_ms=ours.core_ms,
            limit_core_ms=limit.core_ms,
            details={"rows": rows},
        )
    )


def _project(product: Product, events: Sequence[Event]) -> Pace:
    settings = _settings(product)
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


def _received(offset: int, event: Event) -> Received:
    partition = event.stream_id.int % PARTITIONS
    return Received(topic_of(event.wire_type), partition, offset, event, encode(event))


def _settings(product: Product) -> Settings:
    return Settings(
        database_url=SecretStr(product.database_url("query", _DATABASE)),
        kafka_bootstrap_servers=product.kafka,
    )
