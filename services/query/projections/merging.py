"""A table whose columns have several owners: one write a row, whoever of them has news.

Each owner has a version among its columns, 0 as long as nothing is known of it. A row that is merged carries the
columns of all owners; those of an owner without news carry version 0 and change nothing.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import DictRow
from psycopg.sql import SQL, Identifier

from services.query.projections.tables import Columns, Table


class Owner:
    """The columns of one owner: the fields of a struct, whose first is the key.

    Args:
        struct: made with the key alone it says that nothing is known.
        version: which field is above 0 as soon as something is.
    """

    def __init__(self, struct: type[msgspec.Struct], *, version: str) -> None:
        columns = Columns(struct)
        key, *self.names = columns.names
        self.version = version
        self.row = columns.row
        self.silent = columns.row(struct(**{key: UUID(int=0)}))[1:]


class Merging:
    """Writes new rows by COPY, the others through a temporary table: read as JSON they would cost twice as much.

    Args:
        name: the table.
        key: its primary key, a UUID.
        owners: of all its columns that are written.
    """

    def __init__(self, name: str, *, key: str, owners: Sequence[Owner]) -> None:
        self._owners = owners
        columns = [key, *(column for owner in owners for column in owner.names)]
        names = {
            "table": Identifier(name),
            "stage": Identifier(f"staged_{name}"),
            "key": Identifier(key),
            "columns": SQL(", ").join(map(Identifier, columns)),
        }
        self._table = Table(name, columns, key=(key,))
        # Emptied first: a transaction may merge more than once.
        self._prepare = (
            SQL(
                "CREATE TEMP TABLE IF NOT EXISTS {stage} ON COMMIT DELETE ROWS"
                " AS SELECT {columns} FROM {table} WITH NO DATA; DELETE FROM {stage}"
            )
            .format(**names)
            .as_bytes()
        )
        self._stage = Table(f"staged_{name}", columns, key=(key,))
        self._merge = (
            SQL(
                "INSERT INTO {table} AS t ({columns}) SELECT {columns} FROM {stage}"
                " ON CONFLICT ({key}) DO UPDATE SET {assignments}"
            )
            .format(
                assignments=SQL(", ").join(
                    SQL("{0} = CASE WHEN EXCLUDED.{1} > 0 THEN EXCLUDED.{0} ELSE t.{0} END").format(
                        Identifier(column), Identifier(owner.version)
                    )
                    for owner in owners
                    for column in owner.names
                ),
                **names,
            )
            .as_bytes()
        )

    def write(
        self,
        cursor: psycopg.Cursor[DictRow],
        *news: Mapping[int, msgspec.Struct],
        begun: Collection[int] = frozenset(),
    ) -> None:
        """Write what each owner has news of, by the number of its key; in the order of the owners.

        Rows are written in the order of their keys, which is PostgreSQL's: two writers that meet then wait instead of
        deadlocking.

        Args:
            cursor: of the transaction.
            news: of each owner.
            begun: numbers of keys that no owner knew before; they need no merging.
        """
        keys = sorted(set().union(*news))
        self._table.copy(cursor, list(self._rows(news, (key for key in keys if key in begun))))
        if known := [key for key in keys if key not in begun]:
            cursor.execute(self._prepare, prepare=False)
            self._stage.copy(cursor, list(self._rows(news, known)))
            cursor.execute(self._merge)

    def _rows(
        self, news: Sequence[Mapping[int, msgspec.Struct]], keys: Iterable[int]
    ) -> Iterator[list[Any]]:
        for key in keys:
            row: list[Any] = [UUID(int=key)]
            for owner, facts in zip(self._owners, news, strict=True):
                known = facts.get(key)
                row += owner.silent if known is None else owner.row(known)[1:]
            yield row
