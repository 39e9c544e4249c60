"""The servers the product stands on, started together and made ready: roles, schemas, topics, keys."""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol, Self

from deploy.bootstrap import (
    BI_READER,
    SERVICES,
    DatabasePlan,
    TopicPlan,
    prepare_database,
    prepare_topics,
)
from deploy.local import ports
from deploy.local.caddy import Caddy
from deploy.local.channels import channels_environment
from deploy.local.child import Child, stop_all
from deploy.local.folder import StateFolder
from deploy.local.kafka import Kafka
from deploy.local.mail import mail_environment
from deploy.local.postgres import Postgres
from deploy.local.problems import CannotStart
from deploy.local.redis import Redis
from shared.security.issuer import LocalIssuer
from shared.topics import PARTITIONS, WATERMARKS, all_topics

DATABASE: Final = "ticketing"
TOPIC_PREFIX: Final = "ticketing."
JWT_ISSUER: Final = "ticketing-local"
JWT_AUDIENCE: Final = "ticketing"


class Server(Protocol):
    """What the stack asks of each server."""

    name: str
    child: Child | None

    def prepare(self) -> None: ...
    def start(self) -> None: ...
    def wait_until_ready(self) -> None: ...


class Progress(Protocol):
    """Who is told how far the start is."""

    def step(self, name: str, what: str) -> None:
        """`name` is now doing `what`."""

    def done(self, name: str) -> None:
        """`name` is ready."""


class Quiet:
    """Tells nobody."""

    def step(self, name: str, what: str) -> None:
        """Nothing."""

    def done(self, name: str) -> None:
        """Nothing."""


class Stack:
    """Kafka, PostgreSQL, Redis and, on request, Caddy, in one state folder.

    Start and stop it from the main thread. As a context manager it starts at entry and stops at exit.

    Args:
        folder: holds everything; a second start continues with its data.
        progress: is told about each step.
    """

    def __init__(self, folder: Path, *, progress: Progress | None = None) -> None:
        self.folder = StateFolder(folder)
        self._progress = progress or Quiet()
        self.kafka = Kafka(self.folder)
        self.postgres = Postgres(self.folder)
        self.redis = Redis(self.folder)
        self.caddy = Caddy(self.folder, {name: self._http_address(name) for name in SERVICES})
        self.issuer: LocalIssuer | None = None

    @property
    def servers(self) -> Sequence[Server]:
        """The three that the services need; the front door opens after the services."""
        return (self.kafka, self.postgres, self.redis)

    @property
    def is_started(self) -> bool:
        """Whether there is something to stop."""
        return any(server.child and server.child.is_running() for server in self.servers)

    @property
    def front_door(self) -> str:
        """The address to open."""
        return self.caddy.url

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    def start(self) -> None:
        """Start the three servers together and prepare them for the services.

        Raises:
            CannotStart: with one line that says what to do; nothing is left running.
        """
        self.folder.acquire()
        try:
            self.issuer = self._issuer()
            start_together(self.servers, self._progress)
            self._prepare_contents()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything in good order: nobody new first, the servers last. May be called twice."""
        if self.caddy.child:
            self.caddy.child.stop()
        stop_all([server.child for server in self.servers if server.child])
        self.folder.release()

    def password(self, role: str) -> str:
        """The password of a database role."""
        return self.folder.secret(f"postgres-{role}")

    def database_url(self, role: str) -> str:
        """The address of the product's database for one role."""
        return f"postgresql://{role}:{self.password(role)}@{ports.LOOPBACK}:{self.postgres.port}/{DATABASE}"

    def environment(self, service: str) -> dict[str, str]:
        """The `TICKETING_*` variables of one service."""
        assert self.issuer is not None, "start() comes first"
        host, _, port = self._http_address(service).rpartition(":")
        entrances = (mail_environment, channels_environment) if service == "intake" else ()
        return {
            **{name: value for of in entrances for name, value in of(self.folder).items()},
            "TICKETING_DATABASE_URL": self.database_url(service),
            "TICKETING_KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "TICKETING_REDIS_URL": self.redis.url,
            "TICKETING_TOPIC_PREFIX": TOPIC_PREFIX,
            "TICKETING_JWKS_FILE": str(self.issuer.jwks_file),
            "TICKETING_JWT_ISSUER": JWT_ISSUER,
            "TICKETING_JWT_AUDIENCE": JWT_AUDIENCE,
            "TICKETING_HTTP_HOST": host,
            "TICKETING_HTTP_PORT": port,
            "TICKETING_AUDIT_SECRET": self.folder.secret(audit_secret_name(service)),
            "TICKETING_ATTACHMENTS_FOLDER": str(self.folder.path / "attachments"),
            "TICKETING_FRONT_DOOR_URL": self.front_door,
            "TICKETING_PUBLIC_URL": os.environ.get("TICKETING_PUBLIC_URL") or self.front_door,
        }

    def _issuer(self) -> LocalIssuer:
        """The local issuer with its key, made at first use and then kept: old tokens stay valid."""
        folder = self.folder.path / "keys"
        try:
            return LocalIssuer(folder, issuer=JWT_ISSUER, audience=JWT_AUDIENCE)
        except ValueError as error:
            raise CannotStart(
                f"the signing key in {folder} is damaged ({error}); restore it, or remove it for a new one"
            ) from None

    def _http_address(self, service: str) -> str:
        return f"{ports.LOOPBACK}:{self.folder.port(service)}"

    def _prepare_contents(self) -> None:
        passwords: Mapping[str, str] = {
            role: self.password(role) for role in (*SERVICES, BI_READER)
        }
        with _said(self._progress, "Roles and schemas", "preparing"):
            prepare_database(self.postgres.conninfo(), DatabasePlan(DATABASE, passwords))
        with _said(self._progress, "Topics", f"{PARTITIONS} partitions each"):
            plan = TopicPlan(
                names=all_topics(TOPIC_PREFIX),
                partitions=PARTITIONS,
                newest_only=[TOPIC_PREFIX + WATERMARKS],
            )
            # In a thread of its own: the caller may be inside an event loop.
            _in_thread(lambda: asyncio.run(prepare_topics(self.kafka.bootstrap_servers, plan)))


