"""The figures as a table for people: each beside its limit and its goal."""

from typing import Final

from rich.console import Console
from rich.table import Table

from tests.bench.figures import Figure, Goal, Report

_THOUSAND: Final = 1_000
_SHOWN: Final = ("p50", "most", "p50_ms", "p99_ms", "others_finished_after_seconds")
"""Details that fit beside a figure; the JSON has all of them."""


def show(report: Report, console: Console) -> None:
    """Print all figures."""
    table = Table(title=f"make bench ({report.scale})", title_justify="left")
    table.add_column("")
    table.add_column("figure", justify="right")
    table.add_column("limit, same run", justify="right")
    table.add_column("share", justify="right")
    table.add_column("core ms, limit", justify="right")
    table.add_column("goal")
    section = None
    for figure in report.figures:
        if section not in {None, figure.section}:
            table.add_section()
        section = figure.section
        table.add_row(*_row(figure))
    console.print(table)
    if report.scale != "full":
        console.print(
            f"This {report.scale} run shows that the harness works; it says nothing about speed."
        )
    if report.began_busy:
        console.print(
            f"The machine was busy at the start (load {report.load_before:.1f}): rates are too low and shares"
            " uncertain; the core times say more.",
            style="yellow",
        )


def _row(figure: Figure) -> tuple[str, ...]:
    details = _details(figure)
    limit = ""
    if figure.limit is not None:
        limit = f"{_number(figure.limit)} {figure.unit}\n[dim]{figure.limit_name}[/]"
    return (
        f"{figure.name}\n[dim]{details}[/]" if details else figure.name,
        f"{_number(figure.value)} {figure.unit}",
        limit,
        "" if figure.share is None else f"{figure.share:.0%}",
        _core(figure),
        _verdict(figure),
    )


def _core(figure: Figure) -> str:
    if figure.core_ms is None or figure.limit_core_ms is None:
        return ""
    return f"{figure.core_ms:.3f}, {figure.limit_core_ms:.3f}\n{figure.core_share:.0%}"


def _verdict(figure: Figure) -> str:
    lines = []
    if figure.goal is not None:
        mark = {True: "[green]met[/]", False: "[red]missed[/]", None: "[yellow]unclear[/]"}
        lines.append(f"{_in_words(figure.goal, figure.unit)} {mark[figure.is_met]}")
    lines.extend(f"[yellow]{doubt}[/]" for doubt in figure.doubts)
    return "\n".join(lines)


def _in_words(goal: Goal, unit: str) -> str:
    parts = []
    if goal.share_of_limit is not None:
        parts.append(f"≥ {goal.share_of_limit:.0%}")
    if goal.at_least is not None:
        parts.append(f"≥ {_number(goal.at_least)} {unit}")
    if goal.at_most is not None:
        parts.append(f"< {_number(goal.at_most)} {unit}")
    return ", ".join(parts)


def _details(figure: Figure) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {_number(figure.details[name])}"
        for name in _SHOWN
        if name in figure.details
    )


def _number(value: float) -> str:
    if abs(value) >= _THOUSAND or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"
