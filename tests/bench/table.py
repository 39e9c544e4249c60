"""The figures as a table for people: each beside its limit and its goal."""

from rich.console import Console
from rich.table import Table

from tests.bench.figures import Figure, Goal, Report

_THOUSAND = 1_000
_SHOWN = frozenset(
    {"p50", "most", "p50_ms", "p99_ms", "server_core_ms", "others_finished_after_seconds"}
)
"""Details that fit beside a figure; the JSON has all of them."""


def show(report: Report, console: Console) -> None:
    """Print all figures."""
    table = Table(title=f"make bench ({report.scale})", title_justify="left")
    table.add_column("")
    table.add_column("figure", justify="right")
    table.add_column("limit, same run", justify="right")
    table.add_column("share", justify="right")
    table.add_column("goal")
    section = None
    for figure in report.figures:
        if figure.section != section:
            if section is not None:
                table.add_section()
            section = figure.section
        table.add_row(*_row(figure))
    console.print(table)
    if report.scale != "full":
        console.print(
            "A quick run shows that the harness works; its figures say nothing about speed."
        )


def _row(figure: Figure) -> tuple[str, ...]:
    limit = ""
    if figure.limit is not None:
        limit = f"{_number(figure.limit)} {figure.unit}\n[dim]{figure.limit_name}[/]"
    return (
        f"{figure.name}\n[dim]{_details(figure)}[/]" if figure.details else figure.name,
        f"{_number(figure.value)} {figure.unit}",
        limit,
        "" if figure.share is None else f"{figure.share:.0%}",
        _verdict(figure),
    )


def _verdict(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    mark = "[green]met[/]" if figure.is_met else "[red]missed[/]"
    return f"{_in_words(figure.goal, figure.unit)} {mark}"


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
        f"{name.replace('_', ' ')} {_number(value)}"
        for name, value in figure.details.items()
        if name in _SHOWN
    )


def _number(value: float) -> str:
    if abs(value) >= _THOUSAND or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"
