"""States of long streams, kept beside their events: a copy that spares reading them all, and nothing rests on it."""

import inspect
from collections.abc import Collection, Iterable, Mapping
from hashlib import blake2b
from types import ModuleType
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import msgspec
from psycopg import Cursor
from psycopg.rows import DictRow

S = TypeVar("S")

EVERY: Final = 50
"""A stream's state is kept when it passes a multiple of this many events. A short stream never has a snapshot."""


class Snapshots(Generic[S]):
    """The table `snapshots` of a service that folds.

    A snapshot is written in the transaction of the events that it holds, so it is never ahead of them. It counts
    only for the very code that made it; after any change of that code the events are read again, from the first on.

    Args:
        of: the type of a state; must survive JSON.
        folded_by: the modules whose code makes a state of events.

    Attributes:
        schema: names that type and that code.
    """

    def __init__(self, of: type[S], *, folded_by: Iterable[ModuleType]) -> None:
        self._decoder = msgspec.json.Decoder(of)
        code = "\0".join(map(inspect.getsource, folded_by))
        shape = msgspec.json.encode(msgspec.json.schema(of), order="deterministic")
        self.schema = blake2b(shape + code.encode(), digest_size=16).hexdigest()

    def read(self, cursor: Cursor[DictRow], streams: Collection[UUID]) -> dict[UUID, tuple[S, int]]:
        """The states and versions that are kept of these streams; most have none."""
        if not streams:
            return {}
        cursor.execute(
            "SELECT stream_id, version, state FROM snapshots WHERE stream_id = ANY(%s) AND schema = %s",
            (list(streams), self.schema),
        )
        return {
            row["stream_id"]: (self._decoder.decode(bytes(row["state"])), row["version"])
            for row in cursor.fetchall()
        }

    def write(self, cursor: Cursor[DictRow], states: Mapping[UUID, tuple[Any, int]]) -> None:
        """Keep these states instead of what was kept. The caller holds the table lock of an append."""
        if not states:
            return
        cursor.execute(
            "INSERT INTO snapshots (stream_id, version, schema, state)"
            " SELECT kept.id, kept.version, %s, kept.state"
            " FROM unnest(%s::uuid[], %s::bigint[], %s::bytea[]) AS kept (id, version, state)"
            " ON CONFLICT (stream_id) DO UPDATE"
            " SET version = excluded.version, schema = excluded.schema, state = excluded.state",
            (
                self.schema,
                list(states),
                [version for _, version in states.values()],
                [msgspec.json.encode(state) for state, _ in states.values()],
            ),
        )
