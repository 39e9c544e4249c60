"""PostgreSQL as a source of Arrow batches: one snapshot, read as `bi_reader` through ADBC."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa

from deploy.local.problems import CannotStart

_SECONDS_MAX: Final = 3_600
"""The reader's own limit of a minute is for people's queries."""

_BATCH_BYTES: Final = 4 * 1024 * 1024


class Snapshot:
    """Everything read through it is of the same moment.

    Attributes:
        horizon: nothing can be committed below it any more.
        origin: which database this is.
        as_of: the moment.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        (row,) = self.rows(
            "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon, now() AS as_of,"
            " coalesce((SELECT origin FROM bi.export_origin), '') AS origin"
        )
        self.horizon: int = row["horizon"]
        self.origin: str = row["origin"]
        self.as_of: datetime = row["as_of"]

    def rows(self, query: str) -> list[dict[str, Any]]:
        """A small answer."""
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            found: list[dict[str, Any]] = cursor.fetch_arrow_table().to_pylist()
            return found

    def columns(self, view: str) -> dict[str, str]:
        """Name → PostgreSQL type."""
        found = self.rows(
            "SELECT attname::text AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute"  # noqa: S608 - our own names
            f" WHERE attrelid = 'bi.{view}'::regclass AND attnum > 0 ORDER BY attnum"
        )
        return {row["name"]: row["type"] for row in found}

    @contextmanager
    def batches(self, query: str) -> Iterator[pa.RecordBatchReader]:
        """A large answer, batch by batch."""
        with self._connection.cursor() as cursor:
            cursor.adbc_statement.set_options(
                **{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)}
            )
            cursor.execute(query)
            yield cursor.fetch_record_batch()


@contextmanager
def snapshot_of(url: str) -> Iterator[Snapshot]:
    """One read-only transaction.

    Raises:
        CannotStart: the database cannot be reached or refuses.
    """
    try:
        connection = adbc.connect(url, autocommit=True)
    except adbc.Error as error:
        raise CannotStart(f"the database cannot be read: {str(error).splitlines()[0]}") from None
    with connection, connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = '{_SECONDS_MAX}s'")
        cursor.execute("SET idle_in_transaction_session_timeout = 0")
        cursor.execute("SET TimeZone = 'UTC'")
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield Snapshot(connection)
        cursor.execute("COMMIT")


def selected(columns: dict[str, str]) -> str:
    """The columns as Arrow can carry them: what has no type of its own there travels as text."""
    return ", ".join(
        f'"{name}"::text AS "{name}"' if type_ in {"uuid", "json", "jsonb"} else f'"{name}"'
        for name, type_ in columns.items()
    )
