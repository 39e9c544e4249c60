"""Loopback ports: chosen once, remembered in the folder, and explained when somebody else has them."""

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

from deploy.local.problems import CannotStart, disk_errors_in_words

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


class Claim:
    """Keeps this account's other installations from choosing a port, from before a server listens on it.

    A lock that ends with `close`, with this object or with the process, whichever comes first.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def close(self) -> None:
        """Let others choose it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    __del__ = close


def claim(port: int) -> Claim | None:
    """The claim to a port; None when another installation has it."""
    folder = Path(tempfile.gettempdir()) / f"ticketing-ports-{os.getuid()}"
    with disk_errors_in_words(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(folder / str(port), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    made = Claim(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        made.close()
        return None
    return made


def choose(*, preferred: int | None = None, avoid: set[int]) -> tuple[int, Claim]:
    """A free port outside `avoid` with the claim to it; `preferred` when it is free.

    Raises:
        CannotStart: nothing free was found in `_TRIES_MAX` tries.
    """
    for port in _candidates(preferred):
        if port in avoid or (claimed := claim(port)) is None:
            continue
        if is_free(port):
            return port, claimed
        claimed.close()
    raise CannotStart(f"no free port between {_LOWEST} and {_HIGHEST}; set TICKETING_PORT_<SERVER>")


def _candidates(preferred: int | None) -> Iterator[int]:
    if preferred is not None:
        yield preferred
    for _ in range(_TRIES_MAX):
        yield random.randint(_LOWEST, _HIGHEST)  # noqa: S311 - no secret, only a spread


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
