"""The log against its copies: Kafka's topics, and the events that query keeps. What one lacks or tells differently."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import psycopg
from aiokafka import AIOKafkaConsumer
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Identifier

from deploy.audit.findings import Progress, Verdict
from deploy.audit.source import PAGE, TABLES, Source
from shared.errors import Unreadable
from shared.events import Actor
from shared.messaging.records import Record, read_envelope, recorded_at
from shared.topics import OWNERS

_FILED: Final = (
    "actor_kind", "actor_id", "actor_name", "via", "occurred_at", "recorded_at", "correlation_id", "causation_id",
)  # fmt: skip
"""The columns by which query finds an event, and tells who it was."""

_FETCH_MS: Final = 1_000
_BITS: Final = 8
COPY_SECONDS_MAX: Final = 60
"""An event that query has not taken over after so long is a finding: parked there, or removed."""


class KafkaCopy:
    """One service's topics, read whole, each record held against the row of the same stream and version.

    One bit is kept for each position, to find what the database has and Kafka lacks.

    Args:
        source: the log.
        bootstrap_servers: of Kafka.
        prefix: of the installation's topics.
    """

    def __init__(self, source: Source, *, bootstrap_servers: str, prefix: str) -> None:
        self._source = source
        self._servers = bootstrap_servers
        self._prefix = prefix
        self._seen = bytearray()

    def compare(self, verdict: Verdict, progress: Progress) -> int:
        """Add what differs to the verdict; returns how many records were read."""
        (published,) = self._source.fetch("SELECT notification_id FROM {}", "relay_position")
        count = asyncio.run(self._read_topics(verdict, progress))
        self._find_missing(verdict, published["notification_id"])
        return count

    async def _read_topics(self, verdict: Verdict, progress: Progress) -> int:
        topics = [self._prefix + topic for topic in OWNERS if OWNERS[topic] == self._source.service]
        # Without a group every partition is ours.
        consumer = AIOKafkaConsumer(
            *topics,
            bootstrap_servers=self._servers,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            slots = sorted(consumer.assignment())
            if missing := sorted(set(topics) - {slot.topic for slot in slots}):
                raise OSError(f"Kafka has no topic {', '.join(missing)}")
            ends = await consumer.end_offsets(slots)
            begins = await consumer.beginning_offsets(slots)
            progress.begin(
                f"{self._source.service}: Kafka",
                sum(ends[slot] - begins[slot] for slot in slots),
            )
            await consumer.seek_to_beginning(*slots)
            count = 0
            while [slot for slot in slots if await consumer.position(slot) < ends[slot]]:
                batches = await consumer.getmany(timeout_ms=_FETCH_MS, max_records=PAGE)
                records = [record for batch in batches.values() for record in batch]
                self._hold_against_rows(records, verdict)
                count += len(records)
                progress.advance(len(records))
            return count
        finally:
            await consumer.stop()

    def _hold_against_rows(self, raws: Sequence[Any], verdict: Verdict) -> None:
        records: list[Record] = []
        for raw in raws:
            try:
                records.append(read_envelope(raw, self._prefix))
            except Unreadable as error:
                verdict.add(f"Kafka holds a record that is no event of ours: {error}")
        if not records:
            return
        statement = SQL(
            "SELECT e.notification_id, e.topic, e.state"
            " FROM unnest(%s::uuid[], %s::bigint[]) WITH ORDINALITY AS known (id, version, place)"
            " LEFT JOIN {} AS e ON e.originator_id = known.id AND e.originator_version = known.version"
            " ORDER BY known.place"
        ).format(self._source.table(TABLES[self._source.service]))
        with self._source.connection.cursor(row_factory=tuple_row, binary=True) as cursor:
            found = cursor.execute(
                statement,
                ([record.stream_id for record in records], [record.version for record in records]),
            ).fetchall()
        for record, (position, wire_type, state) in zip(records, found, strict=True):
            place = f"Kafka, {record.topic} partition {record.partition} offset {record.offset}"
            if position is None:
                verdict.add(
                    f"was removed from the database; it is in {place}",
                    stream=record.stream_id,
                    version=record.version,
                )
                continue
            self._tick(position)
            if (state, wire_type) != (record.raw, record.wire_type):
                verdict.add(
                    f"differs from what was published; {place} has the other one",
                    stream=record.stream_id,
                    version=record.version,
                    position=position,
                )

    def _tick(self, position: int) -> None:
        if position < 0:
            return  # no position of ours; the check against the seals names it
        byte, bit = divmod(position, _BITS)
        if byte >= len(self._seen):
            self._seen.extend(bytes(byte + 1 - len(self._seen)))
        self._seen[byte] |= 1 << bit

    def _is_seen(self, position: int) -> bool:
        byte, bit = divmod(position, _BITS)
        return 0 <= byte < len(self._seen) and bool(self._seen[byte] >> bit & 1)

    def _find_missing(self, verdict: Verdict, published: int) -> None:
        statement = SQL(
            "SELECT notification_id, uuid_send(originator_id), originator_version FROM {}"
            " WHERE notification_id <= %s ORDER BY notification_id"
        ).format(self._source.table(TABLES[self._source.service]))
        with self._source.connection.cursor(
            "published", row_factory=tuple_row, binary=True
        ) as cursor:
            cursor.itersize = PAGE
            for position, stream, version in cursor.execute(statement, (published,)):
                if not self._is_seen(position):
                    verdict.add(
                        "is not in Kafka, though the relay has passed it: inserted later, or lost there",
                        stream=stream,
                        version=version,
                        position=position,
                    )


def compare_query(source: Source, query_url: str, verdict: Verdict, progress: Progress) -> int:
    """Hold query's events of this service against the log, both in the order of streams.

    Args:
        source: the log.
        query_url: of a role that may read query's schema.
        verdict: gets what differs.
        progress: is told.

    Returns:
        how many events query has.
    """
    topics = [topic.value for topic, owner in OWNERS.items() if owner == source.service]
    progress.begin(f"{source.service}: query's copy", verdict.events)
    with ExitStack() as stack:
        connection = stack.enter_context(psycopg.connect(query_url))
        connection.read_only = True
        ours = stack.enter_context(
            source.connection.cursor("log_by_stream", row_factory=tuple_row, binary=True)
        )
        copy = stack.enter_context(
            connection.cursor("copy_by_stream", row_factory=tuple_row, binary=True)
        )
        ours.itersize = copy.itersize = PAGE
        ours.execute(
            SQL(
                "SELECT uuid_send(originator_id), originator_version, notification_id, topic, state"
                " FROM {} ORDER BY originator_id, originator_version"
            ).format(source.table(TABLES[source.service]))
        )
        copy.execute(
            SQL(
                "SELECT uuid_send(stream_id), version, type, raw::text, {} FROM query.timeline"
                " WHERE topic = ANY(%s) ORDER BY stream_id, version"
            ).format(SQL(", ").join(map(Identifier, _FILED))),
            (topics,),
        )
        return _merge(iter(ours), iter(copy), verdict, progress)


def _merge(
    ours: Iterator[tuple[Any, ...]],
    copy: Iterator[tuple[Any, ...]],
    verdict: Verdict,
    progress: Progress,
) -> int:
    count = 0
    mine, theirs = next(ours, None), next(copy, None)
    while mine is not None or theirs is not None:
        if theirs is None or (mine is not None and mine[:2] < theirs[:2]):
            assert mine is not None
            if _is_old(mine[4]):
                verdict.add(
                    "is missing in query's copy: removed there, parked there, or inserted here",
                    stream=mine[0],
                    version=mine[1],
                    position=mine[2],
                )
            mine = next(ours, None)
            continue
        count += 1
        progress.advance(1)
        if mine is None or theirs[:2] < mine[:2]:
            verdict.add(
                "was removed from the database; query has it", stream=theirs[0], version=theirs[1]
            )
        else:
            if (what := _difference(mine, theirs)) is not None:
                verdict.add(what, stream=mine[0], version=mine[1], position=mine[2])
            mine = next(ours, None)
        theirs = next(copy, None)
    return count


def _difference(mine: tuple[Any, ...], theirs: tuple[Any, ...]) -> str | None:
    if (mine[3], mine[4]) != (theirs[2], theirs[3].encode()):
        return "differs from query's copy"
    wrong = _misfiled(dict(zip(_FILED, theirs[4:], strict=True)), mine[4])
    return f"is filed under another {wrong} in query's copy" if wrong else None


def compare_readings(source: Source, verdict: Verdict) -> None:
    """Hold the columns by which the audit finds query's own records against what was sealed of them."""
    statement = SQL(
        "SELECT originator_id, originator_version, notification_id, state, actor_id, recorded_at, ticket_id::text"
        " FROM {} ORDER BY notification_id"
    ).format(source.table(TABLES["query"]))
    with source.connection.cursor("readings", row_factory=tuple_row) as cursor:
        cursor.itersize = PAGE
        for stream, version, position, state, *filed in cursor.execute(statement):
            names = ("actor_id", "recorded_at", "ticket_id")
            if wrong := _misfiled(dict(zip(names, filed, strict=True)), state):
                verdict.add(
                    f"is filed under another {wrong}",
                    stream=stream,
                    version=version,
                    position=position,
                )


class _Filed(msgspec.Struct):
    """What an event says of the columns by which it is found."""

    actor: Actor
    via: str
    recorded_at: datetime
    correlation_id: str
    occurred_at: datetime | None = None
    causation_id: str | None = None
    ticket_id: str | None = None

    def value(self, column: str) -> Any:
        part, _, name = column.partition("_")
        return getattr(self.actor, name) if part == "actor" else getattr(self, column)


_FILED_DECODER: Final = msgspec.json.Decoder(_Filed)


def _misfiled(columns: dict[str, Any], state: bytes) -> str | None:
    """The first column that says something else than the event itself."""
    try:
        said = _FILED_DECODER.decode(state)
    except msgspec.DecodeError:
        return None  # no event at all, which the check against the seals tells
    for name, value in columns.items():
        if _as_stored(said.value(name)) != value:
            return name
    return None


def _as_stored(value: Any) -> Any:
    """PostgreSQL's text holds no NUL character."""
    return value.replace("\x00", "\ufffd") if isinstance(value, str) else value


def _is_old(state: bytes) -> bool:
    return (datetime.now(UTC) - recorded_at(state)).total_seconds() > COPY_SECONDS_MAX
