"""`docs/metrics-catalogue.md`: every reported figure and every report, made from the catalogue."""

from typing import Final

from deploy.grafana.boards import BOARDS
from deploy.reference.markdown import code, page, table
from services.query.catalogue import METRICS, REPORTS, Metric, Report, query_of

_INTRODUCTION: Final = """\
Each figure is defined once, here. The API (`GET /v1/reports/{name}`), the page `/reports`, the mails, Grafana's boards
and a lake of Parquet files compute this very SQL; a test counts each figure again from the raw events, by other code.
How to reach them: [business intelligence](bi-howto.md); the columns: [schema bi](bi.md). Days are those of UTC
or of the `time_zone` that is asked for. A period chooses tickets by their opening, assignments by their beginning,
agent days by their day; its beginning belongs to it, its end does not."""

_ALIASES: Final = {
    "t": "bi.fct_ticket",
    "c": "bi.fct_sla_cycle",
    "a": "bi.fct_assignment",
    "d": "bi.fct_agent_day",
}


def catalogue_page() -> str:
    """The page."""
    aliases = ", ".join(f"{code(alias)} is {code(view)}" for alias, view in _ALIASES.items())
    return page(
        "The catalogue of figures",
        _INTRODUCTION,
        f"## Figures\n\nIn the SQL {aliases}; {code('{now}')} is the moment of asking.",
        table(("figure", "name", "unit", "meaning", "SQL"), map(_figure, METRICS.values())),
        "## Reports\n\nThe first figure is the one that is plotted and that orders the rows.",
        *map(_report, REPORTS.values()),
        source="services/query/catalogue.py",
        command="python -m deploy.reference metrics-catalogue",
    )


def _figure(one: Metric) -> tuple[str, ...]:
    return (one.title, code(one.name), one.unit, one.meaning, code(one.sql))


def _report(one: Report) -> str:
    first = next(iter(one.by))
    facts = [
        f"- divided by: {', '.join(map(code, one.by))}",
        f"- figures: {', '.join(map(code, one.metrics))}",
    ]
    boards = [board for board in BOARDS if any(panel.report == one.name for panel in board.panels)]
    if boards:
        facts.append(f"- in Grafana: {', '.join(board.title for board in boards)}")
    sql = query_of(one, first, placeholder=":{}")
    return (
        f"### {one.title}\n\n{code(f'/v1/reports/{one.name}')}\n\n"
        + "\n".join(facts)
        + f"\n\n```sql\n{sql}\n```"
    )
