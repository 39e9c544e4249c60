"""The four services as child processes: started, watched, started again with growing pauses, stopped."""

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from typing import Final

from deploy.bootstrap import SERVICES
from deploy.local import ports
from deploy.local.child import Child, stop_all, wait_until
from deploy.local.folder import port_variable
from deploy.local.stack import Stack
from deploy.local.watch import Watch

READY_SECONDS_MAX: Final = 120.0
"""The first start runs the migrations and reads every topic from its beginning."""

_NICENESS: Final = {"routing": 5, "sla": 5, "query": 5}
"""On one machine, what has been accepted is worked on behind what waits to be accepted."""


def service_child(stack: Stack, service: str) -> Child:
    """One service, not yet started: `python -m services.<service>` with its environment and log."""
    return Child(
        name=service,
        argv=[sys.executable, "-m", f"services.{service}"],
        log=stack.folder.log(service),
        pid_file=stack.folder.path / "run" / f"{service}.pid",
        environment={
            **os.environ,
            **stack.environment(service),
            "TICKETING_NICENESS": str(_NICENESS.get(service, 0)),
            "PYTHONUNBUFFERED": "1",
            # glibc gives each thread an arena of its own and returns little; two keep a service's memory its own size.
            "MALLOC_ARENA_MAX": "2",
        },
        stop_seconds_max=25,  # the service gives itself 20 s (shutdown_seconds_max)
    )


class Services:
    """All four services under one supervisor; use it from the main thread.

    Args:
        stack: started; gives addresses.
        say: is told what a person should know.
    """

    def __init__(self, stack: Stack, *, say: Callable[[str], None]) -> None:
        self._say = say
        self._children = {name: service_child(stack, name) for name in SERVICES}
        self._ports = {name: stack.folder.port(name) for name in SERVICES}

    @property
    def names(self) -> Sequence[str]:
        """The services, in the order of the path of a ticket."""
        return tuple(self._children)

    def start(self) -> None:
        """Start all four.

        Raises:
            CannotStart: a port is taken.
        """
        for name, child in self._children.items():
            child.end_leftover()
            ports.require_free(self._ports[name], server=name, variable=port_variable(name))
        for child in self._children.values():
            child.start()

    def wait_until_ready(self, name: str) -> None:
        """Return when the service says that it is ready. May run in any thread.

        Raises:
            CannotStart: it ended, or is not ready within `READY_SECONDS_MAX`.
        """
        wait_until(
            lambda: _is_ready(f"http://{ports.LOOPBACK}:{self._ports[name]}"),
            child=self._children[name],
            seconds_max=READY_SECONDS_MAX,
            pause_seconds=0.2,
        )

    def watches(self) -> list[Watch]:
        """One watch for each service; begin it when all are started."""
        return [
            Watch(name, lambda child=child: child, child.start, self._say)  # type: ignore[misc]
            for name, child in self._children.items()
        ]

    def stop(self) -> None:
        """Ask all four to end, then wait for each."""
        stop_all(list(self._children.values()))


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=2) as answer:  # noqa: S310 - our own loopback
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP OK
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False  # 503 while it waits for a server, nothing while it starts
