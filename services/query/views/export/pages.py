"""One page of an export: every change committed since a place, once, in commit order, with bounded memory.

Rows carry the number of the transaction that changed them last. Numbers are given when a transaction begins to write
and become visible when it commits, so the newest visible number says nothing about smaller ones. A page therefore
ends below the oldest transaction that still runs: below it nothing can appear any more. A row that changes again
moves behind the place where it was read, and is told again.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Final, cast

import msgspec
import psycopg
from psycopg.rows import DictRow, dict_row, tuple_row
from psycopg.sql import SQL, Identifier

from services.query.views.export.cursors import Place
from services.query.views.export.entities import Column, Entity
from services.query.views.export.moves import (
    behind_the_horizon,
    end_of_page,
    rows_of_page,
    within,
)
from services.query.views.pools import Pool
from shared.errors import Invalid, Refused

LIMIT_MAX: Final = 100_000
"""Rows of one answer: some 60 MB of NDJSON and a few seconds; whoever wants more asks again."""

BATCH_ROWS: Final = 2_000
"""Rows in memory at a time, a few MB."""

WITHHELD_MAX: Final = 1_000
"""Rows behind the oldest running transaction are counted up to here."""

_SECONDS_MAX: Final = 600
"""How long one answer may be read: an open snapshot holds back vacuum."""

DELETED: Final = "_deleted"

Batch = list[tuple[Any, ...]]


class CursorFromTheFuture(Refused):
    """The cursor is ahead of this database, which was set back to an older state: the copy must be made anew."""

    status = 410
    title = "The cursor is ahead of this database"


class Request(msgspec.Struct, frozen=True):
    """Rows of `entity` after `after`, at most `limit` of its source, with these columns (none: all)."""

    entity: Entity
    after: Place
    limit: int
    fields: tuple[str, ...] = ()


class Head(msgspec.Struct, frozen=True):
    """What is known before the first row.

    Attributes:
        columns: what each row consists of; the last one is `_deleted`.
        next: where the next page begins.
        is_end: nothing more is committed below the oldest running transaction.
        withheld: rows that wait because a transaction that began before theirs still runs (at most `WITHHELD_MAX`).
    """

    columns: tuple[Column, ...]
    next: Place
    is_end: bool
    withheld: int


async def read_page(pool: Pool, request: Request) -> AsyncIterator[Head | Batch]:
    """First the head, then batches of rows. All of it is one snapshot.

    Raises:
        Invalid: an unknown column.
        CursorFromTheFuture: this database does not know the cursor's place yet.
    """
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        await connection.execute(
            SQL("SET LOCAL transaction_timeout = {}").format(f"{_SECONDS_MAX}s")
        )
        columns = await _columns(connection, request)
        head, last = await _head(connection, request, columns)
        yield head
        tombstones = await _tombstones(connection, request, last, columns)
        if not tombstones:
            async for batch in _rows(connection, request, last, columns):
                yield [row[2:] for row in batch]
            return
        async for batch in _with(iter(tombstones), _rows(connection, request, last, columns)):
            yield batch


async def _columns(
    connection: psycopg.AsyncConnection[DictRow], request: Request
) -> tuple[Column, ...]:
    found = await connection.execute(
        "SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
        (f"bi.{request.entity.name}",),
    )
    known = {row["name"]: Column(row["name"], row["type"]) for row in await found.fetchall()}
    if unknown := [name for name in request.fields if name not in known]:
        raise Invalid.of("query fields", f"{request.entity.name} has no column {unknown[0]!r}")
    wanted = {request.entity.key, *request.fields} if request.fields else known.keys()
    chosen = [column for name, column in known.items() if name in wanted]
    return (*chosen, Column(DELETED, "boolean"))


async def _head(
    connection: psycopg.AsyncConnection[DictRow], request: Request, columns: tuple[Column, ...]
) -> tuple[Head, Place]:
    entity, after = request.entity, request.after
    found = await connection.execute(
        "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon"
    )
    horizon = int(cast(DictRow, await found.fetchone())["horizon"])
    if after.position > horizon:
        raise CursorFromTheFuture(
            "this database was set back to an older state; export anew", field="query cursor"
        )
    values = _bounds(request) | {
        "horizon": horizon,
        "limit": request.limit,
        "most": WITHHELD_MAX,
    }
    end = await (await connection.execute(end_of_page(entity), values)).fetchone()
    waiting = await (await connection.execute(behind_the_horizon(entity), values)).fetchone()
    place = Place(horizon, None) if end is None else Place(end["position"], end["unit"])
    head = Head(columns, place, end is None, cast(DictRow, waiting)["count"])
    return head, place


async def _rows(
    connection: psycopg.AsyncConnection[DictRow],
    request: Request,
    last: Place,
    columns: Sequence[Column],
) -> AsyncIterator[Batch]:
    chosen = SQL(", ").join(Identifier(column.name) for column in columns[:-1])
    listed = SQL("{}, false AS {}").format(chosen, Identifier(DELETED))
    statement = rows_of_page(request.entity, listed)
    async with connection.cursor("export", row_factory=tuple_row) as cursor:
        await cursor.execute(statement, _bounds(request, last))
        while batch := await cursor.fetchmany(BATCH_ROWS):
            yield batch


async def _tombstones(
    connection: psycopg.AsyncConnection[DictRow],
    request: Request,
    last: Place,
    columns: Sequence[Column],
) -> Batch:
    """What was deleted in the page's range, shaped like its rows: the key, and nulls."""
    statement = SQL(
        'SELECT change_tx, key FROM tombstones WHERE source = %(source)s AND {} ORDER BY 1, key COLLATE "C"'
    ).format(within("change_tx", "key"))
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement, _bounds(request, last))
        found = await cursor.fetchall()
    return [
        (
            row["change_tx"],
            row["key"],
            *(
                row["key"]
                if column.name == request.entity.key
                else row["change_tx"]
                if column.name == "export_position"
                else None
                for column in columns[:-1]
            ),
            True,
        )
        for row in found
    ]


async def _with(
    graves: Iterator[tuple[Any, ...]], rows: AsyncIterator[Batch]
) -> AsyncIterator[Batch]:
    """Rows with the tombstones in their places."""
    grave = next(graves, None)
    async for batch in rows:
        out: Batch = []
        for row in batch:
            while grave is not None and grave[:2] < row[:2]:
                out.append(grave[2:])
                grave = next(graves, None)
            out.append(row[2:])
        yield out
    while grave is not None:
        yield [grave[2:]]
        grave = next(graves, None)


def _bounds(request: Request, last: Place | None = None) -> dict[str, Any]:
    values: dict[str, Any] = {
        "position": request.after.position,
        "unit": request.after.unit,
        "source": request.entity.source,
    }
    if last is not None:
        # A page without an end in a transaction stops before it: everything of smaller numbers, nothing of it.
        values["last"] = last.position if last.unit is not None else last.position - 1
        values["last_unit"] = last.unit if last.unit is not None else "\U0010ffff"
    return values
