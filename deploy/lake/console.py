"""`ticketing export` and `ticketing report --sql` on a terminal."""

import csv
import json
import sys
import time
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from deploy.bootstrap import BI_READER
from deploy.lake.manifest import Lake
from deploy.lake.reading import open_lake
from deploy.lake.writing import export
from deploy.local import ports
from deploy.local.folder import StateFolder, default_home, remembered_port
from deploy.local.problems import CannotStart
from deploy.local.stack import DATABASE
from deploy.terminal import note_at_query, operation
from services.query.api.formats import cell

_CELL_CHARS_MAX: Final = 60


class Output(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def run_export(
    to: str, entities: Sequence[str], *, since_last: bool, iceberg: bool, database: str | None
) -> None:
    """Write the lake and say what was done.

    Raises:
        CannotStart: something cannot be used; the message says what to do.
    """
    console = Console(highlight=False)
    began = time.perf_counter()
    lake = Lake(to)
    if database is None:
        what = {"to": to, "entities": ", ".join(entities) or "all", "since_last": since_last}
        note_at_query(operation("lake.export", "lake", **what))
    written = export(
        database or _own_database(),
        lake,
        entities=entities,
        since_last=since_last,
        say=lambda name, rows: console.print(f"{name}: {rows:,} rows read"),
    )
    if written.anew is not None:
        console.print(f"everything was read: {written.anew}")
    if iceberg:
        from deploy.lake.iceberg import register  # noqa: PLC0415 - an extra

        console.print(f"iceberg catalogue: {register(lake, written.manifest)}")
    total = sum(one.rows for one in written.manifest.entities.values())
    console.print(
        f"lake {written.manifest.number} as of {written.manifest.as_of:%Y-%m-%d %H:%M:%S} UTC:"
        f" {total:,} rows, {sum(written.read.values()):,} read in {time.perf_counter() - began:.1f} s"
    )


def print_answer(sql: str, place: str, output: Output) -> None:
    """Ask the lake and print.

    Raises:
        CannotStart: there is no lake, or the question is refused.
    """
    lake = open_lake(place)
    try:
        names, rows = lake.ask(sql)
    finally:
        lake.close()
    match output:
        case Output.JSON:
            found = [dict(zip(names, row, strict=True)) for row in rows]
            sys.stdout.write(json.dumps(found, indent=2, default=str) + "\n")
        case Output.CSV:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(names)
            writer.writerows([[cell(value) for value in row] for row in rows])
        case Output.TABLE:
            table = Table(*names)
            for row in rows:
                table.add_row(*(_shown(value) for value in row))
            console = Console(highlight=False)
            console.print(table)
            console.print(
                f"{len(rows):,} rows; lake as of {lake.manifest.as_of:%Y-%m-%d %H:%M:%S} UTC"
            )


def _shown(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _CELL_CHARS_MAX else f"{text[: _CELL_CHARS_MAX - 1]}…"


def _own_database() -> str:
    """The embedded installation's database as `bi_reader`.

    Raises:
        CannotStart: there is none here.
    """
    home = default_home()
    port = remembered_port(home, "postgres")
    if port is None:
        raise CannotStart(f"no installation in {home}; name a database with --database")
    password = StateFolder(home).secret(f"postgres-{BI_READER}")
    return f"postgresql://{BI_READER}:{password}@{ports.LOOPBACK}:{port}/{DATABASE}"
