"""The whole product as its users run it: real servers, four processes, one front door; and ways to hurt it."""

import contextlib
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import psycopg

from deploy.front_door import FrontDoor, RequestRefused
from deploy.local.child import Child
from deploy.local.folder import StateFolder
from deploy.local.services import Services
from deploy.local.stack import Quiet, Stack, start_together
from shared.security.principal import Role

SERVERS: Final = ("kafka", "postgres", "redis")


class Product:
    """Started by `a_product`. Everything listens on loopback ports of its own."""

    def __init__(self, folder: Path) -> None:
        # Any free port, chosen before the stack prefers its own: several products run side by side.
        self._folder = StateFolder(folder)
        self._folder.port("front-door")
        self.stack = Stack(folder)
        self._doors = contextlib.ExitStack()
        self._looks: dict[str, psycopg.Connection] = {}
        self.services: Services | None = None

    def start(self) -> None:
        self.stack.start()
        self.services = Services(self.stack, say=print)
        self.services.start()
        for name in self.services.names:
            self.services.wait_until_ready(name)
        start_together([self.stack.caddy], Quiet())

    def stop(self) -> None:
        self._doors.close()
        for role in list(self._looks):
            self._looks.pop(role).close()
        if self.services is not None:
            self.services.stop()
        self.stack.stop()
        self._folder.release()

    @property
    def address(self) -> str:
        return self.stack.front_door

    def token(self, role: Role | str, subject: str, **claims: Any) -> str:
        assert self.stack.issuer is not None
        return self.stack.issuer.issue(subject, Role(role), **claims)

    def door(self, role: Role | str, subject: str, **claims: Any) -> FrontDoor:
        return self._doors.enter_context(
            FrontDoor(self.address, self.token(role, subject, **claims))
        )

    def child(self, name: str) -> Child:
        """The process of a service (`intake` …) or server (`kafka`, `postgres`, `redis`, `caddy`)."""
        if name in (*SERVERS, "caddy"):
            child = getattr(self.stack, name).child
        else:
            assert self.services is not None
            child = self.services._children[name]
        assert child is not None
        return child

    def kill(self, name: str) -> None:
        """End a process as a power cut would: SIGKILL, nothing is flushed by it."""
        child = self.child(name)
        assert child.pid is not None
        os.killpg(os.getpgid(child.pid), signal.SIGKILL)
        child.kill()

    def start_again(self, name: str) -> None:
        """What a supervisor does after a death."""
        if name in (*SERVERS, "caddy"):
            server = getattr(self.stack, name)
            server.start()
            # In a thread: some checks run an event loop, and the test has one here.
            with ThreadPoolExecutor(max_workers=1) as thread:
                thread.submit(server.wait_until_ready).result()
        else:
            self.child(name).start()

    def wait_until_ready(self) -> None:
        assert self.services is not None
        for name in self.services.names:
            self.services.wait_until_ready(name)

    def rows(self, role: str, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Look into a service's own schema.

        One connection for each role: a condition that is waited for looks fifty times a second, and each connection
        costs PostgreSQL a process.
        """
        if (kept := self._looks.get(role)) is not None:
            with contextlib.suppress(psycopg.OperationalError):  # it died with a server we killed
                return kept.execute(query, values).fetchall()  # type: ignore[call-overload]
            self._looks.pop(role).close()
        self._looks[role] = psycopg.connect(
            self.stack.database_url(role), options=f"-c search_path={role}", autocommit=True
        )
        return self._looks[role].execute(query, values).fetchall()  # type: ignore[call-overload]


@contextlib.contextmanager
def a_product(folder: Path, **environment: str) -> Iterator[Product]:
    """A product that runs until the end of the block; `environment` adds variables for its services."""
    product = Product(folder)
    try:
        with _also_in_the_environment(environment):
            product.start()
        yield product
    finally:
        product.stop()


@contextlib.contextmanager
def _also_in_the_environment(variables: dict[str, str]) -> Iterator[None]:
    """Processes inherit them; other tests of this session must not."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def is_caught_up(product: Product) -> bool:
    """Whether every event that was stored has reached every reader."""
    stored = {
        owner: product.rows(
            owner,
            f"SELECT coalesce(max(notification_id), 0), (SELECT notification_id FROM relay_position)"
            f" FROM {owner}_events",
        )[0]
        for owner in ("intake", "routing", "sla")
    }
    if any(newest != published for newest, published in stored.values()):
        return False
    applied = product.rows("query", "SELECT coalesce(sum(version), 0) FROM stream_versions")[0][0]
    events = sum(
        product.rows(owner, f"SELECT count(*) FROM {owner}_events")[0][0]
        for owner in ("intake", "routing", "sla")
    )
    readers = {
        reader: product.rows(
            reader,
            "SELECT coalesce(sum(version), 0) FROM stream_versions WHERE topic = 'tickets.v1'",
        )[0][0]
        for reader in ("routing", "sla", "query")
    }
    return applied == events and len(set(readers.values())) == 1


def refused(call: Any) -> RequestRefused:
    """The refusal that `call` runs into."""
    try:
        call()
    except RequestRefused as refusal:
        return refusal
    raise AssertionError("was not refused")
