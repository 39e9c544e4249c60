"""Event store, relay and consumer on their own, each beside the same bytes through COPY or aiokafka alone."""

import asyncio
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, Final

import psycopg
from pydantic import SecretStr

from shared.database import Database, Transaction
from shared.events import Event, Owner, encode
from shared.eventstore import EventStore
from shared.messaging import Consumer, Received, Relay
from shared.messaging.applying import Told
from shared.settings import ServiceSettings
from shared.topics import Topic
from tests.bench import kafka
from tests.bench.bare import SCHEMA
from tests.bench.figures import Figure, Missed, Report
from tests.bench.pace import Pace, Stopwatch
from tests.bench.product import Product, comes_true, run
from tests.bench.scale import Scale
from tests.bench.story import lives

SECTION: Final = "plumbing"
_DATABASE: Final = "bench_plumbing"
_GROUP: Final = 500
_SECONDS_MAX: Final = 1_800.0


class Meter:
    """Counts what a consumer has applied; the clock starts after the first batch, so joining the group is left out.

    Args:
        expected: how many events there are.
        server: a process whose time counts as well.
    """

    def __init__(self, expected: int, *, server: int | None = None) -> None:
        self._expected = expected
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[Pace] = self._loop.create_future()
        self._first = self._count = 0
        self._clock = Stopwatch(server)

    def __call__(self, applied: Sequence[Told]) -> None:
        """After a commit, in the consumer's thread."""
        self._count += len(applied)
        if self._count >= self._expected:
            # All in the first batch: then its time counts too.
            pace = self._clock.pace(self._count - self._first)
            self._loop.call_soon_threadsafe(self._finish, pace)
        elif not self._first:
            self._first, self._clock = self._count, Stopwatch(self._server)

    async def pace(self) -> Pace:
        """How fast it went, once all were applied."""
        try:
            return await asyncio.wait_for(self._done, _SECONDS_MAX)
        except TimeoutError:
            raise Missed(
                f"{self._count} of {self._expected} events were applied in {_SECONDS_MAX:g} s"
            ) from None

    def _finish(self, pace: Pace) -> None:
        if not self._done.done():
            self._done.set_result(pace)


def measure(product: Product, scale: Scale, report: Report) -> None:
    """Store, publish and read the tickets' events of all stories."""
    events = [event for event in lives(scale.stories) if event.OWNER is Owner.INTAKE]
    with product.fresh_database(_DATABASE):
        _measure_store(product, events, report)
        run(lambda: _measure_relay(product, events, scale, report))
        run(lambda: _measure_consumer(product, len(events), scale, report))


def _measure_store(product: Product, events: Sequence[Event], report: Report) -> None:
    store: EventStore[Any] = EventStore(_settings(product, "intake", "relay"), owner=Owner.INTAKE)
    store.open()
    store.migrate()
    try:
        clock = Stopwatch(product.pid("postgres"))
        for group in _groups(events):
            store.transact(_appending(group))
        ours = clock.pace(len(events))
    finally:
        asyncio.run(store.close())
    _add(
        report,
        f"event store, appends of {_GROUP}",
        [ours],
        [_copy(product, events)],
        "COPY of the same rows",
    )


def _copy(product: Product, events: Sequence[Event]) -> Pace:
    """The same rows into the same kind of table, as many to a transaction."""
    rows = [(event.stream_id, event.version, event.wire_type, encode(event)) for event in events]
    with product.connect(_DATABASE) as connection:
        connection.execute(SCHEMA)
        clock = Stopwatch(product.pid("postgres"))
        for group in _groups(rows):
            with (
                connection.transaction(),
                connection.cursor() as cursor,
                cursor.copy(
                    "COPY bare_events (originator_id, originator_version, topic, state) FROM STDIN (FORMAT binary)"
                ) as copy,
            ):
                copy.set_types(["uuid", "int8", "text", "bytea"])
                for row in group:
                    copy.write_row(row)
        return clock.pace(len(rows))


