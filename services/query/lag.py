"""Watches how far every consumer is behind Kafka; the source of freshness and of the dashboard's lag figures."""

import asyncio
from contextvars import ContextVar
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.query.views.freshness import Freshness, Slot, measure, position_now
from shared.database import Database
from shared.errors import Unreadable
from shared.events import Owner
from shared.messaging.starting import uncut
from shared.messaging.watermark import decode
from shared.security.guard import is_known
from shared.settings import ServiceSettings
from shared.topics import WATERMARKS, all_topics

log = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 1.0
"""Freshness is known to about this; one question to Kafka about 120 partitions takes 2 ms."""

_PAUSE_SECONDS_MAX: Final = 10.0

_SILENCE_MAX: Final = timedelta(seconds=5)
"""A relay says every half second until when all is published; ten times unheard, somebody should look."""

_KNOWN: Final[ContextVar[Freshness | None]] = ContextVar("known", default=None)


class LagWatch:
    """Asks Kafka every second for its ends and for what each consumer group has committed.

    Attributes:
        freshness: of this service's own projections.
        lags: consumer name → events published that it has not applied yet.
        published_until: service → what it had stored by then is in Kafka, by its relay's own word.
        problem: why the figures stand still, in words; None while they move.
    """

    def __init__(self, settings: ServiceSettings, store: Database) -> None:
        self._settings = settings
        self._store = store
        self.freshness = Freshness()
        self._whole_at: dict[Slot, datetime] = {}
        self.lags: dict[str, int] = {}
        self.published_until: dict[Owner, datetime] = {}
        self.problem: str | None = "Kafka was not asked yet"

    @property
    def known(self) -> Freshness:
        """What may be said of an answer: within a request, what was known when it began (see `KnownFirst`)."""
        return _KNOWN.get() or self.freshness

    async def know_position(self) -> None:
        """Within a request, before it reads: the position as it is now, and not as of the last look.

        A page can then tell whether a later word of the stream speaks of something that it does not show yet.
        """
        known = self.known
        position = await position_now(await self._store.pool())
        _KNOWN.set(replace(known, position=max(known.position, position)))

    async def run(self) -> None:
        """Look until cancelled; while Kafka or PostgreSQL is away, the last figures grow old visibly."""
        pause = _LOOK_SECONDS
        while True:
            try:
                await self._look_on()
            except (KafkaError, psycopg.Error, OSError) as error:
                self.problem = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
                log.warning("lag_unknown", reason=self.problem, retry_in_seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _PAUSE_SECONDS_MAX)

    async def _look_on(self) -> None:
        servers = self._settings.kafka_bootstrap_servers
        # It belongs to no group; it reads one small partition from the beginning and asks for offsets of the others.
        consumer = AIOKafkaConsumer(
            bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        admin = AIOKafkaAdminClient(bootstrap_servers=servers)
        try:
            await uncut(consumer.start())
            try:
                await uncut(admin.start())
                prefix = self._settings.topic_prefix
                partitions = await _partitions(admin, all_topics(prefix))
                await self._hear_all(consumer, TopicPartition(prefix + WATERMARKS, 0))
                while True:
                    await self._hear(consumer)
                    await self._look(consumer, admin, partitions)
                    self.problem = self._silence()
                    await asyncio.sleep(_LOOK_SECONDS)
            finally:
                await admin.close()
        finally:
            await consumer.stop()

    async def _hear_all(self, consumer: AIOKafkaConsumer, told: TopicPartition) -> None:
        """Before the first figure: a relay that fell silent long ago limits it too."""
        consumer.assign([told])
        end = (await consumer.end_offsets([told]))[told]
        # To that end and no further: three relays that speak twice a second leave no pause to wait for.
        while await consumer.position(told) < end:
            await self._take(consumer, wait_ms=500)

    async def _hear(self, consumer: AIOKafkaConsumer) -> None:
        """Take in what the relays have told. Comes before the ends are asked for, so both are of one moment."""
        while await self._take(consumer, wait_ms=0):
            pass

    async def _take(self, consumer: AIOKafkaConsumer, *, wait_ms: int) -> bool:
        """Take in what has come; whether anything had."""
        heard = await consumer.getmany(timeout_ms=wait_ms)
        for records in heard.values():
            for record in records:
                try:
                    mark = decode(record.value)
                except Unreadable as error:
                    log.warning("watermark_unreadable", error=str(error))
                    continue
                self.published_until[mark.owner] = mark.until
        return bool(heard)

    def _silence(self) -> str | None:
        now = datetime.now(UTC)
        silent = [
            f"{owner} for {(now - until).total_seconds():.0f} s"
            for owner, until in sorted(self.published_until.items())
            if now - until > _SILENCE_MAX
        ]
        return f"nothing has been heard of {', '.join(silent)}" if silent else None

    async def _look(
        self,
        consumer: AIOKafkaConsumer,
        admin: AIOKafkaAdminClient,
        partitions: list[TopicPartition],
    ) -> None:
        prefix = self._settings.topic_prefix
        # What is stored and not published is in no offset: nothing is known beyond what the relays vouch for.
        looked_at = min([datetime.now(UTC), *self.published_until.values()])
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
        own: dict[Slot, int] = {
            (partition.topic.removeprefix(prefix), partition.partition): end
            for partition, end in ends.items()
        }
        self.freshness = await measure(await self._store.pool(), own, looked_at, self._whole_at)
        lags = {}
        for group in sorted({name for name, _ in await admin.list_consumer_groups()}):
            if group.startswith(prefix):
                committed = await admin.list_consumer_group_offsets(group)
                lags[group.removeprefix(prefix)] = _behind(ends, committed)
        self.lags = lags | {"query": self.freshness.behind}


class KnownFirst:
    """Says with every answer what was known about freshness when the request began, before it read anything.

    A look at Kafka that ends while the request reads speaks of events that came after its reading: an answer that
    claimed them would be older than it says. Files, pages and refusals say it too: "there is no such ticket" may
    mean that it has not been applied yet. Who is not signed in is not told how many events there are.
    """

    def __init__(self, app: ASGIApp, *, lag: LagWatch) -> None:
        self._app = app
        self._lag = lag

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = _KNOWN.set(self._lag.freshness)

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start" and is_known(scope):
                known = self._lag.known
                seconds = known.seconds()
                headers = MutableHeaders(scope=message)
                headers["X-Position"] = str(known.position)
                headers["X-Freshness-Seconds"] = "unknown" if seconds is None else f"{seconds:.3f}"
            await send(message)

        try:
            await self._app(scope, receive, say)
        finally:
            _KNOWN.reset(token)


async def _partitions(admin: AIOKafkaAdminClient, topics: list[str]) -> list[TopicPartition]:
    """All partitions; their number is fixed when a topic is made.

    Raises:
        KafkaError: a topic is missing: claiming freshness without it would be a lie.
    """
    partitions = [
        TopicPartition(topic["topic"], partition["partition"])
        for topic in await admin.describe_topics(topics)
        for partition in topic["partitions"]
    ]
    if missing := sorted(set(topics) - {partition.topic for partition in partitions}):
        raise KafkaError(f"topics are missing: {', '.join(missing)}")
    return partitions


def _behind(ends: dict[TopicPartition, int], committed: dict[TopicPartition, object]) -> int:
    """Only topics of which the group has committed anything are counted: it may not read the others at all."""
    topics = {partition.topic for partition in committed}
    return sum(
        max(end - getattr(committed.get(partition), "offset", 0), 0)
        for partition, end in ends.items()
        if partition.topic in topics
    )
