"""One way to run a service: wait for the servers, migrate, serve, consume, publish, and stop without losing a step."""

import asyncio
import contextlib
import itertools
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

import psycopg
import structlog
import uvicorn
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from fastapi import FastAPI

from shared.audit import Sealer
from shared.audit.proofs import proofs_router
from shared.audit.roots import roots_router
from shared.database import Database, Transaction
from shared.eventstore import EventStore, GroupCommitter
from shared.http.health import HealthState
from shared.messaging import Consumer, Relay
from shared.messaging.admin import parked_router
from shared.messaging.asyncapi import asyncapi_document
from shared.messaging.positions import Slot
from shared.messaging.starting import uncut
from shared.observability import metrics
from shared.operations import Note, Operation, note_in_events
from shared.security.refusals import RefusedLogins
from shared.security.token_uses import TokenUses
from shared.settings import ServiceSettings
from shared.topics import OWNERS

log = structlog.get_logger(__name__)

_PAUSE_SECONDS_FIRST: Final = 0.2
_PAUSE_SECONDS_MAX: Final = 5.0
_WATCH_SECONDS: Final = 1.0
_TURNS_BETWEEN_COUNTS: Final = 10

_FRAME_BYTES_MAX: Final = 65_536

_EXIT_FAILED: Final = 70
"""EX_SOFTWARE of sysexits.h: a part ended with an error that starting afresh may cure."""


