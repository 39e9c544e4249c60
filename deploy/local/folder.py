"""The state folder (`.ticketing/`): ports, secrets and data that a restart finds again."""

import fcntl
import json
import os
import secrets
from pathlib import Path
from typing import IO, Any, Final

from deploy.local import ports
from deploy.local.problems import CannotStart, disk_errors_in_words, require_disk

FRONT_DOOR_PORT: Final = 8080
_SECRET_BYTES: Final = 24


def default_home() -> Path:
    """`TICKETING_HOME`, else `.ticketing` where the command is called."""
    return Path(os.environ.get("TICKETING_HOME") or ".ticketing").resolve()


class StateFolder:
    """One installation's folder; at most one program runs it at a time.

    Args:
        path: made when missing, closed to other accounts except for passing through.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        with disk_errors_in_words(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            for name in ("logs", "run", "keys"):
                (self.path / name).mkdir(mode=0o700, exist_ok=True)
        self._lock: IO[str] | None = None
        self._claims: dict[int, ports.Claim] = {}

    def acquire(self) -> None:
        """Become the only program that runs this folder, until `release` or death.

        Raises:
            CannotStart: another program runs it, or the disk is nearly full.
        """
        require_disk(self.path)
        lock = (self.path / "run" / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise CannotStart(
                f"{self.path} is already running (process {holder}); stop it with Ctrl-C there, "
                "or set TICKETING_HOME to run a second one beside it"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def release(self) -> None:
        """Let another program run the folder, and others choose its ports."""
        for claim in self._claims.values():
            claim.close()
        self._claims.clear()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def port(self, name: str, *, preferred: int | None = None) -> int:
        """The port of a server: `TICKETING_PORT_<NAME>`, else the remembered one, else a free one, remembered.

        Raises:
            CannotStart: the variable is no port.
        """
        variable = port_variable(name)
        state = self._read("state.json")
        known: dict[str, int] = state.setdefault("ports", {})
        if wanted := os.environ.get(variable):
            if not wanted.isdecimal() or not 1 <= int(wanted) <= ports.HIGHEST_OF_ALL:
                raise CannotStart(
                    f"{variable}={wanted!r} is no port; give a number from 1 to 65535"
                )
            port = int(wanted)
        elif name in known:
            port = known[name]
        else:
            port, self._claims[port] = ports.choose(preferred=preferred, avoid=set(known.values()))
        if port not in self._claims and (claim := ports.claim(port)) is not None:
            # One that was given or remembered too, where it can be: nobody new shall choose it while we start.
            self._claims[port] = claim
        if known.get(name) != port:
            # A chosen one too: commands in another terminal look here for the front door.
            known[name] = port
            self._write("state.json", state, mode=0o644)
        return port

    def secret(self, name: str) -> str:
        """A random password, made at first use and kept with mode 0600."""
        known = self._read("secrets.json")
        if name not in known:
            known[name] = secrets.token_urlsafe(_SECRET_BYTES)
            self._write("secrets.json", known, mode=0o600)
        return str(known[name])

    def log(self, name: str) -> Path:
        """Where a process's output goes."""
        return self.path / "logs" / f"{name}.log"

    def write_private(self, relative: str, text: str) -> Path:
        """Replace a file that only its owner may read; never half written."""
        target = self.path / relative
        with disk_errors_in_words(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            _replace(target, text, mode=0o600)
        return target

    def keep_private(self, relative: str, text: str) -> Path:
        """The same for a file that people may change: once it is there, it stays as it is."""
        target = self.path / relative
        return target if target.exists() else self.write_private(relative, text)

    def _read(self, name: str) -> dict[str, Any]:
        path = self.path / name
        if not path.exists():
            return {}
        try:
            content: dict[str, Any] = json.loads(path.read_text())
        except ValueError as error:
            raise CannotStart(
                f"{path} is damaged ({error}); restore it, or remove {self.path} to begin anew"
            ) from None
        return content

    def _write(self, name: str, content: dict[str, Any], *, mode: int) -> None:
        with disk_errors_in_words(self.path / name):
            _replace(
                self.path / name, json.dumps(content, indent=2, sort_keys=True) + "\n", mode=mode
            )


def remembered_port(home: Path, name: str) -> int | None:
    """The port that `name` had when the installation in `home` last ran; None when it never did."""
    try:
        state: dict[str, Any] = json.loads((home / "state.json").read_text())
        return int(state["ports"][name])
    except (OSError, ValueError, KeyError):
        return None


def port_variable(name: str) -> str:
    """The environment variable that chooses a server's port: `kafka` → `TICKETING_PORT_KAFKA`."""
    return f"TICKETING_PORT_{name.upper().replace('-', '_')}"


def _replace(path: Path, text: str, *, mode: int) -> None:
    beside = path.with_name(path.name + ".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
