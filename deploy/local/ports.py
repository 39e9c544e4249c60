"""Loopback ports: chosen once, remembered in the folder, and explained when somebody else has them."""

import random
import socket
from typing import Final

import psutil

from deploy.local.problems import CannotStart

LOOPBACK: Final = "127.0.0.1"
_LOWEST, _HIGHEST = 18_000, 31_999
"""Below the range from which systems draw outgoing ports (Linux: 32768+): a client could hold ours later."""
HIGHEST_OF_ALL: Final = 65_535
_TRIES_MAX = 200


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def choose(*, preferred: int | None = None, avoid: set[int]) -> int:
    """A free port outside `avoid`; `preferred` when it is free.

    Raises:
        CannotStart: nothing free was found in `_TRIES_MAX` tries.
    """
    if preferred is not None and preferred not in avoid and is_free(preferred):
        return preferred
    for _ in range(_TRIES_MAX):
        port = random.randint(_LOWEST, _HIGHEST)  # noqa: S311 - no secret, only a spread
        if port not in avoid and is_free(port):
            return port
    raise CannotStart(f"no free port between {_LOWEST} and {_HIGHEST}; set TICKETING_PORT_<SERVER>")


def require_free(port: int, *, server: str, variable: str) -> None:
    """Refuse to start a server on a port that another program holds.

    Raises:
        CannotStart: names the port, the program when the system tells, and the variable that chooses another.
    """
    if not is_free(port):
        raise CannotStart(
            f"port {port} for {server} is taken by {_holder(port)}; "
            f"stop it, or choose another port with {variable}=<port>"
        )


def _holder(port: int) -> str:
    try:
        listening = [
            c.pid
            for c in psutil.net_connections(kind="tcp")
            if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port and c.pid
        ]
        if listening:
            return f"{psutil.Process(listening[0]).name()} (process {listening[0]})"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        pass  # the system does not tell us who; the port number is still worth saying
    return "another program"
