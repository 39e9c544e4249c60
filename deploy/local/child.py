"""One child process: its own process group, its log, its pid file, and no life after ours."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypedDict

import psutil

from deploy.local.problems import CannotStart, disk_errors_in_words

_LOG_BYTES_MAX: Final = 50 << 20
"""A log that has grown beyond this is set aside at the next start, so that at most two of them exist."""


class Identity(TypedDict, total=False):
    """The arguments of `subprocess` that choose an account."""

    user: int
    group: int
    extra_groups: list[int]


_LOOK_SECONDS: Final = 0.05
_KILL_SECONDS_MAX: Final = 5.0
"""A killed process is gone at once, unless the kernel waits for a disk."""


@dataclass(frozen=True)
class Account:
    """The system account a child runs as, when that is not ours.

    Args:
        uid: numeric user id.
        gid: numeric group id.
        capability: a Linux capability the child keeps, or nothing.
    """

    uid: int
    gid: int
    capability: str | None = None


@dataclass
class Child:
    """A process that we start, watch and stop.

    Start it from the main thread: Linux ends a child when the *thread* that started it ends, which is how
    no child outlives a killed supervisor.

    Args:
        name: for messages.
        argv: program and arguments.
        log: its output and errors are appended here.
        pid_file: tells the next start what a crash has left behind.
        environment: the whole environment; ours when None.
        stop_signal: what asks it to end in good order.
        stop_seconds_max: how long that may take before it is killed.
        account: runs as somebody else (only root can).
    """

    name: str
    argv: Sequence[str]
    log: Path
    pid_file: Path
    environment: Mapping[str, str] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds_max: float = 20.0
    account: Account | None = None
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.pid is not None

    @property
    def exit_code(self) -> int | None:
        """How it ended (negative: the signal); None while it runs or before it was started."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start it, after ending what a crash may have left of it.

        Raises:
            CannotStart: the log cannot be written.
        """
        self.end_leftover()
        with disk_errors_in_words(self.log):
            if self.log.exists() and self.log.stat().st_size > _LOG_BYTES_MAX:
                self.log.replace(self.log.with_suffix(".log.1"))
            with self.log.open("ab") as output:
                self._process = subprocess.Popen(  # noqa: S603 - programs of our own environment
                    command_as(self.argv, self.account, lifeline=self.stop_signal),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=self.environment,
                    start_new_session=True,
                    **identity_of(self.account),
                )
            born = psutil.Process(self._process.pid).create_time()
            self.pid_file.write_text(json.dumps({"pid": self._process.pid, "born": born}))

    def end_leftover(self) -> None:
        """End what a crashed supervisor has left of it."""
        end_leftover(self.pid_file, seconds_max=self.stop_seconds_max, ask=self.stop_signal)

    def ask_to_stop(self) -> None:
        """Send the signal that ends it in good order; returns at once."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(self.stop_signal)

    def stop(self) -> None:
        """End it in good order, by force when it takes longer than `stop_seconds_max`."""
        if self._process is None:
            return
        self.ask_to_stop()
        try:
            self._process.wait(self.stop_seconds_max)
        except subprocess.TimeoutExpired:
            self.kill()
        self.pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """End it and its whole process group at once."""
        if self._process is None:
            return
        with suppress(
            ProcessLookupError
        ):  # it ended by itself in the meantime, which is what we want
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def last_words(self, lines: int = 12) -> str:
        """The end of its log, for an error message."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - 16_384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])

    def require_alive(self) -> None:
        """Complain when it has ended while we wait for it.

        Raises:
            CannotStart: with the end of its log.
        """
        if not self.is_running():
            raise CannotStart(
                f"{self.name} ended at once ({self.exit_code}); see {self.log}\n{self.last_words()}"
            )


def command_as(
    argv: Sequence[str], account: Account | None, *, lifeline: signal.Signals
) -> list[str]:
    """The command behind `setpriv` where the system has it: lifeline and account without code between fork and exec.

    Args:
        argv: program and arguments.
        account: whom it runs as; ourselves when None.
        lifeline: the signal it gets when the thread that started it ends.
    """
    if not has_setpriv():
        return list(argv)
    wrapped = ["setpriv", "--pdeathsig", lifeline.name.removeprefix("SIG")]
    if account:
        wrapped += ["--reuid", str(account.uid), "--regid", str(account.gid), "--clear-groups"]
        if account.capability:
            granted = f"+{account.capability}"
            # access(2), by which PostgreSQL checks its own programs, looks at capabilities only with this bit.
            wrapped += ["--securebits", "+no_setuid_fixup"]
            wrapped += ["--inh-caps", granted, "--ambient-caps", granted]
    return [*wrapped, "--", *argv]


def identity_of(account: Account | None) -> Identity:
    """What `subprocess` itself must do where `setpriv` is missing."""
    if account is None or has_setpriv():
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def end_leftover(pid_file: Path, *, seconds_max: float, ask: signal.Signals) -> None:
    """End the process a crashed supervisor has left behind, if it is really that process (same id, same birth)."""
    try:
        known = json.loads(pid_file.read_text())
        process = psutil.Process(known["pid"])
        is_ours = abs(process.create_time() - known["born"]) < 1.0
    except (FileNotFoundError, ValueError, KeyError, psutil.NoSuchProcess):
        is_ours = False
        process = None
    if process and is_ours:
        with suppress(psutil.NoSuchProcess):  # it may end between the look and the signal
            process.send_signal(ask)
            if not wait_gone([process], seconds_max=seconds_max):
                process.kill()
                wait_gone([process], seconds_max=_KILL_SECONDS_MAX)
    pid_file.unlink(missing_ok=True)


def wait_gone(processes: Sequence[psutil.Process], *, seconds_max: float) -> bool:
    """Whether all of these, none of them a child of ours, are gone within the time.

    A zombie is gone: it holds no port, file or memory, and in a container nobody may ever bury it.
    """
    until = time.monotonic() + seconds_max
    while not all(_is_gone(process) for process in processes):
        if time.monotonic() > until:
            return False
        time.sleep(_LOOK_SECONDS)
    return True


def _is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def stop_all(children: Sequence[Child]) -> None:
    """Ask all of them first, then wait for each: the slowest sets the time, not the sum."""
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.stop()


def wait_until(
    condition: Callable[[], bool],
    *,
    child: Child,
    seconds_max: float,
    pause_seconds: float = _LOOK_SECONDS,
) -> None:
    """Poll a real protocol check until it holds, the child dies, or the time is up.

    Raises:
        CannotStart: it died, or did not answer in time.
    """
    until = time.monotonic() + seconds_max
    while True:
        child.require_alive()
        if condition():
            return
        if time.monotonic() > until:
            raise CannotStart(
                f"{child.name} did not answer within {seconds_max:.0f} s; see {child.log}\n{child.last_words()}"
            )
        time.sleep(pause_seconds)


def has_setpriv() -> bool:
    """util-linux's `setpriv`; BusyBox has a smaller one that knows no parent-death signal."""
    if not sys.platform.startswith("linux"):
        return False
    found = shutil.which("setpriv")
    return found is not None and Path(found).resolve().name == "setpriv"
