"""Rows into PostgreSQL, one statement a table: a whole batch travels as one JSON document or one COPY."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
import psycopg
from psycopg.rows import DictRow
from psycopg.sql import SQL, Composed, Identifier

_encode: Final = msgspec.json.Encoder().encode
_ESCAPED_NUL: Final = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


class Table:
    """Writes rows of one kind.

    Args:
        name: the table.
        columns: the columns that a row carries; other columns keep what they have.
        key: the primary key. A row whose key exists replaces `columns` there.
    """

    def __init__(self, name: str, columns: Sequence[str], *, key: Sequence[str]) -> None:
        self._columns = tuple(columns)
        listed = SQL(", ").join(map(Identifier, columns))
        settable = [Identifier(column) for column in columns if column not in key]
        self._upsert = SQL(
            "INSERT INTO {table} ({columns})"
            " SELECT {columns} FROM json_populate_recordset(NULL::{table}, %s::json)"
            " ON CONFLICT ({key}) DO UPDATE SET {assignments}"
        ).format(
            table=Identifier(name),
            columns=listed,
            key=SQL(", ").join(map(Identifier, key)),
            assignments=SQL(", ").join(SQL("{0} = EXCLUDED.{0}").format(c) for c in settable),
        )
        self._update = SQL(
            "UPDATE {table} AS t SET {assignments}"
            " FROM json_populate_recordset(NULL::{table}, %s::json) AS r WHERE {match}"
        ).format(
            table=Identifier(name),
            assignments=SQL(", ").join(SQL("{0} = r.{0}").format(c) for c in settable),
            match=SQL(" AND ").join(SQL("t.{0} = r.{0}").format(Identifier(c)) for c in key),
        )
        self._copy: Composed = SQL("COPY {} ({}) FROM STDIN").format(Identifier(name), listed)

    def upsert(self, cursor: psycopg.Cursor[DictRow], rows: Iterable[Any]) -> None:
        """Insert or replace; rows are structs or dicts with all of `columns`, each key once.

        Give them sorted by key: two writers that meet then wait for each other instead of deadlocking.
        """
        batch = list(rows)
        if batch:
            cursor.execute(self._upsert, (as_json(batch),))

    def update(self, cursor: psycopg.Cursor[DictRow], rows: Iterable[Any]) -> None:
        """Replace `columns` of rows that exist."""
        batch = list(rows)
        if batch:
            cursor.execute(self._update, (as_json(batch),))

    def copy(self, cursor: psycopg.Cursor[DictRow], rows: Iterable[Sequence[Any]]) -> None:
        """Append tuples in the order of `columns`: the quickest way in, and a repeated key is an error."""
        with cursor.copy(self._copy) as copy:
            for row in rows:
                copy.write_row(row)


def as_json(value: Any) -> str:
    """JSON that PostgreSQL's text and jsonb take: they hold no NUL character, so it becomes U+FFFD."""
    data = _encode(value)
    if b"\\u0000" in data:
        data = _ESCAPED_NUL.sub(rb"\1\\ufffd", data)
    return data.decode()


def as_text(value: str) -> str:
    """Text that PostgreSQL takes; see `as_json`."""
    return value.replace("\x00", "\ufffd") if "\x00" in value else value
