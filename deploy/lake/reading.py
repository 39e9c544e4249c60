"""Asking a lake with SQL: DuckDB over the manifest's files, read-only and shut in."""

from typing import Any

import duckdb
import pyarrow.dataset as pads

from deploy.lake.manifest import Lake, Manifest, views_sql
from deploy.local.problems import CannotStart


class ReadOnly:
    """A lake's views as schema `bi` in DuckDB.

    Nothing but SELECT runs, and no file outside the lake, no address and no extension can be reached.
    """

    def __init__(self, lake: Lake, manifest: Manifest) -> None:
        self.manifest = manifest
        self._connection = duckdb.connect(":memory:")
        if lake.is_local:
            self._connection.execute(views_sql(manifest, lake.root.replace("'", "''")))
            allowed = lake.root.replace("'", "''")
            self._connection.execute(f"SET allowed_directories = ['{allowed}/']")
        else:
            self._register(lake, manifest)
        for statement in (
            "SET TimeZone = 'UTC'",
            "SET search_path = 'bi'",
            "SET enable_external_access = false",
            "SET lock_configuration = true",
        ):
            self._connection.execute(statement)

    def _register(self, lake: Lake, manifest: Manifest) -> None:
        """Object stores through pyarrow: DuckDB would have to fetch an extension first."""
        self._connection.execute("CREATE SCHEMA bi")
        for name, content in manifest.entities.items():
            files = [lake.path(file.path) for file in content.files]
            dataset = pads.dataset(files, format="parquet", filesystem=lake.filesystem)
            self._connection.register(f"lake_{name}", dataset)
            self._connection.execute(f"CREATE VIEW bi.{name} AS SELECT * FROM lake_{name}")  # noqa: S608 - our own names

    def ask(
        self, sql: str, parameters: dict[str, Any] | None = None
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Names of columns, and rows.

        Raises:
            CannotStart: not one SELECT, or DuckDB refuses it; the message is DuckDB's.
        """
        try:
            statements = self._connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise CannotStart("only one SELECT at a time: a lake is read, never written")
            done = self._connection.execute(statements[0], parameters or {})
            return [column[0] for column in done.description or ()], done.fetchall()
        except duckdb.Error as error:
            raise CannotStart(str(error)) from None

    def close(self) -> None:
        """Give the memory back."""
        self._connection.close()


def open_lake(place: str) -> ReadOnly:
    """The newest manifest of a lake.

    Raises:
        CannotStart: there is none.
    """
    lake = Lake(place)
    manifest = lake.newest()
    if manifest is None:
        raise CannotStart(
            f"there is no lake at {place}; make one with `ticketing export --to {place}`"
        )
    return ReadOnly(lake, manifest)