def audit_secret_name(service: str) -> str:
    """Under which name the folder keeps what a service's audit key is made from."""
    return f"audit-{service}"


def start_together(servers: Sequence[Server], progress: Progress) -> None:
    """Prepare and wait in threads, all servers at once; start each from this thread as soon as it is prepared.

    Raises:
        CannotStart: the first problem; what has been started keeps running until the caller stops it.
    """
    with ThreadPoolExecutor(max_workers=len(servers)) as threads:
        try:
            _start_each(servers, progress, threads)
        except BaseException:
            # The threads that wait for the others notice their end and return; we would wait for them otherwise.
            for server in servers:
                if server.child:
                    server.child.ask_to_stop()
            raise


def _start_each(servers: Sequence[Server], progress: Progress, threads: ThreadPoolExecutor) -> None:
    pending: dict[Future[None], tuple[Server, bool]] = {}
    for server in servers:
        progress.step(server.name, "preparing")
        pending[threads.submit(server.prepare)] = (server, False)
    while pending:
        finished, _ = wait(pending, return_when=FIRST_COMPLETED)
        for future in finished:
            server, was_started = pending.pop(future)
            future.result()
            if was_started:
                progress.done(server.name)
                continue
            progress.step(server.name, "starting")
            server.start()
            pending[threads.submit(server.wait_until_ready)] = (server, True)


def _in_thread(work: Callable[[], object]) -> None:
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(work).result()


@contextmanager
def _said(progress: Progress, name: str, what: str) -> Iterator[None]:
    progress.step(name, what)
    yield
    progress.done(name)


__all__ = ["CannotStart", "Quiet", "Stack", "start_together"]
