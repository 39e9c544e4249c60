"""The product under test: an embedded stack of its own in a folder, and its services as separate processes."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.error import URLError
from urllib.request import urlopen

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from psycopg import sql
from psycopg.rows import TupleRow

from deploy.bootstrap import (
    BI_READER,
    SERVICES,
    DatabasePlan,
    TopicPlan,
    prepare_database,
    prepare_topics,
)
from deploy.front_door import FrontDoor
from deploy.local import ports
from deploy.local.child import Child, stop_all, wait_until
from deploy.local.services import READY_SECONDS_MAX, service_child
from deploy.local.stack import DATABASE, TOPIC_PREFIX, Stack
from shared.security.principal import Role
from shared.topics import PARTITIONS, Topic
from tests.bench.figures import Missed
from tests.bench.memory import MemoryWatch, core_seconds
from tests.support.waiting import eventually

SETTLE_SECONDS_MAX: Final = 900.0
"""After a load everything must have come through by then; intake alone leaves some 120,000 tickets to the others."""

_READS: Final[Mapping[str, tuple[Topic, ...]]] = {
    "routing": (Topic.TICKETS, Topic.SLA),
    "sla": (Topic.TICKETS, Topic.ASSIGNMENTS),
    "query": tuple(Topic),
}
_PUBLISHES: Final = ("intake", "routing", "sla")
_TOKEN_SECONDS: Final = 6 * 3600


class Product:
    """Servers at entry, services on request, nothing left at exit.

    Use it from the main thread: Linux ends a child when the thread that started it ends.

    Args:
        folder: holds everything.
        memory: told about each process.
    """

    def __init__(self, folder: Path, memory: MemoryWatch) -> None:
        self.stack = Stack(folder)
        self.memory = memory
        self._children: dict[str, Child] = {}

    def __enter__(self) -> Self:
        """Start the servers.

        Raises:
            CannotStart: with one line that says what to do.
        """
        self.stack.start()
        try:
            self._keep_commit_times()
        except BaseException:
            self.stack.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything that was started here."""
        try:
            stop_all(list(self._children.values()))
        finally:
            self.stack.stop()

    # Processes.

    @property
    def running(self) -> frozenset[str]:
        """Which children run."""
        return frozenset(self._children)

    def start_services(self, *names: str) -> None:
        """Start these services and return when all are ready."""
        wanted = [name for name in names if name not in self._children]
        for name in wanted:
            self._begin(service_child(self.stack, name))
        for name in wanted:
            self._wait_until_ready(name, f"{self.service_url(name)}/readyz")

    def start_module(
        self, name: str, module: str, *arguments: str, environment: Mapping[str, str], ready: str
    ) -> None:
        """Start `python -m module` as a child and return when `ready` (a URL) answers."""
        folder = self.stack.folder
        child = Child(
            name=name,
            argv=[sys.executable, "-m", module, *arguments],
            log=folder.log(name),
            pid_file=folder.path / "run" / f"{name}.pid",
            environment={**os.environ, **environment, "PYTHONUNBUFFERED": "1"},
        )
        self._begin(child)
        self._wait_until_ready(name, ready)

    def stop(self, *names: str) -> None:
        """Stop these children in good order."""
        ending = [self._children.pop(name) for name in names]
        for child in ending:
            self.memory.forget(child.name)
        stop_all(ending)

    def pid(self, name: str) -> int:
        """The process id of a child, or of `postgres` or `kafka`.

        Raises:
            Missed: it has ended.
        """
        servers = {"postgres": self.stack.postgres.child, "kafka": self.stack.kafka.child}
        child = servers[name] if name in servers else self._children[name]
        if child is None or child.pid is None:
            raise Missed(f"{name} has ended: {child.last_words() if child else 'never started'}")
        return child.pid

    def core_seconds(self) -> dict[str, float]:
        """Processor time so far of PostgreSQL, Kafka and each running service."""
        names = [name for name in SERVICES if name in self._children]
        return {name: core_seconds(self.pid(name)) for name in (*names, "postgres", "kafka")}

    def require_alive(self) -> None:
        """Complain when a service has ended.

        Raises:
            Missed: with the end of its log.
        """
        for name in self._children:
            self.pid(name)

    # Addresses and accounts.

    def service_url(self, name: str) -> str:
        """A service's own address, past the front door."""
        return f"http://{ports.LOOPBACK}:{self.stack.folder.port(name)}"

    def token(self, subject: str = "bench", role: Role = Role.SERVICE) -> str:
        """A token that outlives the run."""
        assert self.stack.issuer is not None, "the stack is started first"
        return self.stack.issuer.issue(subject, role, ttl_seconds=_TOKEN_SECONDS)

    def door(self, service: str) -> FrontDoor:
        """Calls to one service as an admin."""
        return FrontDoor(self.service_url(service), self.token("bench-admin", Role.ADMIN))

    @property
    def kafka(self) -> str:
        """Bootstrap servers."""
        return self.stack.kafka.bootstrap_servers

    @contextmanager
    def connect(self, database: str = DATABASE) -> Iterator[psycopg.Connection[TupleRow]]:
        """A superuser's connection, each statement its own transaction."""
        with psycopg.connect(
            self.stack.postgres.conninfo(database=database), autocommit=True
        ) as connection:
            yield connection

    @contextmanager
    def fresh_database(self, name: str) -> Iterator[str]:
        """A database beside the product's, with the same roles and schemas, until the end of the block."""
        passwords = {role: self.stack.password(role) for role in (*SERVICES, BI_READER)}
        prepare_database(self.stack.postgres.conninfo(), DatabasePlan(name, passwords))
        try:
            yield name
        finally:
            with self.connect("postgres") as connection:
                connection.execute(
                    sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
                )

    def database_url(self, role: str, database: str = DATABASE) -> str:
        """A role's address of a database."""
        return self.stack.database_url(role).removesuffix(DATABASE) + database

    async def make_topics(self, prefix: str, *topics: Topic) -> None:
        """Make topics as the product has them, under another prefix."""
        names = [prefix + topic for topic in topics]
        await prepare_topics(self.kafka, TopicPlan(names=names, partitions=PARTITIONS))

    # Waiting.

    async def settle(self) -> float:
        """Wait until everything stored was published, read and projected; returns the seconds that took.

        Raises:
            Missed: a service ended meanwhile.
        """
        begun = time.perf_counter()
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka, enable_auto_commit=False)
        await consumer.start()
        try:
            with self.connect() as connection:
                # Twice: between two of its questions an event may slip from one service to the next.
                calm = 0

                async def is_calm() -> bool:
                    nonlocal calm
                    self.require_alive()
                    ends = await _ends(consumer)
                    calm = calm + 1 if self._is_through(connection, ends) else 0
                    return calm > 1

                await comes_true(is_calm, SETTLE_SECONDS_MAX, "everything came through")
        finally:
            await consumer.stop()
        return time.perf_counter() - begun

    def _is_through(
        self, connection: psycopg.Connection[TupleRow], ends: Mapping[tuple[str, int], int]
    ) -> bool:
        for service in _PUBLISHES:
            if service in self._children and not _is_published(connection, service):
                return False
        for service, topics in _READS.items():
            if service not in self._children:
                continue
            positions = connection.execute(
                sql.SQL("SELECT topic, partition, position FROM {} WHERE consumer = %s").format(
                    sql.Identifier(service, "consumer_positions")
                ),
                (service,),
            )
            known = {(topic, partition): position for topic, partition, position in positions}
            if any(
                known.get((topic, partition), 0) < end
                for (topic, partition), end in ends.items()
                if topic in topics
            ):
                return False
        return True

    # Innards.

    def _keep_commit_times(self) -> None:
        """Let PostgreSQL remember when each transaction was committed: the moment others could see its rows."""
        with self.connect("postgres") as connection:
            connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
        postgres = self.stack.postgres
        assert postgres.child is not None
        postgres.child.stop()
        postgres.start()
        postgres.wait_until_ready()

    def _begin(self, child: Child) -> None:
        self._children[child.name] = child
        child.start()
        assert child.pid is not None
        self.memory.watch(child.name, child.pid)

    def _wait_until_ready(self, name: str, url: str) -> None:
        wait_until(
            lambda: _answers(url),
            child=self._children[name],
            seconds_max=READY_SECONDS_MAX,
            pause_seconds=0.1,
        )


