"""The event store: the `eventsourcing` library underneath, one transaction for events and tables on top."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final, Generic, TypeVar, cast
from uuid import UUID

import psycopg
import structlog
from eventsourcing.application import Application
from eventsourcing.persistence import StoredEvent
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow
from psycopg.sql import SQL, Identifier

from shared.database import Database, Transaction
from shared.errors import Unreadable
from shared.events import Event, Owner, UnknownEvent, decode
from shared.eventstore.claims import Claim
from shared.eventstore.mapper import StructMapper
from shared.eventstore.recorder import TransactionalRecorder
from shared.eventstore.snapshots import EVERY, Snapshots
from shared.observability import metrics
from shared.settings import ServiceSettings
from shared.topics import RECORD_BYTES_MAX

S = TypeVar("S")
R = TypeVar("R")
log = structlog.get_logger(__name__)

STATES_MAX: Final = 20_000
"""Folded streams kept in memory (about 2 KB each): what is active in a day, not the whole history."""

_CONFLICTS_MAX: Final = 5

EVENT_BYTES_MAX: Final = RECORD_BYTES_MAX - 64 * 1024
"""The largest event: key, headers and framing fit beside it in a record. One that is stored and cannot be published
would stand in the relay's way, and with it everything behind it, for ever."""


class VersionGap(Exception):
    """An event would leave out a version of its stream: every reader would wait for the missing one for ever."""


class EventTooLarge(Exception):
    """An event is larger than a Kafka record may be (`EVENT_BYTES_MAX`)."""