async def _measure_relay(
    product: Product, events: Sequence[Event], scale: Scale, report: Report
) -> None:
    ready = [kafka.Ready.of(event) for event in events]
    ours: list[Pace] = []
    limits: list[Pace] = []
    # A broker that was just started is slow at first; neither side is to pay for it.
    await product.make_topics("warm.", Topic.TICKETS)
    await kafka.produce(product.kafka, "warm.", ready)
    for turn in range(scale.plumbing_rounds):
        raw, relayed = f"raw-{turn}.", _relayed(turn)
        await product.make_topics(raw, Topic.TICKETS)
        await product.make_topics(relayed, Topic.TICKETS)
        if (
            turn % 2
        ):  # who goes first takes turns, so that a machine that gets busier harms both alike
            ours.append(await _relay(product, relayed, len(events)))
        limits.append(await kafka.produce(product.kafka, raw, ready))
        if not turn % 2:
            ours.append(await _relay(product, relayed, len(events)))
    _add(
        report,
        "relay, from the event table to Kafka",
        ours,
        limits,
        "aiokafka, the same records ready-made",
    )


async def _relay(product: Product, prefix: str, count: int) -> Pace:
    settings = _settings(product, "intake", prefix)
    store: EventStore[Any] = EventStore(settings, owner=Owner.INTAKE)
    with product.connect(_DATABASE) as connection:
        connection.execute("UPDATE intake.relay_position SET notification_id = 0")
        last = _last(connection)
    relay = Relay(store=store, settings=settings)
    begun = Stopwatch()
    task = asyncio.create_task(relay.run())
    try:
        await comes_true(lambda: relay.position > 0, _SECONDS_MAX, "the first batch was published")
        clock, first = Stopwatch(), relay.position
        if first == last:
            clock, first = begun, 0  # all went at once: then the start counts too
        await comes_true(lambda: relay.position >= last, _SECONDS_MAX, "all was published")
        return clock.pace(round(count * (last - first) / last))
    finally:
        relay.stop()
        await task
        await store.close()


async def _measure_consumer(product: Product, count: int, scale: Scale, report: Report) -> None:
    ours: list[Pace] = []
    limits: list[Pace] = []
    for turn in range(scale.plumbing_rounds):
        prefix = _relayed(turn)
        limits.append(await kafka.consume(product.kafka, prefix, [Topic.TICKETS], count))
        ours.append(await _consume(product, prefix, turn, count))
    _add(report, "consumer, gate and positions, nothing to do", ours, limits, "aiokafka, read only")


async def _consume(product: Product, prefix: str, turn: int, count: int) -> Pace:
    settings = _settings(product, "query", prefix)
    store = Database(settings, schema="query")
    store.open()
    await asyncio.to_thread(store.migrate, "shared.messaging")
    meter = Meter(count)
    consumer = Consumer(
        name=f"nothing-{turn}",
        topics=[Topic.TICKETS],
        settings=settings,
        store=store,
        handler=_nothing,
        after_commit=meter,
    )
    return await reading(consumer, store, meter)


async def reading(consumer: Consumer, store: Database, meter: Meter) -> Pace:
    """How fast the consumer went, from its first batch to the last event."""
    await consumer.start()
    try:
        return await meter.pace()
    finally:
        await consumer.stop()
        await store.close()


def _nothing(tx: Transaction, batch: Sequence[Received]) -> None:
    """What is measured is the way here."""


def _appending(group: Sequence[Event]) -> Callable[[Any], None]:
    return lambda tx: tx.append(*group)


def _groups(values: Sequence[Any]) -> list[Sequence[Any]]:
    return [values[first : first + _GROUP] for first in range(0, len(values), _GROUP)]


def _relayed(turn: int) -> str:
    return f"relayed-{turn}."


def _last(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT max(notification_id) FROM intake.intake_events").fetchone()
    assert row is not None
    return int(row[0])


def _settings(product: Product, role: str, prefix: str) -> ServiceSettings:
    return ServiceSettings(
        database_url=SecretStr(product.database_url(role, _DATABASE)),
        kafka_bootstrap_servers=product.kafka,
        topic_prefix=prefix,
    )


def _add(report: Report, name: str, ours: list[Pace], limits: list[Pace], limit_name: str) -> None:
    report.add(
        Figure(
            section=SECTION,
            name=name,
            value=median(pace.rate for pace in ours),
            unit="events/s",
            limit=median(pace.rate for pace in limits),
            limit_name=limit_name,
            core_ms=median(pace.core_ms for pace in ours),
            limit_core_ms=median(pace.core_ms for pace in limits),
            rounds=[pace.rate for pace in ours],
            limit_rounds=[pace.rate for pace in limits],
        )
    )
