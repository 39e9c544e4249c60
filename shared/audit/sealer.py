"""The sealer: follows a log in commit order, seals what is new about once a second, signs each day that is over."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

import psycopg
import structlog
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Identifier

from shared.audit import chain
from shared.audit.days import close_day
from shared.audit.old_days import Interrupted, keep_old_days
from shared.audit.signing import AuditKey
from shared.database import Database, Transaction
from shared.numbers import last_number
from shared.observability import metrics

log = structlog.get_logger(__name__)

EVENTS_MAX: Final = 5_000
"""In one seal: some 40 ms of work in one transaction, and 280 kB of entries."""

HEADS_REMEMBERED_MAX: Final = 20_000
"""Ends of chains kept in memory, about 250 bytes each; others are read when their stream grows."""

_PAUSE_SECONDS_MAX: Final = 30.0


class _Last(NamedTuple):
    """The newest seal."""

    number: int
    day: date
    position: int
    hash: bytes


_Row = tuple[int, bytes, int, str, bytes]
"""Position, stream, version, wire type, SHA-256 of the bytes."""

_Heads = dict[bytes, tuple[int, bytes]]
"""Stream → its last sealed version and link."""

_NONE: Final = _Last(0, date.min, 0, chain.NOTHING)


class Sealer:
    """Seals one event table. Several processes of a service may run one each; one at a time seals.

    What was sealed by this process is remembered in it: when the newest seals vanish from the database, that is
    told loudly, and the next seal follows the vanished ones, so that the gap stays visible for ever.

    Args:
        store: the log's database, with the tables of `shared.audit`.
        service: whose log; part of every hash.
        table: the event table.
        seconds: between two looks: how long an event may stand unsealed.
        secret: what the signing key is made from; without it seals are hashed and chained, and not signed.
        clock: the time of sealing, which decides the day.
        found_by: the column by which proofs are asked for; where each event is a stream of its own, what it is about.
    """

    def __init__(
        self,
        store: Database,
        *,
        service: str,
        table: str,
        seconds: float,
        secret: str | None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        found_by: str = "originator_id",
    ) -> None:
        self.key = AuditKey(secret, service) if secret else None
        self.service = service
        self.table = table
        self.found_by = found_by
        self.problem: str | None = None
        self._store = store
        self._seconds = seconds
        self._clock = clock
        self._stopping = asyncio.Event()
        self._last: _Last | None = None
        self._heads: OrderedDict[bytes, tuple[int, bytes]] = OrderedDict()
        # SHA-256 of the bytes is taken where they lie: whatever their size, 32 bytes travel.
        self._read = SQL(
            "SELECT notification_id, uuid_send(originator_id), originator_version, topic, sha256(state)"
            " FROM {} WHERE notification_id > %s AND notification_id <= {} ORDER BY notification_id LIMIT %s"
        ).format(Identifier(table), last_number(table))

    async def run(self) -> None:
        """Seal until `stop`, and once more then. Failures are told and followed by growing pauses."""
        if self.key is None:
            log.warning("audit_unsigned", service=self.service, set="TICKETING_AUDIT_SECRET")
        pause = self._seconds
        old_days = asyncio.create_task(self._keep_old_days())
        while True:
            is_last_turn = self._stopping.is_set()
            try:
                while await asyncio.to_thread(self.seal_next) >= EVENTS_MAX:
                    pass
                pause, self.problem = self._seconds, None
            except (psycopg.Error, OSError) as error:
                self.problem = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
                log.warning("audit_not_sealed", service=self.service, error=self.problem)
                pause = min(pause * 2, _PAUSE_SECONDS_MAX)
            if is_last_turn:
                await old_days
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    async def _keep_old_days(self) -> None:
        """Beside the sealing, which must not wait for it: a long log is read once after an upgrade."""
        try:
            count = await asyncio.to_thread(self.keep_old_days)
        except Interrupted:
            log.info("audit_old_days_interrupted", service=self.service)
        except (psycopg.Error, OSError) as error:  # the next start tries again
            log.warning("audit_old_days_not_kept", service=self.service, error=repr(error))
        else:
            if count:
                log.info("audit_old_days_kept", service=self.service, days=count)

    def keep_old_days(self) -> int:
        """Keep the leaves of days signed before leaves were kept. Blocks. Returns of how many days.

        Raises:
            Interrupted: the sealer was stopped meanwhile.
        """
        return self._store.transact(
            lambda tx: keep_old_days(tx, self.table, lambda: not self._stopping.is_set())
        )

    def stop(self) -> None:
        """Seal what is there, then end."""
        self._stopping.set()

    def seal_next(self) -> int:
        """Seal the next events, at most `EVENTS_MAX`; before the first of a new day close the one before. Blocks.

        Returns:
            how many were sealed.
        """
        self._last, grown, count = self._store.transact(self._seal)
        self._remember(grown)  # only now: a transaction that was rolled back sealed nothing
        if count:
            metrics.STORE_EVENTS_SEALED.inc(count)
        return count

    def _seal(self, tx: Transaction) -> tuple[_Last | None, _Heads, int]:
        tx.cursor.execute(
            "SELECT pg_try_advisory_xact_lock(hashtext(current_schema()), hashtext('audit')) AS mine"
        )
        if not (tx.cursor.fetchone() or {})["mine"]:
            return self._last, {}, 0  # another process of this service is at it
        last = self._newest(tx)
        today = self._clock().date()
        if last.number and last.day < today:
            close_day(tx, self.service, last.day, self.key)
        rows = self._rows(tx, last.position)
        if not rows:
            return last, {}, 0
        grown, entries = self._chained(tx, rows)
        newest = self._add_seal(tx, last, rows, entries)
        _store_heads(tx, grown, newest.day)
        return newest, grown, len(rows)

    def _newest(self, tx: Transaction) -> _Last:
        tx.cursor.execute(
            "SELECT number, day, last AS position, hash FROM audit_seals ORDER BY number DESC LIMIT 1"
        )
        row = tx.cursor.fetchone()
        stored = (
            _Last(row["number"], row["day"], row["position"], bytes(row["hash"])) if row else _NONE
        )
        known = self._last or _NONE
        if stored.number > known.number:  # another process sealed, or this one has just started
            self._heads.clear()
            return stored
        if stored != known:
            log.error(
                "audit_seals_vanished",
                service=self.service,
                known_seal=known.number,
                stored_seal=stored.number,
            )
            metrics.STORE_SEALS_VANISHED.inc()
        return known

    def _rows(self, tx: Transaction, position: int) -> list[_Row]:
        with tx.cursor.connection.cursor(row_factory=tuple_row, binary=True) as cursor:
            return cursor.execute(self._read, (position, EVENTS_MAX), prepare=True).fetchall()

    def _add_seal(
        self, tx: Transaction, last: _Last, rows: Sequence[_Row], entries: bytes
    ) -> _Last:
        now = self._clock()
        day = max(now.date(), last.day)  # a clock that was set back never opens a closed day
        seal = chain.Seal(
            service=self.service,
            number=last.number + 1,
            day=day,
            after=last.position,
            last=rows[-1][0],
            entries=entries,
            previous=last.hash,
            sealed_at=now,
        )
        digest = seal.hash()
        tx.cursor.execute(
            "INSERT INTO audit_seals (number, day, after, last, event_count, entries, previous, hash,"
            " key_id, signature, sealed_at) VALUES (%s, %s, %s, %s, %s, %b, %b, %b, %s, %b, %s)",
            (
                *(seal.number, seal.day, seal.after, seal.last, len(rows), entries),
                *(seal.previous, digest),
                *(self.key.id if self.key else None, self.key.sign(digest) if self.key else None),
                seal.sealed_at,
            ),
        )
        return _Last(seal.number, day, seal.last, digest)

    def _chained(self, tx: Transaction, rows: Sequence[_Row]) -> tuple[_Heads, bytes]:
        """The streams that grew with the new ends of their chains, and the seal's entries."""
        self._load_heads(tx, {row[1] for row in rows})
        heads, entries = self._heads, bytearray()
        grown: _Heads = {}
        for position, stream, version, wire_type, state_hash in rows:
            leaf = chain.leaf(position, stream, version, wire_type, state_hash)
            before = grown.get(stream) or heads.get(stream) or (0, chain.NOTHING)
            grown[stream] = version, chain.link(before[1], leaf)
            entries += chain.pack_entry(stream, version, leaf)
        return grown, bytes(entries)

    def _load_heads(self, tx: Transaction, streams: set[bytes]) -> None:
        if missing := [stream for stream in streams if stream not in self._heads]:
            tx.cursor.execute(
                "SELECT uuid_send(stream_id) AS stream, version, link FROM audit_heads"
                " WHERE stream_id = ANY(%s::uuid[])",
                ([stream.hex() for stream in missing],),
            )
            for row in tx.cursor.fetchall():
                self._heads[bytes(row["stream"])] = row["version"], bytes(row["link"])

    def _remember(self, grown: _Heads) -> None:
        for stream, end in grown.items():
            self._heads[stream] = end
            self._heads.move_to_end(stream)
        while len(self._heads) > HEADS_REMEMBERED_MAX:
            self._heads.popitem(last=False)


def _store_heads(tx: Transaction, grown: _Heads, day: date) -> None:
    streams = sorted(grown)
    values: tuple[Any, ...] = (
        day,
        [stream.hex() for stream in streams],
        [grown[stream][0] for stream in streams],
        [grown[stream][1] for stream in streams],
    )
    tx.cursor.execute(
        "INSERT INTO audit_heads (day, stream_id, version, link)"
        " SELECT %s::date, * FROM unnest(%s::uuid[], %s::bigint[], %b::bytea[])"
        " ON CONFLICT (stream_id) DO UPDATE"
        " SET version = EXCLUDED.version, link = EXCLUDED.link, day = EXCLUDED.day",
        values,
    )
