"""The limit of the projections: finished rows into empty tables with the same indexes, by COPY, one connection."""

import io
from collections.abc import Collection
from typing import Any, Final

import psycopg
from psycopg import sql

from tests.bench.pace import Pace, Stopwatch
from tests.bench.product import Product

_PLUMBING: Final = (
    "schema_migrations",
    "consumer_positions",
    "stream_versions",
    "held_events",
    "parked_events",
)


def copied(
    product: Product, database: str, events: int, tables: Collection[str] = ()
) -> tuple[Pace, int]:
    """Copy at once what query's tables hold.

    Args:
        product: whose PostgreSQL.
        database: where the tables are.
        events: what the rows came from; the pace is in these.
        tables: only these; none: all that a projection writes.

    Returns:
        the pace, and how many rows there are.
    """
    with product.connect(database) as connection:
        connection.execute("SET search_path = query")
        contents = {name: _dump(connection, name) for name in tables or _tables(connection)}
        for name in contents:
            statement = sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)")
            connection.execute(statement.format(_clone(name), sql.Identifier(name)))
        rows = 0
        clock = Stopwatch(product.pid("postgres"))
        with connection.transaction(), connection.cursor() as cursor:
            for name, data in contents.items():
                statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)")
                with cursor.copy(
                    statement.format(_clone(name), _columns(connection, name))
                ) as copy:
                    copy.write(data)
                rows += cursor.rowcount
        pace = clock.pace(events)
        for name in contents:
            connection.execute(sql.SQL("DROP TABLE {}").format(_clone(name)))
        return pace, rows


def _dump(connection: psycopg.Connection[Any], name: str) -> bytes:
    statement = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT binary)")
    out = io.BytesIO()
    with (
        connection.cursor() as cursor,
        cursor.copy(statement.format(_columns(connection, name), sql.Identifier(name))) as copy,
    ):
        for part in copy:
            out.write(part)
    return out.getvalue()


def _tables(connection: psycopg.Connection[Any]) -> list[str]:
    rows = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'query'::regnamespace"
        " AND relname <> ALL(%s) ORDER BY relname",
        (list(_PLUMBING),),
    )
    return [row[0] for row in rows]


def _columns(connection: psycopg.Connection[Any], name: str) -> sql.Composed:
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        (name,),
    )
    return sql.SQL(", ").join(sql.Identifier(row[0]) for row in rows)


def _clone(name: str) -> sql.Identifier:
    return sql.Identifier(f"copied_{name}")
