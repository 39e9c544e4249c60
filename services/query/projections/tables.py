"""Rows into PostgreSQL, one statement a table: a whole batch travels as one COPY, or few rows as one JSON document."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, get_origin

import msgspec
import psycopg
from psycopg.rows import DictRow
from psycopg.sql import SQL, Identifier

_encoder: Final = msgspec.json.Encoder()
_encode: Final = _encoder.encode
_ESCAPED_NUL: Final = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_CONTROL: Final = re.compile(rb"\\([bfnrt]|u00[01][0-9a-f])")
_CONTROLS: Final = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_BACKSLASH: Final = ord("\\")
_AS_WRITTEN: Final = SQL(" WITH (FORMAT csv, ESCAPE {}, NULL 'null')").format("\\")


class Columns:
    """The fields of a struct as columns: its lists of text as arrays, other lists and dictionaries as jsonb."""

    def __init__(self, struct: type[msgspec.Struct]) -> None:
        self.names = struct.__struct_fields__
        self._nested: list[tuple[int, Callable[[Any], str]]] = []
        for place, field in enumerate(msgspec.structs.fields(struct)):
            if field.type == list[str]:
                self._nested.append((place, as_array))
            elif get_origin(field.type) in (list, dict) or field.type == dict[str, Any] | None:
                self._nested.append((place, as_json))

    def row(self, facts: msgspec.Struct) -> list[Any]:
        """The values in the order of `names`, as `copy` and `merge` take them."""
        values = list(msgspec.structs.astuple(facts))
        for place, written in self._nested:
            if values[place] is not None:
                values[place] = written(values[place])
        return values


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
        # As bytes: for a small batch, joining a hundred names anew costs as much as folding its events.
        self._upsert = (
            SQL(
                "INSERT INTO {table} ({columns})"
                " SELECT {columns} FROM json_populate_recordset(NULL::{table}, %s::json)"
                " ON CONFLICT ({key}) DO UPDATE SET {assignments}"
            )
            .format(
                table=Identifier(name),
                columns=listed,
                key=SQL(", ").join(map(Identifier, key)),
                assignments=SQL(", ").join(SQL("{0} = EXCLUDED.{0}").format(c) for c in settable),
            )
            .as_bytes()
        )
        self._update = (
            SQL(
                "UPDATE {table} AS t SET {assignments}"
                " FROM json_populate_recordset(NULL::{table}, %s::json) AS r WHERE {match}"
            )
            .format(
                table=Identifier(name),
                assignments=SQL(", ").join(SQL("{0} = r.{0}").format(c) for c in settable),
                match=SQL(" AND ").join(SQL("t.{0} = r.{0}").format(Identifier(c)) for c in key),
            )
            .as_bytes()
        )
        self._copy = (
            SQL("COPY {} ({}) FROM STDIN{}")
            .format(Identifier(name), listed, _AS_WRITTEN)
            .as_bytes()
        )

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

    def copy(self, cursor: psycopg.Cursor[DictRow], rows: Sequence[Sequence[Any]]) -> None:
        """Append rows in the order of `columns`: the quickest way in, and a repeated key is an error."""
        if rows:
            with cursor.copy(self._copy) as copy:
                copy.write(as_csv(rows))


def as_json(value: Any) -> str:
    """JSON that PostgreSQL's text and jsonb take: they hold no NUL character, so it becomes U+FFFD."""
    data = _encode(value)
    if b"\\u0000" in data:
        data = _ESCAPED_NUL.sub(rb"\1\\ufffd", data)
    return data.decode()


def as_text(value: str) -> str:
    """Text that PostgreSQL takes; see `as_json`."""
    return value.replace("\x00", "\ufffd") if "\x00" in value else value


def as_array(texts: Sequence[str]) -> str:
    """A list of texts as PostgreSQL writes an array."""
    if not texts:
        return "{}"
    return "{" + _plain(_encode(texts)[1:-1]).decode() + "}"


def as_csv(rows: Sequence[Sequence[Any]]) -> bytes:
    """Rows as lines of JSON values, which are CSV when a backslash escapes: far quicker than value by value.

    Texts, numbers, truth values, moments and UUIDs only; the rest must have been written as text before.
    """
    lines = _encoder.encode_lines(rows)  # no line break stands in any of them: JSON escapes it
    return _plain(lines[1:-2].replace(b"]\n[", b"\n"))


def _plain(data: bytes) -> bytes:
    """JSON's names of control characters as these themselves: PostgreSQL's quotes know no names, and take no NUL."""
    return _CONTROL.sub(_named, data)


def _named(found: re.Match[bytes]) -> bytes:
    data, at = found.string, found.start()
    before = at
    while before and data[before - 1] == _BACKSLASH:
        before -= 1
    if (at - before) % 2:  # a backslash that is escaped itself, and a letter
        return found[0]
    name = found[1]
    if name == b"u0000":
        return "\ufffd".encode()
    return _CONTROLS.get(name) or bytes([int(name[1:], 16)])