def run(coroutine_of: Callable[[], Any]) -> Any:
    """Run a coroutine in the event loop that the services use."""
    try:
        import uvloop  # not on every platform
    except ImportError:
        return asyncio.run(coroutine_of())
    return uvloop.run(coroutine_of())


async def comes_true(condition: Callable[[], Any], seconds_max: float, what: str) -> Any:
    """The first truthy value of the condition.

    Raises:
        Missed: there was none in time.
    """
    try:
        return await eventually(condition, seconds_max=seconds_max, what=what)
    except AssertionError as error:
        raise Missed(str(error)) from None


async def _ends(consumer: AIOKafkaConsumer) -> dict[tuple[str, int], int]:
    partitions = [
        TopicPartition(TOPIC_PREFIX + topic, number)
        for topic in Topic
        for number in range(PARTITIONS)
    ]
    ends = await consumer.end_offsets(partitions)
    return {
        (partition.topic.removeprefix(TOPIC_PREFIX), partition.partition): end
        for partition, end in ends.items()
    }


def _is_published(connection: psycopg.Connection[TupleRow], service: str) -> bool:
    row = connection.execute(
        sql.SQL(
            "SELECT (SELECT notification_id FROM {position})"
            " >= coalesce((SELECT max(notification_id) FROM {events}), 0)"
        ).format(
            position=sql.Identifier(service, "relay_position"),
            events=sql.Identifier(service, f"{service}_events"),
        )
    ).fetchone()
    return row is not None and bool(row[0])


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, ConnectionError, TimeoutError):
        return False  # 503 while it waits for a server, nothing while it starts
