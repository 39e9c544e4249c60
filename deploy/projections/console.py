"""`ticketing projections` on a terminal: tables of generations, a bar while one is built."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from aiokafka.errors import KafkaError
from pydantic import SecretStr
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from deploy.audit.places import places
from deploy.local.problems import CannotStart
from deploy.terminal import operation
from services.query.generations import (
    AlreadyBuilding,
    Differs,
    NotPrepared,
    Overview,
    drop_old,
    overview,
    rebuild,
)
from services.query.generations import Progress as BuildProgress
from services.query.own_log import note_operation
from services.query.projections.groups import ABOUT, Group
from services.query.settings import Settings
from shared import heap
from shared.database import Database, Transaction

_MB: Final = 1_000_000
_LINES_MAX: Final = 20


@contextmanager
def drawn(console: Console) -> Iterator[Callable[[BuildProgress], None]]:
    """Draws a build on a terminal; in a log, one line a stage. What is given back is told how far it is."""
    said = ""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        refresh_per_second=2,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("preparing", total=None)

        def told(progress: BuildProgress) -> None:
            nonlocal said
            name = f"{progress.group} {progress.number}"
            bar.update(
                task,
                description=f"{name}: {progress.stage}",
                completed=progress.done,
                total=progress.total or None,
            )
            if progress.stage != said and not console.is_terminal:
                resumed = " (resumed)" if progress.is_resumed else ""
                console.print(
                    f"{name}: {progress.stage}, {progress.done} of {progress.total} events{resumed}"
                )
            said = progress.stage

        yield told


def run_rebuild(
    name: str,
    *,
    accept_differences: bool,
    database: str | None,
    kafka: str | None,
    prefix: str | None,
) -> int:
    """Build and switch. Returns the exit status: 1 when the check found differences.

    Raises:
        CannotStart: something cannot be used; the message says what to do.
    """
    group, console = _known(name), Console(highlight=False)
    settings = _settings(database, kafka, prefix)
    begun = operation("projections.rebuild", group, accept_differences=accept_differences)
    with _opened(database) as store:
        store.transact(lambda tx: note_operation(tx, begun))

    def note_switch(tx: Transaction, generation: int) -> None:
        note_operation(tx, operation("projections.switch", group, generation=generation))

    heap.settle()  # as in a service: else the collector takes a third of the time
    try:
        with drawn(console) as told:
            done = asyncio.run(
                rebuild(
                    settings,
                    group,
                    told,
                    accept_differences=accept_differences,
                    on_switch=note_switch,
                )
            )
    except Differs as differs:
        console.print(f"{group}: not switched; the new generation differs from the live one:")
        for line in differs.lines[:_LINES_MAX]:
            console.print(f"  {line}", markup=False)
        if (more := len(differs.lines) - _LINES_MAX) > 0:
            console.print(f"  and {more} more")
        console.print("Were the live ones wrong? Then once more with --accept-differences.")
        return 1
    except (NotPrepared, AlreadyBuilding, TimeoutError) as problem:
        raise CannotStart(str(problem)) from None
    except (psycopg.Error, KafkaError, OSError) as error:
        raise CannotStart(str(error).partition("\n")[0]) from None
    console.print(f"{group}: generation {done.number} is live, from {done.total:,} events")
    for table, count in done.differences.items():
        console.print(f"  {table}: {count:,} rows came out otherwise, or were changed meanwhile")
    console.print(
        f"The tables before it are kept; `ticketing projections drop-old {group}` removes them."
    )
    return 0


def print_list(database: str | None) -> None:
    """All groups."""
    table = Table("name", "live", "MB", "building", "kept", "MB", "what")
    for group in _overviews(database):
        table.add_row(
            group.group,
            str(group.live),
            f"{group.live_bytes / _MB:,.1f}",
            _done(group) if group.building else "",
            str(group.old.number) if group.old else "",
            f"{group.old_bytes / _MB:,.1f}" if group.old else "",
            ABOUT[group.group],
        )
    Console(highlight=False).print(table)


def print_status(database: str | None) -> int:
    """What is being built; 1 when nothing is."""
    console = Console(highlight=False)
    building = [group for group in _overviews(database) if group.building]
    for group in building:
        assert group.building is not None
        console.print(
            f"{group.group}: generation {group.building.number}, {group.building.stage}, {_done(group)},"
            f" {group.next_bytes / _MB:,.1f} MB, begun {group.building.started_at:%Y-%m-%d %H:%M:%S} UTC"
        )
    if not building:
        console.print("Nothing is being built.")
    return 0 if building else 1


def run_drop_old(name: str, database: str | None) -> None:
    """Drop what is kept."""
    group = _known(name)

    def drop(tx: Transaction) -> bool:
        if has_dropped := drop_old(tx, group):
            note_operation(tx, operation("projections.drop", group))
        return has_dropped

    with _opened(database) as store:
        has_dropped = store.transact(drop)
    Console(highlight=False).print(
        f"{group}: dropped" if has_dropped else f"{group}: nothing is kept"
    )


def _overviews(database: str | None) -> list[Overview]:
    with _opened(database) as store:
        return store.transact(overview)


def _done(group: Overview) -> str:
    share = 100 * group.done / group.total if group.total else 100
    return f"{group.done:,} of {group.total:,} events ({share:.0f} %)"


def _known(name: str) -> Group:
    try:
        return Group(name)
    except ValueError:
        raise CannotStart(f"no group {name}; there are: {', '.join(Group)}") from None


@contextmanager
def _opened(database: str | None) -> Iterator[Database]:
    """A connection to query's database for a moment."""
    store = Database(_settings(database, "unused:0", None), schema="query")
    try:
        store.open()
        yield store
    except psycopg.errors.UndefinedTable:
        raise CannotStart("this database has no generations; has the service run there?") from None
    except psycopg.Error as error:
        raise CannotStart(str(error).partition("\n")[0]) from None
    finally:
        asyncio.run(store.close())


def _settings(database: str | None, kafka: str | None, prefix: str | None) -> Settings:
    if database is None or kafka is None or prefix is None:
        found = places(["query"], database=database, public_keys=(), kafka=kafka, prefix=prefix)
        database, kafka, prefix = found.urls["query"], found.kafka, found.prefix
    if kafka is None:
        raise CannotStart("where is Kafka? Give --kafka host:port")
    return Settings(
        database_url=SecretStr(database), kafka_bootstrap_servers=kafka, topic_prefix=prefix
    )