class EventStore(Database, Generic[S]):
    """A service's events and tables, changed together.

    Args:
        settings: addresses and pool sizes.
        owner: whose events these are; also the name of the schema.
        evolve: folds one event into a stream's state, `None` for a stream of which only the version matters;
            without it only versions are known.
        snapshots: where states of long streams are kept; without, a state that is not in memory costs all its events.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        owner: Owner,
        evolve: Callable[[S | None, Event], S | None] | None = None,
        snapshots: Snapshots[S] | None = None,
    ) -> None:
        super().__init__(settings, schema=owner.value)
        self.owner = owner
        self.events_table = f"{owner.value}_events"
        self._settings = settings
        self.snapshots = snapshots
        self._evolve = evolve
        self._states: OrderedDict[UUID, tuple[S | None, int]] = OrderedDict()
        self._states_lock = Lock()
        self._application: Application[UUID] | None = None
        self._listeners: list[Callable[[], None]] = []

    @property
    def recorder(self) -> TransactionalRecorder:
        """The library's recorder (after `migrate`)."""
        assert self._application is not None, "migrate() comes first"
        return cast(TransactionalRecorder, self._application.recorder)

    def migrate(self, *packages: str) -> None:
        """Create the library's event table, then the plumbing's and the service's own tables."""
        super().migrate()
        if self._application is not None:  # an earlier attempt got this far
            self._application.close()
        with self._sync.connection() as lock:
            # The library's CREATE OR REPLACE fails when two processes say it at once; this lock ends with the block.
            lock.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"create:{self.schema}",))
            self._application = _construct_application(self._settings, self.owner)
        super().migrate("shared.eventstore", "shared.audit", *packages)
        self.transact(self._tune)

    async def is_claimed(self, claim: Claim) -> bool:
        """Whether this has happened already: spares what would be done for nothing, and decides nothing."""
        pool = await self.pool()
        async with pool.connection() as connection:
            found = await connection.execute(
                "SELECT 1 FROM claims WHERE claim_id = %s", (claim.id,)
            )
            return await found.fetchone() is not None

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call `listener` (from any thread) after each commit that stored events; what it raises is only logged."""
        self._listeners.append(listener)

    async def close(self) -> None:
        """Give all connections back."""
        if self._application is not None:
            self._application.close()
        await super().close()

    def transact(
        self,
        work: Callable[["EventTransaction[S]"], R],
        *,
        streams: Collection[UUID] = (),
    ) -> R:
        """Run `work` and commit its events and its rows together. Blocks: call it from a worker thread.

        When another process appended to one of the streams first, everything is rolled back and `work` runs again on
        fresh states.

        Args:
            work: reads `tx.state(...)`, may refuse, calls `tx.append(...)`; no effects outside.
            streams: whose states to bring up to date first, in one query.
        """
        for attempt in range(1, _CONFLICTS_MAX + 1):
            try:
                return self._attempt(work, streams)
            except psycopg.errors.UniqueViolation as error:
                if attempt == _CONFLICTS_MAX or error.diag.table_name != self.events_table:
                    raise
                metrics.STORE_TRANSACTIONS_REPEATED.labels("conflict").inc()
        raise AssertionError("unreachable")

    def history(self, stream_id: UUID, *, after: int = 0) -> list[Event]:
        """The events of one stream in order, from version `after + 1` on. Blocks."""
        assert self._application is not None, "migrate() comes first"
        return [
            cast(Event, event)
            for event in self._application.events.get(stream_id, gt=after or None)
        ]

    def _attempt(self, work: Callable[["EventTransaction[S]"], R], streams: Collection[UUID]) -> R:
        transaction: EventTransaction[S] | None = None

        def make(cursor: psycopg.Cursor[DictRow]) -> EventTransaction[S]:
            nonlocal transaction
            transaction = EventTransaction(cursor, self)
            transaction.prefetch(streams)
            return transaction

        result = self._transact(make, work, EventTransaction.flush)
        assert transaction is not None
        self._keep(transaction.touched())
        if transaction.stored_count:
            metrics.STORE_EVENTS_APPENDED.inc(transaction.stored_count)
            self._tell()
        return result

    def _tell(self) -> None:
        # The commit has happened: an error from here would make the caller run the same work once more.
        for listener in self._listeners:
            try:
                listener()
            except Exception:
                log.exception("commit_listener_failed", owner=self.owner)

    def _forget_connections(self) -> None:
        # Behind the broken connection another server may have taken over, whose log ends earlier than our states.
        with self._states_lock:
            self._states.clear()
        super()._forget_connections()

    def cached(self, stream_id: UUID) -> tuple[S | None, int]:
        """The state and version last seen in this process; may be behind the database."""
        with self._states_lock:
            return self._states.get(stream_id, (None, 0))

    @property
    def folds(self) -> bool:
        """Whether states are kept; without, only versions are known."""
        return self._evolve is not None

    def fold(self, state: S | None, event: Event) -> S | None:
        """The state after one more event."""
        return None if self._evolve is None else self._evolve(state, event)

    def _keep(self, states: Iterable[tuple[UUID, tuple[S | None, int]]]) -> None:
        with self._states_lock:
            for stream_id, (state, version) in states:
                if 0 < version >= self._states.get(stream_id, (None, 0))[1]:
                    self._states[stream_id] = (state, version)
                    self._states.move_to_end(stream_id)
            while len(self._states) > STATES_MAX:
                self._states.popitem(last=False)

    def _tune(self, tx: "EventTransaction[S]") -> None:
        # The table lock of an append conflicts with VACUUM and ANALYZE; an append-only table needs them rarely.
        tx.cursor.execute(
            SQL(
                "ALTER TABLE {} SET (autovacuum_vacuum_insert_threshold = -1,"
                " autovacuum_analyze_scale_factor = 0.2, autovacuum_analyze_threshold = 1000000)"
            ).format(Identifier(self.events_table))
        )


class EventTransaction(Transaction, Generic[S]):
    """A transaction that can also read and append streams. Events are inserted in order just before the commit."""

    def __init__(self, cursor: psycopg.Cursor[DictRow], store: EventStore[S]) -> None:
        super().__init__(cursor)
        self._store = store
        self._overlay: dict[UUID, tuple[S | None, int]] = {}
        self._pending: list[Event] = []
        self._undo: list[tuple[UUID, tuple[S | None, int] | None]] = []
        self._unread: set[UUID] = set()  # appended to by callers who know the version themselves
        self._read: Counter[UUID] = Counter()  # events that a state had to be made of
        self.stored_count = 0

    @property
    def owner(self) -> Owner:
        """Whose events these are."""
        return self._store.owner

    def prefetch(self, streams: Collection[UUID]) -> None:
        """Bring the states of these streams up to date with the database, all together."""
        ids = [stream for stream in dict.fromkeys(streams) if stream not in self._overlay]
        if not ids:
            return
        base = {stream: self._store.cached(stream) for stream in ids}
        if self._store.snapshots is not None:
            unknown = [stream for stream in ids if not base[stream][1]]
            base.update(self._store.snapshots.read(self.cursor, unknown))
        self.cursor.execute(
            SQL(
                "SELECT e.originator_id, e.originator_version, e.topic, e.state"
                " FROM unnest(%s::uuid[], %s::bigint[]) AS known (id, version)"
                " JOIN {} AS e ON e.originator_id = known.id AND e.originator_version > known.version"
                " ORDER BY e.originator_id, e.originator_version"
            ).format(Identifier(self._store.events_table)),
            (ids, [base[stream][1] for stream in ids]),
        )
        for row in self.cursor.fetchall():
            state, _ = base[row["originator_id"]]
            event = decode(row["topic"], bytes(row["state"]))
            if isinstance(event, UnknownEvent):
                raise Unreadable(f"own history holds an unknown type: {event.type}")
            base[row["originator_id"]] = self._store.fold(state, event), row["originator_version"]
            self._read[row["originator_id"]] += 1
        self._overlay.update(base)

    def state(self, stream_id: UUID) -> S | None:
        """The stream's state now, with what this transaction appended; None when there is no such stream."""
        if stream_id not in self._overlay:
            self.prefetch((stream_id,))
        return self._overlay[stream_id][0]

    def version(self, stream_id: UUID) -> int:
        """The stream's last version, with what this transaction appended; 0 when there is no such stream."""
        if stream_id not in self._overlay:
            self.prefetch((stream_id,))
        return self._overlay[stream_id][1]

    def history(self, stream_id: UUID) -> list[Event]:
        """The stream's events so far, with what this transaction appended: for the rare rule that reads messages."""
        self.cursor.execute(
            SQL(
                "SELECT topic, state FROM {} WHERE originator_id = %s ORDER BY originator_version"
            ).format(Identifier(self._store.events_table)),
            (stream_id,),
        )
        stored = [decode(row["topic"], bytes(row["state"])) for row in self.cursor.fetchall()]
        known = [event for event in stored if isinstance(event, Event)]
        return [*known, *(event for event in self._pending if event.stream_id == stream_id)]

    def append(self, *events: Event) -> None:
        """Add events to their streams; each must carry its stream's next version.

        Raises:
            VersionGap: a version would be left out. (One that is taken already is a conflict: `work` runs again.)
        """
        for event in events:
            stream_id = event.stream_id
            before = self._before(stream_id, event.version)
            if before is not None and event.version > before[1] + 1:
                raise VersionGap(f"{event.event_id} after version {before[1]}")
            self._undo.append((stream_id, self._overlay.get(stream_id)))
            self._overlay[stream_id] = (
                self._store.fold(before[0] if before else None, event),
                event.version,
            )
            self._pending.append(event)

    def _before(self, stream_id: UUID, version: int) -> tuple[S | None, int] | None:
        """The stream before an append; None when it was not read and its state does not matter (see `flush`)."""
        if stream_id not in self._overlay and version > 1:
            if not self._store.folds:
                self._unread.add(stream_id)
                return None
            self.prefetch((stream_id,))
        return self._overlay.get(stream_id, (None, 0))

    def mark(self) -> int:
        """A point to which `rewind` can return."""
        return len(self._pending)

    def rewind(self, mark: int) -> None:
        """Forget what was appended since `mark` (rows written meanwhile are a savepoint's business)."""
        while len(self._undo) > mark:
            stream_id, before = self._undo.pop()
            if before is None:
                del self._overlay[stream_id]
            else:
                self._overlay[stream_id] = before
        del self._pending[mark:]

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo only what happens inside when it raises: rows and appended events alike."""
        mark = self.mark()
        try:
            with super().savepoint():
                yield
        except BaseException:
            self.rewind(mark)
            raise

    def flush(self) -> None:
        """Insert what is pending. Called by the store before it commits.

        Raises:
            VersionGap: see `append`.
            EventTooLarge: an event could never be published.
        """
        if self._pending:
            stored = [_MAPPER.to_stored_event(cast(Any, event)) for event in self._pending]
            for event in stored:
                if len(event.state) > EVENT_BYTES_MAX:
                    raise EventTooLarge(
                        f"{event.topic} of {event.originator_id}: {len(event.state)} bytes,"
                        f" at most {EVENT_BYTES_MAX}"
                    )
            self._store.recorder.append_with(self.cursor, stored)
            self._check_unread(stored)
            if self._store.snapshots is not None:
                self._store.snapshots.write(self.cursor, self._long())
            self._pending.clear()
            self._undo.clear()
            self.stored_count = len(stored)

    def _long(self) -> dict[UUID, tuple[S, int]]:
        """States to keep: of streams that have grown past a multiple of `EVERY`, or were long to read just now."""
        long: dict[UUID, tuple[S, int]] = {}
        for stream_id, count in Counter(event.stream_id for event in self._pending).items():
            state, version = self._overlay[stream_id]
            has_grown = version // EVERY > (version - count) // EVERY
            if state is not None and (has_grown or self._read[stream_id] >= EVERY):
                long[stream_id] = state, version
        return long

    def _check_unread(self, stored: Iterable[StoredEvent]) -> None:
        """The primary key refuses a version that is taken; this refuses one that comes too early."""
        first: dict[UUID, int] = {}
        for event in stored:
            if event.originator_id in self._unread:
                first.setdefault(cast(UUID, event.originator_id), event.originator_version)
        if not first:
            return
        self.cursor.execute(
            SQL(
                "SELECT id, version FROM unnest(%s::uuid[], %s::bigint[]) AS appended (id, version)"
                " WHERE version > 1 AND NOT EXISTS (SELECT 1 FROM {} WHERE originator_id = id"
                " AND originator_version = version - 1)"
            ).format(Identifier(self._store.events_table)),
            (list(first), list(first.values())),
        )
        if (row := self.cursor.fetchone()) is not None:
            raise VersionGap(f"{row['id']}: there is no version before {row['version']}")

    def touched(self) -> Iterable[tuple[UUID, tuple[S | None, int]]]:
        """The states this transaction has seen or made."""
        return self._overlay.items()


_MAPPER: Final = StructMapper(transcoder=cast(Any, None))


def _construct_application(settings: ServiceSettings, owner: Owner) -> Application[UUID]:
    parts = conninfo_to_dict(settings.database_url.get_secret_value())
    environment = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "APPLICATION_RECORDER_TOPIC": f"{TransactionalRecorder.__module__}:TransactionalRecorder",
        "MAPPER_TOPIC": f"{StructMapper.__module__}:StructMapper",
        "POSTGRES_DBNAME": str(parts.get("dbname", "")),
        "POSTGRES_HOST": str(parts.get("host", "")),
        "POSTGRES_PORT": str(parts.get("port", "5432")),
        "POSTGRES_USER": str(parts.get("user", "")),
        "POSTGRES_PASSWORD": str(parts.get("password", "")),
        "POSTGRES_SCHEMA": owner.value,
        "POSTGRES_POOL_SIZE": "1",
        "POSTGRES_MAX_OVERFLOW": "1",
        "POSTGRES_LOCK_TIMEOUT": "5",
        # Loses events when it is on (docs/decisions/0002).
        "POSTGRES_ENABLE_DB_FUNCTIONS": "n",
    }
    application_class = type(owner.value.title(), (Application,), {"name": owner.value})
    return cast("Application[UUID]", application_class(environment))
