"""PostgreSQL of one service: its pool, its transactions, its migrations."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import resources
from typing import Any, Final, TypeVar

import psycopg
import structlog
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row
from psycopg.sql import SQL, Identifier
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolClosed, PoolTimeout

from shared.observability import metrics
from shared.settings import ServiceSettings

R = TypeVar("R")
log = structlog.get_logger(__name__)

TRANSIENT: Final = (psycopg.OperationalError, psycopg.InterfaceError)
"""What a lost or restarting server raises (`PoolTimeout` is an OperationalError): worth trying again."""

_ATTEMPTS_MAX: Final = 3
_POOL_WAIT_SECONDS_MAX: Final = 5.0
_SESSION: Final = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
"""The server lets go of a vanished client, and of the locks it holds, after 25 s and not after two hours."""

_CONNECTION: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""And we notice within the same time that the server has vanished."""

_MIGRATION_FILE: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


class CommitUnknown(psycopg.OperationalError):
    """The connection broke while COMMIT was under way: it may have happened or not.

    The caller must not be told either; with an `Idempotency-Key` it may ask again safely.
    """


class RolledBack(psycopg.InternalError):
    """A statement failed and its error was swallowed: PostgreSQL would take COMMIT for ROLLBACK, without an error."""


class Transaction:
    """One PostgreSQL transaction: everything in it happens, or nothing.

    Attributes:
        cursor: rows as dictionaries; `search_path` is the service's own schema.
        now: the moment the transaction began (aware UTC): the `recorded_at` of what it stores.
    """

    def __init__(self, cursor: psycopg.Cursor[DictRow]) -> None:
        self.cursor = cursor
        self.now = datetime.now(UTC)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo only what happens inside when it raises."""
        with self.cursor.connection.transaction():
            yield


T = TypeVar("T", bound=Transaction)


class Database:
    """A service's own corner of PostgreSQL, without events.

    Args:
        settings: addresses and pool size.
        schema: the schema that the service owns; the `search_path` of every connection.
        ahead: a schema that is looked into first, for tables that are built beside those of the same name.
    """

    def __init__(self, settings: ServiceSettings, *, schema: str, ahead: str | None = None) -> None:
        self.schema = schema
        path = f"{ahead},{schema}" if ahead else schema
        self._url = settings.database_url.get_secret_value()
        options = {
            "options": f"-c search_path={path},public {_SESSION}",
            "application_name": f"ticketing-{schema}-{settings.instance}",
            "row_factory": dict_row,
            **_CONNECTION,
        }
        self._sync = ConnectionPool(
            self._url,
            connection_class=psycopg.Connection[DictRow],
            kwargs=options,
            min_size=1,
            max_size=settings.database_pool_size,
            timeout=_POOL_WAIT_SECONDS_MAX,
            open=False,
        )
        self._async = AsyncConnectionPool(
            self._url,
            connection_class=psycopg.AsyncConnection[DictRow],
            kwargs={**options, "autocommit": True},
            min_size=1,
            max_size=settings.database_pool_size,
            timeout=_POOL_WAIT_SECONDS_MAX,
            open=False,
        )

    def open(self) -> None:
        """Make the synchronous pool usable; it connects in the background and again after an outage."""
        self._sync.open()

    async def pool(self) -> AsyncConnectionPool[psycopg.AsyncConnection[DictRow]]:
        """The asynchronous pool for reads in HTTP handlers (autocommit, dictionary rows)."""
        if self._async.closed:
            await self._async.open()
        return self._async

    async def close(self) -> None:
        """Give all connections back."""
        self._sync.close()
        if not self._async.closed:
            await self._async.close()

    async def connect(self) -> psycopg.AsyncConnection[DictRow]:
        """A connection of its own, for session-level locks."""
        return await psycopg.AsyncConnection.connect(
            self._url,
            row_factory=dict_row,
            autocommit=True,
            options=f"-c search_path={self.schema},public {_SESSION}",
            **_CONNECTION,
        )

    def transact(self, work: Callable[[Transaction], R]) -> R:
        """Run `work` in one transaction and commit. Blocks: call it from a worker thread.

        A connection that breaks before COMMIT is replaced and `work` runs again, so it must have no effects
        outside the transaction.

        Raises:
            CommitUnknown: the connection broke during COMMIT.
            RolledBack: `work` swallowed the error of a statement, so nothing can be committed.
        """
        return self._transact(Transaction, work, lambda _tx: None)

    def _transact(
        self,
        make: Callable[[psycopg.Cursor[DictRow]], T],
        work: Callable[[T], R],
        before_commit: Callable[[T], None],
    ) -> R:
        for attempt in range(1, _ATTEMPTS_MAX + 1):
            try:
                with (
                    metrics.STORE_TRANSACTION_SECONDS.time(),
                    self._sync.connection() as connection,
                ):
                    tx = make(connection.cursor())
                    result = work(tx)
                    before_commit(tx)
                    self._commit(connection)
                    return result
            except (CommitUnknown, PoolTimeout, PoolClosed):
                raise  # a pool that gave no connection in its own time gives none now
            except psycopg.OperationalError as error:
                if not is_connection_lost(error) and error.sqlstate not in _LOST_RACES:
                    raise
                if is_connection_lost(error):
                    self._forget_connections()
                if attempt == _ATTEMPTS_MAX:
                    raise
                metrics.STORE_TRANSACTIONS_REPEATED.labels("connection").inc()
                log.warning("transaction_repeated", attempt=attempt, error=type(error).__name__)
        raise AssertionError("unreachable")

    def _commit(self, connection: psycopg.Connection[DictRow]) -> None:
        if connection.info.transaction_status is TransactionStatus.INERROR:
            raise RolledBack("a statement failed, and the error was swallowed")
        try:
            connection.commit()
        except TRANSIENT as error:
            raise CommitUnknown(str(error)) from error

    def _forget_connections(self) -> None:
        """One connection broke: test the idle ones too, or each of them would cost an attempt."""
        self._sync.check()

    def migrate(self, *packages: str) -> None:
        """Apply each package's `migrations/NNNN_name.sql` once, in order, one process at a time.

        Each in a transaction of its own: what one locks is free again while the next one runs, so that processes of the
        version before go on reading. An empty schema has no readers, and is made in one.
        """
        files = [each for package in packages for each in _migration_files(package)]

        def apply(tx: Transaction) -> bool:
            """Whether there may be more."""
            run = tx.cursor.execute
            run("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"migrate:{self.schema}",))
            if not _has_schema(tx, self.schema):
                # Asked first: a role without CREATE on the database may not even say IF NOT EXISTS.
                run(SQL("CREATE SCHEMA {}").format(Identifier(self.schema)))
            run(
                "CREATE TABLE IF NOT EXISTS schema_migrations"
                " (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
            )
            done = {row["name"] for row in run("SELECT name FROM schema_migrations")}
            missing = [(name, text) for name, text in files if name not in done]
            for name, text in missing[:1] if done else missing:
                run(text)
                run("INSERT INTO schema_migrations (name) VALUES (%s)", (name,))
                log.info("migration_applied", schema=self.schema, migration=name)
            return bool(done) and len(missing) > 1

        while self.transact(apply):
            pass


_LOST_RACES: Final = {"40P01", "40001"}
"""Deadlock and serialization failure: nobody's fault, over as soon as it is tried again."""


def is_connection_lost(error: psycopg.Error) -> bool:
    """A lost connection has no SQLSTATE, or one of class 57P (server going away) or 08."""
    state: Any = error.sqlstate
    return state is None or state[:2] == "08" or state[:3] == "57P"


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed later, unchanged.

    Class 54 (a row or index entry past PostgreSQL's own limits) is an `OperationalError` to psycopg, and never passes.
    """
    if isinstance(error, psycopg.Error) and (error.sqlstate or "")[:2] == "54":
        return False
    return isinstance(error, TRANSIENT)


def _has_schema(tx: Transaction, schema: str) -> bool:
    tx.cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,))
    return tx.cursor.fetchone() is not None


def _migration_files(package: str) -> Iterator[tuple[str, str]]:
    folder = resources.files(package) / "migrations"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if _MIGRATION_FILE.fullmatch(file.name):
            yield f"{package}/{file.name}", file.read_text(encoding="utf-8")
