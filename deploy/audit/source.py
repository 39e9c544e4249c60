"""Reading a log for verification: one consistent look, streamed, in memory that does not grow with the log."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
import psycopg
from psycopg.rows import dict_row, tuple_row
from psycopg.sql import SQL, Composed, Identifier

from shared.audit import chain
from shared.events import Owner
from shared.numbers import last_number

PAGE: Final = 2_000
"""Rows fetched at once: some 2 MB, and at worst 2,000 of the largest events."""

TABLES: Final = {
    "intake": "intake_events",
    "routing": "routing_events",
    "sla": "sla_events",
    "query": "reads",
}
"""Service (and its schema) → its event table."""

_LOGS: Final = frozenset(owner.value for owner in Owner)
"""Services whose events are published."""


class Row(NamedTuple):
    """A stored event, hashed where it is read.

    Attributes:
        recorded_at: by its own bytes; None when they are no event, or by stream.
        says_other: what its bytes call it, when that is not what its row calls it: they belong to another row.
    """

    position: int
    stream: bytes
    version: int
    leaf: bytes
    recorded_at: datetime | None = None
    says_other: str | None = None


class _Said(msgspec.Struct):
    type: str
    recorded_at: datetime
    version: int | None = None


_SAID: Final = msgspec.json.Decoder(_Said)


@dataclass(frozen=True)
class Source:
    """One service's log in one snapshot of its database."""

    service: str
    connection: psycopg.Connection[Any]

    def rows(self, order: str) -> Iterator[Row]:
        """All events that have a position: `commit` in that order, `stream` by stream and version."""
        ordered = {
            "commit": SQL("notification_id"),
            "stream": SQL("originator_id, originator_version"),
        }[order]
        statement = SQL(
            "SELECT notification_id, uuid_send(originator_id), originator_version, topic, state"
            " FROM {} WHERE notification_id IS NOT NULL ORDER BY {}"
        ).format(self.table(TABLES[self.service]), ordered)
        sha256, leaf, by_commit = hashlib.sha256, chain.leaf, order == "commit"
        has_version = self.service in _LOGS  # the version that a reading names is the ticket's
        with self.connection.cursor(f"rows_{order}", row_factory=tuple_row, binary=True) as cursor:
            cursor.itersize = PAGE
            for position, stream, version, wire_type, state in cursor.execute(statement):
                hashed = leaf(
                    position, stream, version, wire_type or "", sha256(state or b"").digest()
                )
                said = _said(state) if by_commit else None
                if said is None:
                    yield Row(position, stream, version, hashed)
                    continue
                is_own = said.type == wire_type and (not has_version or said.version == version)
                other = None if is_own else f"{said.type} version {said.version}"
                yield Row(position, stream, version, hashed, said.recorded_at, other)

    def last_number(self) -> int:
        """The last position that the log has given; of now, not of when the block began."""
        expression = last_number(f"{self.service}.{TABLES[self.service]}")
        (row,) = self.connection.execute(
            SQL("SELECT coalesce({}, 0)").format(expression)
        ).fetchall()
        return int(row[0])

    def published(self) -> int:
        """The position up to which the relay has published; 0 for a log that is not published."""
        if self.service not in _LOGS:
            return 0
        found = self.fetch("SELECT notification_id FROM {}", "relay_position")
        return int(found[0]["notification_id"]) if found else 0

    def without_position(self) -> list[dict[str, Any]]:
        """Rows that stand nowhere in commit order; there are none unless somebody changed the table itself."""
        return self.fetch(
            "SELECT originator_id, originator_version FROM {} WHERE notification_id IS NULL LIMIT 100",
            TABLES[self.service],
        )

    def seals(self) -> Iterator[dict[str, Any]]:
        """All seals in order."""
        return self._stream("seals", "SELECT * FROM {} ORDER BY number", "audit_seals", page=4)

    def days(self) -> list[dict[str, Any]]:
        """All signed days in order."""
        return self.fetch("SELECT * FROM {} ORDER BY number", "audit_days")

    def heads(self) -> Iterator[dict[str, Any]]:
        """The sealed ends of all streams, by stream."""
        return self._stream(
            "heads",
            "SELECT uuid_send(stream_id) AS stream, version, link, day FROM {} ORDER BY stream_id",
            "audit_heads",
            page=PAGE,
        )

    def fetch(self, statement: LiteralString, table: str, *values: Any) -> list[dict[str, Any]]:
        """The rows of a small answer; `{}` stands for the table."""
        with self.connection.cursor(row_factory=dict_row) as cursor:
            found = cursor.execute(_composed(statement, self.table(table)), values)
            return found.fetchall()

    def table(self, name: str) -> Composed:
        """A table of this service by its full name."""
        return SQL("{}.{}").format(Identifier(self.service), Identifier(name))

    def _stream(
        self, name: str, statement: LiteralString, table: str, *, page: int
    ) -> Iterator[dict[str, Any]]:
        with self.connection.cursor(name, row_factory=dict_row, binary=True) as cursor:
            cursor.itersize = page
            yield from cursor.execute(_composed(statement, self.table(table)))


@contextmanager
def opened(service: str, url: str) -> Iterator[Source]:
    """The log as it is now, for as long as the block lasts; writers are not held up.

    Args:
        service: whose log.
        url: of a role that may read the service's schema.

    Raises:
        psycopg.OperationalError: the server cannot be reached.
    """
    with psycopg.connect(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield Source(service, connection)


def _said(state: bytes | None) -> _Said | None:
    try:
        found = _SAID.decode(state or b"")
    except (msgspec.DecodeError, ValueError):  # a ValidationError is a DecodeError
        return None
    return found if found.recorded_at.tzinfo is not None else None


def _composed(statement: LiteralString, table: Composed) -> Composed:
    return SQL(statement).format(table)
