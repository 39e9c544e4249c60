"""`make bench`: measure the product on an embedded stack of its own, with the limit beside each figure."""

import tempfile
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console

from deploy.local.problems import CannotStart
from shared import heap
from tests.bench import (
    chats,
    creates,
    dashboards,
    deciding,
    export,
    judging,
    lists,
    mails,
    path,
    plumbing,
    projections,
    rebuilds,
    replies,
    timers,
)
from tests.bench.figures import Figure, Goal, Missed, Report
from tests.bench.memory import MemoryWatch
from tests.bench.product import Product
from tests.bench.scale import FULL, QUICK, Scale
from tests.bench.table import show

_RESIDENT_MB_MAX: Final = 300
_WIDTH: Final = 140
_SERVICES: Final = ("intake", "routing", "sla", "query")


class Section(StrEnum):
    """What can be measured alone, in the order of a whole run: the quiet ones before the services start."""

    PLUMBING = plumbing.SECTION
    PROJECTIONS = projections.SECTION
    REBUILD = rebuilds.SECTION
    EXPORT = export.SECTION
    LISTS = lists.SECTION
    DASHBOARDS = dashboards.SECTION
    EMAIL = mails.SECTION
    SLA = judging.SECTION
    CHAT = chats.SECTION
    ROUTING = deciding.SECTION
    REPLIES = replies.SECTION
    CREATES = creates.SECTION
    PATH = path.SECTION
    TIMERS = timers.SECTION


_MEASURES: Final[dict[Section, Callable[[Product, Scale, Report], None]]] = {
    Section.PLUMBING: plumbing.measure,
    Section.PROJECTIONS: projections.measure,
    Section.REBUILD: rebuilds.measure,
    Section.EXPORT: export.measure,
    Section.LISTS: lists.measure,
    Section.DASHBOARDS: dashboards.measure,
    Section.EMAIL: mails.measure,
    Section.SLA: judging.measure,
    Section.CHAT: chats.measure,
    Section.ROUTING: deciding.measure,
    Section.REPLIES: replies.measure,
    Section.CREATES: creates.measure,
    Section.PATH: path.measure,
    Section.TIMERS: timers.measure,
}


def bench(
    *,
    quick: Annotated[
        bool, typer.Option(help="Small numbers: shows that the harness works.")
    ] = False,
    only: Annotated[list[Section] | None, typer.Option(help="Only this; may be repeated.")] = None,
    rebuilt_tickets: Annotated[
        int | None,
        typer.Option(
            help="As many for `rebuild`, of 12 events each; 833334 are 10 million events."
        ),
    ] = None,
    output: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("bench-results"),
) -> None:
    """Measure, print a table, write `<time>.json`."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH  # a log has no edge, and figures in a narrow table cannot be read
    scale = QUICK if quick else FULL
    if rebuilt_tickets is not None:
        scale = msgspec.structs.replace(scale, rebuilt_stories=rebuilt_tickets)
    chosen = [section for section in Section if not only or section in only]
    report = Report(scale.name, chosen)
    heap.settle()  # parts of services run in this process, with their limits beside them
    try:
        _measure(scale, chosen, report, console)
    except (CannotStart, Missed) as problem:
        console.print(f"bench: {problem}", style="red", markup=False)
        raise typer.Exit(1) from None
    finally:
        if report.figures:
            show(report, console)
            console.print(f"written to {report.write(output)}")


def _measure(scale: Scale, chosen: Sequence[Section], report: Report, console: Console) -> None:
    with tempfile.TemporaryDirectory(prefix="ticketing-bench-") as folder, MemoryWatch() as memory:
        console.print("starting Kafka, PostgreSQL and Redis …")
        with Product(Path(folder), memory) as product:
            for section in chosen:
                begun = time.perf_counter()
                console.print(f"{section} …")
                _MEASURES[section](product, scale, report)
                product.require_alive()
                console.print(f"{section}: {time.perf_counter() - begun:.0f} s")
        _add_memory(memory, report)


def _add_memory(memory: MemoryWatch, report: Report) -> None:
    most, looks = memory.most(), memory.looks()
    for service in _SERVICES:
        if service in most:
            report.add(
                Figure(
                    section="memory",
                    name=f"{service}, most resident memory of the whole run",
                    value=most[service],
                    unit="MB",
                    goal=Goal(at_most=_RESIDENT_MB_MAX),
                    details={"looks": looks[service]},
                )
            )


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(bench)
    app()