class Service:
    """The parts of one service, and their order of coming and going.

    HTTP answers from the first moment (`/livez` yes, `/readyz` no and why). Then, in the background:
    PostgreSQL is waited for, migrations run, the relay and the own tasks start, Kafka is waited for, consumers start.

    Args:
        name: the service.
        settings: addresses and limits.
        api: made by `shared.http.app.build_api`.
        store: an `EventStore`, or a `Database` for a service without events.
        migrations: packages with a `migrations` folder, the plumbing's own excepted.
        consumers: what to read from Kafka.
        relay: what to publish.
        sealer: makes the log provable; a service with an event store has one without asking.
        committers: drained before the store closes.
        tasks: coroutines that run until cancelled, started after the migrations.
        needs_kafka: whether the service is unready without Kafka (intake is not: it goes on accepting).
        websockets: whether the API has sockets; frames are limited to 64 KiB, silent peers are noticed within 40 s.
        note: adds what operators do to the service's own log; an event store is that log.
        on_drain: called as soon as the process is told to stop, before open requests are waited for: ends streams.
        on_stop: called at the very end, when neither requests nor tasks use them any more: give back connections.
    """

    def __init__(
        self,
        name: str,
        settings: ServiceSettings,
        *,
        api: FastAPI,
        store: Database | EventStore[Any],
        migrations: Sequence[str] = (),
        consumers: Sequence[Consumer] = (),
        relay: Relay | None = None,
        sealer: Sealer | None = None,
        committers: Sequence[GroupCommitter[Any]] = (),
        tasks: Sequence[Callable[[], Awaitable[None]]] = (),
        needs_kafka: bool = True,
        websockets: bool = False,
        on_drain: Sequence[Callable[[], Awaitable[None]]] = (),
        on_stop: Sequence[Callable[[], Awaitable[None]]] = (),
        note: Note = note_in_events,
    ) -> None:
        self.name = name
        self.settings = settings
        self.api = api
        self.store = store
        self.consumers = tuple(consumers)
        self.relay = relay
        self.sealer = sealer or _sealer_of(store, settings)
        self.health: HealthState = api.state.health
        self._migrations = tuple(migrations)
        self._committers = tuple(committers)
        self._task_makers = tuple(tasks)
        self._needs_kafka = needs_kafka
        self._websockets = websockets
        self._on_drain = tuple(on_drain)
        self._on_stop = tuple(on_stop)
        self._note = note
        self._tasks: list[asyncio.Task[None]] = []
        self.refused_logins = RefusedLogins(api.state.trusted_proxies, self._note_all)
        api.state.refused_logins = self.refused_logins
        self.token_uses = TokenUses(api.state.trusted_proxies, self._note_all)
        if (
            settings.jwks_file is not None
        ):  # else an identity provider makes the tokens, and tells of it
            api.state.token_uses = self.token_uses
        self._add_plumbing_routes()
        self._started_consumers: list[Consumer] = []
        self._start_task: asyncio.Task[None] | None = None
        self._server: _Server | None = None
        self._has_failed = False

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then drain.

        Raises:
            SystemExit: with code 70, when a part ended with an error; drained as well.
        """
        try:
            import uvloop  # noqa: PLC0415  # not on every platform
        except ImportError:
            asyncio.run(self._serve())
        else:
            uvloop.run(self._serve())
        if self._has_failed:
            raise SystemExit(_EXIT_FAILED)

    async def start(self) -> None:
        """Begin to bring the parts up, in the background; `/readyz` tells when they are."""
        self.health.set("postgres", False, "not reached yet")
        self.health.set("kafka", False, "not reached yet", gates=self._needs_kafka)
        self._start_task = self._run(self._bring_up(), "start")

    async def stop(self) -> None:
        """Drain: no new work, finish what was begun, commit, give everything back, leave.

        Requests must have ended. A service that was built and never started has things to give back too.
        """
        self.health.drain()
        if self._start_task is not None:
            # First of all, or it would start what has just been stopped.
            self._start_task.cancel()
            await self._within_limit(self._start_task, "start")
        for consumer in self._started_consumers:
            await self._within_limit(consumer.stop(), "consumer")
        for task in self._tasks:
            if task.get_name() not in {f"{self.name}-relay", f"{self.name}-sealer"}:
                task.cancel()
        for committer in self._committers:
            await self._within_limit(committer.stop(), "committer")
        if self.relay is not None:
            self.relay.stop()
        if self.sealer is not None:
            self.sealer.stop()  # after the committers, so that the last events are sealed too
        for task in self._tasks:
            await self._within_limit(task, task.get_name())
        for give_back in self._on_stop:
            await self._within_limit(give_back(), getattr(give_back, "__qualname__", "close"))
        await self.store.close()
        log.info("service_stopped", service=self.name)

    def _add_plumbing_routes(self) -> None:
        """What every service answers beside its own: parked events, and the document of its topics."""
        self.api.include_router(parked_router(self.consumers, self._note, self.store))
        if self.sealer is not None:
            self.api.include_router(roots_router(self.store, self.sealer))
            self.api.include_router(proofs_router(self.store, self.sealer))
        publishes = [topic for topic, owner in OWNERS.items() if owner == self.name and self.relay]
        document = asyncapi_document(
            title=f"ticketing {self.name}",
            version=self.api.version,
            prefix=self.settings.topic_prefix,
            publishes=publishes,
            reads=[topic for consumer in self.consumers for topic in consumer.topics],
        )

        @self.api.get("/asyncapi.json", tags=["health"], summary="The AsyncAPI document")
        async def asyncapi() -> dict[str, Any]:
            return document

    def _note_all(self, operations: Sequence[Operation]) -> None:
        def work(tx: Transaction) -> None:
            for done in operations:
                self._note(tx, done)

        self.store.transact(work)

    async def _serve(self) -> None:
        self._server = server = _Server(
            uvicorn.Config(
                self.api,
                host=self.settings.http_host,
                port=self.settings.http_port,
                http="httptools",
                ws="websockets-sansio" if self._websockets else "none",
                ws_max_size=_FRAME_BYTES_MAX,
                ws_ping_interval=20,
                ws_ping_timeout=20,
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=self.settings.shutdown_seconds_max,
            )
        )
        loop = asyncio.get_running_loop()

        def told_to_stop() -> None:
            self.health.drain()
            server.should_exit = True
            for drain in self._on_drain:
                self._run(drain(), getattr(drain, "__name__", "drain"))

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, told_to_stop)
        await self.start()
        try:
            await server.serve()
        finally:
            await self.stop()

    async def _bring_up(self) -> None:
        await self._until(self._reach_postgres, "postgres")
        self.health.set("postgres", True)
        if self.relay is not None:
            self._run(self.relay.run(), "relay")
        if self.sealer is not None:
            self._run(self.sealer.run(), "sealer")
        for make in self._task_makers:
            self._run(make(), getattr(make, "__name__", "task"))
        self._run(self._watch(), "watch")
        self._run(self.refused_logins.run(), "refused-logins")
        self._run(self.token_uses.run(), "token-uses")
        if not self._needs_kafka:
            self.health.started()
        await self._until(self._reach_kafka, "kafka", gates=self._needs_kafka)
        for consumer in self.consumers:
            self._started_consumers.append(consumer)  # before: `stop` may come in the middle of it
            await self._until(consumer.start, "kafka", gates=self._needs_kafka)
        self.health.set("kafka", True, gates=self._needs_kafka)
        self.health.started()
        log.info("service_started", service=self.name, port=self.settings.http_port)

    async def _reach_postgres(self) -> None:
        def migrate() -> None:
            self.store.open()
            packages = ("shared.messaging", *self._migrations)
            self.store.migrate(*packages)

        await asyncio.to_thread(migrate)
        await self.store.pool()

    async def _reach_kafka(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.settings.kafka_bootstrap_servers)
        try:
            await admin.start()
            existing = set(await admin.list_topics())
        finally:
            await admin.close()
        wanted = {
            self.settings.topic_prefix + topic
            for consumer in self.consumers
            for topic in consumer.topics
        }
        if missing := sorted(wanted - existing):
            raise KafkaError(f"topics are missing: {', '.join(missing)}")

    async def _until(
        self, action: Callable[[], Awaitable[None]], condition: str, *, gates: bool = True
    ) -> None:
        """Try until it works, saying what is waited for; only an answer that cannot change is an error."""
        pause = _PAUSE_SECONDS_FIRST
        while True:
            try:
                await uncut(action())
            except (psycopg.Error, KafkaError, OSError) as error:
                reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
                self.health.set(condition, False, reason, gates=gates)
                log.warning("waiting_for", service=self.name, what=condition, reason=reason)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _PAUSE_SECONDS_MAX)
            else:
                return

    async def _watch(self) -> None:
        """Keep health and the lag metrics true while the service runs."""
        for turn in itertools.count():
            await asyncio.sleep(_WATCH_SECONDS)
            self._watch_kafka()
            await self._watch_postgres()
            if turn % _TURNS_BETWEEN_COUNTS == 0:
                await self._count_set_aside()

    def _watch_kafka(self) -> None:
        problems = [consumer.problem for consumer in self.consumers if consumer.problem]
        if self.relay is not None and self.relay.problem:
            problems.append(f"relay: {self.relay.problem}")
        self.health.set("kafka", not problems, "; ".join(problems), gates=self._needs_kafka)
        for consumer in self._started_consumers:
            for topic, behind in _by_topic(consumer.lag()).items():
                metrics.CONSUMER_LAG.labels(consumer.name, topic).set(behind)

    async def _count_set_aside(self) -> None:
        for consumer in self._started_consumers:
            with contextlib.suppress(psycopg.Error):  # an outage is told by _watch_postgres
                await asyncio.to_thread(consumer.measure_set_aside)

    async def _watch_postgres(self) -> None:
        try:
            pool = await self.store.pool()
            async with pool.connection(timeout=_WATCH_SECONDS) as connection:
                await connection.execute("SELECT 1")
        except (psycopg.Error, OSError) as error:
            self.health.set("postgres", False, type(error).__name__)
        else:
            self.health.set("postgres", True)

    def _run(self, coroutine: Awaitable[None], name: str) -> asyncio.Task[None]:
        task = asyncio.ensure_future(coroutine)
        task.set_name(f"{self.name}-{name}")
        task.add_done_callback(self._ended)
        self._tasks.append(task)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            return
        # A task that ends with an error is a bug: say so loudly and let the supervisor start the process afresh.
        log.error("task_failed", task=task.get_name(), exc_info=task.exception())
        self.health.set(task.get_name(), False, repr(task.exception()))
        self._has_failed = True
        if self._server is not None:
            self._server.should_exit = True

    async def _within_limit(self, waited_for: Awaitable[None], what: str) -> None:
        """Whatever becomes of one part, the others are stopped too."""
        try:
            await asyncio.wait_for(waited_for, self.settings.shutdown_seconds_max)
        except asyncio.CancelledError:
            if (current := asyncio.current_task()) is not None and current.cancelling():
                raise  # it was not the part that was cancelled, but we
        except TimeoutError:
            log.warning("stop_took_too_long", service=self.name, what=what)
        except Exception as error:  # noqa: BLE001  # nobody is left who could act on it
            log.warning("stop_incomplete", service=self.name, what=what, error=repr(error))


def _sealer_of(store: Database, settings: ServiceSettings) -> Sealer | None:
    if not isinstance(store, EventStore):
        return None
    secret = settings.audit_secret
    return Sealer(
        store,
        service=store.owner.value,
        table=store.events_table,
        seconds=settings.audit_seal_seconds,
        secret=secret.get_secret_value() if secret else None,
    )


class _Server(uvicorn.Server):
    """uvicorn without its signal handling: it raises the signal again when it has ended, before we have drained."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _by_topic(lag: dict[Slot, int]) -> dict[str, int]:
    total: dict[str, int] = {}
    for (topic, _), behind in lag.items():
        total[topic.value] = total.get(topic.value, 0) + behind
    return total
