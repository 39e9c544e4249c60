"""The relay: publishes a service's event table to Kafka in order, at least once, from one leader at a time."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import psycopg
import structlog
from aiokafka.errors import KafkaError
from psycopg.rows import DictRow
from psycopg.sql import SQL, Identifier

from shared.eventstore import EventStore
from shared.messaging.producer import BatchingProducer
from shared.messaging.records import headers_of, recorded_at
from shared.messaging.starting import uncut
from shared.messaging.watermark import TELL_SECONDS, Watermark, encode
from shared.numbers import last_number
from shared.observability import metrics
from shared.settings import ServiceSettings
from shared.topics import WATERMARKS, topic_of

log = structlog.get_logger(__name__)

_PAUSE_SECONDS_FIRST: Final = 0.2
_PAUSE_SECONDS_MAX: Final = 10.0
_LEADER_CHECK_SECONDS: Final = 2.0
_CLOSE_SECONDS_MAX: Final = 5.0
"""When the service stops; what is not sent by then is sent again after the next start."""


class Producer(Protocol):
    """What the relay sends with."""

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Send what is under way and disconnect."""

    async def send(
        self, topic: str, value: bytes, *, key: bytes, headers: list[tuple[str, bytes]]
    ) -> Awaitable[Any]:
        """Queue a record; the awaitable is done when the brokers have it."""

    async def flush(self) -> None:
        """Hand over what is queued."""

    async def tell(self, topic: str, value: bytes, *, key: bytes) -> None:
        """Send one record by itself, beside the queue; returns when the brokers have it."""


class Ahead(Exception):
    """The relay's position lies where the log has not come yet."""


class Relay:
    """Follows `<owner>_events` by `notification_id` and publishes the stored bytes.

    The leader holds an advisory lock on a session of its own; the position lies in the same database. A relay that
    lost its lock without noticing can only publish again what was published: readers gate on the stream's version.

    Args:
        store: whose events to publish.
        settings: addresses and limits.
        make_producer: gives one for each time of leading; a `BatchingProducer` unless told otherwise.
    """

    def __init__(
        self,
        *,
        store: EventStore[Any],
        settings: ServiceSettings,
        make_producer: Callable[[], Producer] | None = None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._make_producer = make_producer or self._idempotent_producer
        self._woken = asyncio.Event()
        self._stopping = asyncio.Event()
        self._pause_seconds = _PAUSE_SECONDS_FIRST
        self._loop: asyncio.AbstractEventLoop | None = None
        self.position = 0
        self.published_until: datetime | None = None
        self.is_leader = False
        self.problem: str | None = "not started"

    def wake(self) -> None:
        """Look at once; callable from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)

    async def run(self) -> None:
        """Lead, or wait to lead, until `stop`. A failure is followed by a growing pause and a fresh start."""
        self._loop = asyncio.get_running_loop()
        self._store.on_commit(self.wake)
        while not self._stopping.is_set():
            try:
                await self._lead()
            except Exception as error:
                is_expected = isinstance(error, psycopg.Error | KafkaError | OSError | Ahead)
                self.problem = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
                log.warning(
                    "relay_interrupted",
                    owner=self._store.owner,
                    error=self.problem,
                    exc_info=not is_expected,
                )
                metrics.RELAY_INTERRUPTIONS.labels(self._store.owner).inc()
                # Commits do not shorten it: under load they would turn an outage into a busy loop.
                await self._rest(self._pause_seconds)
                self._pause_seconds = min(self._pause_seconds * 2, _PAUSE_SECONDS_MAX)
            finally:
                self.is_leader = False
                metrics.RELAY_IS_LEADER.labels(self._store.owner).set(0)

    def stop(self) -> None:
        """End after the batch under way."""
        self._stopping.set()
        self._woken.set()

    async def _lead(self) -> None:
        connection = await self._store.connect()
        try:
            while not await self._is_locked(connection):
                self.problem = None
                await self._rest(_LEADER_CHECK_SECONDS)
                if self._stopping.is_set():
                    return
            producer = self._make_producer()
            try:
                await uncut(producer.start())
                self.is_leader = True
                metrics.RELAY_IS_LEADER.labels(self._store.owner).set(1)
                telling = asyncio.create_task(self._tell_watermarks(producer))
                try:
                    await self._follow(connection, producer)
                finally:
                    await _end(telling)
            finally:
                await self._close(producer)
        finally:
            await connection.close()

    def _idempotent_producer(self) -> Producer:
        return BatchingProducer(
            self._settings, client_id=f"relay-{self._store.owner}-{self._settings.instance}"
        )

    async def _close(self, producer: Producer) -> None:
        """Wait for what is under way: left alone, it would arrive in the middle of what is sent next."""
        limit = _CLOSE_SECONDS_MAX if self._stopping.is_set() else None
        try:
            await asyncio.wait_for(producer.stop(), limit)
        except TimeoutError:
            log.warning("relay_leaves_unsent", owner=self._store.owner)

    async def _is_locked(self, connection: psycopg.AsyncConnection[DictRow]) -> bool:
        cursor = await connection.execute(
            "SELECT pg_try_advisory_lock(hashtext(current_database()), hashtext(%s)) AS locked",
            (f"relay:{self._store.owner}",),
        )
        row = await cursor.fetchone()
        return row is not None and bool(row["locked"])

    async def _follow(
        self, connection: psycopg.AsyncConnection[DictRow], producer: Producer
    ) -> None:
        await self.find_position(connection)
        self.problem = None
        while not self._stopping.is_set():
            self._woken.clear()
            count = await self.publish_next(connection, producer)
            if not count:
                await self._pause(self._settings.relay_wake_ms_max / 1000)
            elif count < self._settings.relay_batch_max:
                # Each turn has a price of its own (a query, a request, a position): under load fewer, fuller ones
                # leave more of the machine to commands. Whoever comes after a quiet moment does not wait for this.
                await self._rest(self._settings.relay_gather_ms / 1000)
            self._pause_seconds = _PAUSE_SECONDS_FIRST

    async def find_position(self, connection: psycopg.AsyncConnection[DictRow]) -> None:
        """Where the leader before us ended.

        Raises:
            Ahead: the log has not come so far: what it stores next would never be published.
        """
        cursor = await connection.execute(
            SQL("SELECT notification_id, coalesce({}, 0) AS given FROM relay_position").format(
                last_number(self._store.events_table)
            )
        )
        row = await cursor.fetchone()
        assert row is not None
        if row["notification_id"] > row["given"]:
            raise Ahead(
                f"published up to {row['notification_id']}, but the log has numbered {row['given']} events only:"
                " one was changed by hand, or the log was restored without its sequence"
            )
        self.position = row["notification_id"]

    async def publish_next(
        self, connection: psycopg.AsyncConnection[DictRow], producer: Producer
    ) -> int:
        """Publish the next batch and remember it.

        Returns:
            how many events it had.

        Raises:
            KafkaError: some of it may be published; the position has not moved.
            psycopg.OperationalError: all of it is published, and the position may not have moved.
        """
        asked_at, table = datetime.now(UTC), self._store.events_table
        cursor = await connection.execute(
            SQL(
                "SELECT notification_id, originator_id, originator_version, topic, state FROM {}"
                " WHERE notification_id > %s AND notification_id <= {} ORDER BY notification_id LIMIT %s"
            ).format(Identifier(table), last_number(table)),
            (self.position, self._settings.relay_batch_max),
            prepare=True,
        )
        rows = await cursor.fetchall()
        behind = await self._behind(connection, rows)
        metrics.RELAY_LAG_EVENTS.labels(self._store.owner).set(behind)
        if rows:
            await self._publish(producer, rows)
            await self._advance(connection, rows[-1]["notification_id"])
            metrics.RELAY_PUBLISHED.labels(self._store.owner).inc(len(rows))
            metrics.RELAY_DELAY_SECONDS.labels(self._store.owner).observe(
                max(0.0, (datetime.now(UTC) - recorded_at(rows[0]["state"])).total_seconds())
            )
        if len(rows) < self._settings.relay_batch_max:
            self.published_until = asked_at
        return len(rows)

    async def _tell_watermarks(self, producer: Producer) -> None:
        """Say until when all is published, while that moves on. A failure here is no reason to stop publishing."""
        topic, owner = self._settings.topic_prefix + WATERMARKS, self._store.owner
        told: datetime | None = None
        while True:
            until = self.published_until
            if until is not None and until != told:
                mark = Watermark(owner, until, self.position)
                try:
                    await producer.tell(topic, encode(mark), key=owner.encode())
                    told = until
                except (KafkaError, OSError) as error:
                    log.warning("watermark_not_told", owner=owner, error=repr(error))
            await asyncio.sleep(TELL_SECONDS)

    async def _behind(
        self, connection: psycopg.AsyncConnection[DictRow], rows: list[DictRow]
    ) -> int:
        """Events not yet published; asked for only when they are more than a batch."""
        if len(rows) < self._settings.relay_batch_max:
            return len(rows)
        cursor = await connection.execute(
            SQL("SELECT {} AS newest").format(last_number(self._store.events_table))
        )
        row = await cursor.fetchone()
        return 0 if row is None else int(row["newest"]) - self.position

    async def _publish(self, producer: Producer, rows: list[DictRow]) -> None:
        """All or an error: after the first failure nothing more is sent, so order in a partition holds."""
        owner, prefix = self._store.owner, self._settings.topic_prefix
        sent: list[Awaitable[Any]] = []
        try:
            for row in rows:
                stream_id, wire_type, raw = row["originator_id"], row["topic"], row["state"]
                sent.append(
                    await producer.send(
                        prefix + topic_of(wire_type),
                        raw,
                        key=str(stream_id).encode(),
                        headers=headers_of(
                            owner, stream_id, row["originator_version"], wire_type, raw
                        ),
                    )
                )
            await producer.flush()
        except Exception:
            await asyncio.gather(*sent, return_exceptions=True)  # nobody else would hear of these
            raise
        for result in await asyncio.gather(*sent, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def _advance(self, connection: psycopg.AsyncConnection[DictRow], position: int) -> None:
        cursor = await connection.execute(
            "UPDATE relay_position SET notification_id = %s WHERE notification_id = %s",
            (position, self.position),
        )
        if cursor.rowcount != 1:
            raise psycopg.OperationalError("another relay moved the position: leadership was lost")
        self.position = position

    async def _pause(self, seconds: float) -> None:
        """Until something is stored, or for so long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)

    async def _rest(self, seconds: float) -> None:
        """For so long, unless it is time to stop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
