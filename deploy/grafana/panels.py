"""What a panel is, and the file that Grafana reads."""

import json
from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec

from services.query.catalogue import METRICS, REPORTS, Report, query_of

Kind = Literal["stat", "timeseries", "barchart", "table"]

COLUMNS: Final = 24
"""A board is so wide."""

ROWS_MAX: Final = 100
"""Of a panel that is not drawn over time: more nobody reads on a wall."""

_UNITS: Final = {"share": "percentunit", "seconds": "s"}
_PROMETHEUS: Final = {"type": "prometheus", "uid": "prometheus"}
_BI: Final = {"type": "grafana-postgresql-datasource", "uid": "bi"}

GROUPS: Final = (
    "SELECT '-' AS __value, 'No group' AS __text"
    " UNION ALL SELECT group_id, coalesce(group_name, group_id) FROM bi.dim_group ORDER BY 2"
)
_CHOSEN_GROUP: Final = "coalesce({column}, '-') IN (${{group:sqlstring}})"


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One panel.

    Attributes:
        title: above it.
        says: what the figure means.
        sql: asked of schema `bi`; empty: `expressions` are asked of Prometheus.
        expressions: PromQL and its legend.
        report: the report of the catalogue whose definition it shows; None: its figures are not there.
        by: how that is divided; None: not at all.
        figures: which of its figures, in the order of the columns behind the first.
        rows_max: what the SQL answers at most.
    """

    title: str
    says: str
    kind: Kind
    sql: str = ""
    expressions: tuple[tuple[str, str], ...] = ()
    unit: str = "short"
    width: int = 8
    height: int = 8
    report: str | None = None
    by: str | None = None
    figures: tuple[str, ...] = ()
    rows_max: int = 1


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """One board. Where its SQL knows `${group:sqlstring}`, groups are chosen on top of it."""

    name: str
    title: str
    says: str
    panels: tuple[Panel, ...]
    since: str = "now-30d"
    refresh: str = "5m"

    @property
    def has_groups(self) -> bool:
        """Whether a panel asks for the chosen groups."""
        return any("${group:sqlstring}" in panel.sql for panel in self.panels)


def of_catalogue(
    report: str,
    by: str | None,
    *figures: str,
    kind: Kind,
    title: str | None = None,
    is_whole: bool = False,
    width: int = 8,
    height: int = 8,
) -> Panel:
    """A panel whose SQL, title, unit and words are the catalogue's.

    Args:
        report: of the catalogue.
        by: how it is divided; None: one row.
        figures: of that report.
        kind: how it is drawn.
        title: where the first figure's would not do.
        is_whole: whatever the time range on top of the board (what is open now).
        width: of the panel, of 24.
        height: likewise, in rows of 30 pixels.
    """
    first = METRICS[figures[0]]
    over_time = by == "day"
    return Panel(
        title=title or first.title,
        says=" ".join(f"{METRICS[name].title}: {METRICS[name].meaning}" for name in figures),
        kind=kind,
        sql=_sql(REPORTS[report], by, figures, is_whole=is_whole),
        unit=_UNITS.get(first.unit, "short"),
        width=width,
        height=height,
        report=report,
        by=by,
        figures=figures,
        rows_max=ROWS_MAX * 40 if over_time else ROWS_MAX if by else 1,
    )


def _sql(report: Report, by: str | None, figures: Sequence[str], *, is_whole: bool) -> str:
    source = report.source
    whole = msgspec.structs.replace(report, by={**report.by, "all": "'all'"})
    text = query_of(
        whole,
        by or "all",
        placeholder="<{}>",
        opened_from=not is_whole,
        opened_before=not is_whole,
        group=source.group is not None,
        limit=ROWS_MAX * 40 if by == "day" else ROWS_MAX,
    )
    if source.group is not None:
        chosen = _CHOSEN_GROUP.format(column=source.group)
        text = text.replace(f"{source.group} = <group>", chosen)
    text = text.replace("<opened_from>", "$__timeFrom()").replace("<opened_before>", "$__timeTo()")
    text = text.replace("<now>", "now()")
    names = ", ".join(f'f."{name}" AS "{METRICS[name].title}"' for name in figures)
    match by:
        case None:
            return f"SELECT {names} FROM ({text}) AS f"  # noqa: S608 - the catalogue's own text
        case "day":
            moment = "CAST(f.\"day\" AS TIMESTAMP) AT TIME ZONE 'UTC'"
            return f'SELECT {moment} AS "time", {names} FROM ({text}) AS f ORDER BY 1'  # noqa: S608 - as above
        case "group":
            named = "coalesce(g.group_name, f.\"group\", 'No group')"
            join = 'LEFT JOIN bi.dim_group AS g ON g.group_id = f."group"'
        case "agent":
            named = "coalesce(a.agent_name, f.\"agent\", 'Nobody')"
            join = 'LEFT JOIN bi.dim_agent AS a ON a.agent_id = f."agent"'
        case _:
            named, join = f"coalesce(CAST(f.\"{by}\" AS TEXT), 'none')", ""
    order = "1" if by == "age" else f'f."{figures[0]}" DESC NULLS LAST, 1'
    return f'SELECT {named} AS "{by}", {names} FROM ({text}) AS f {join} ORDER BY {order}'  # noqa: S608 - as above


def as_file(board: Board) -> str:
    """What Grafana reads."""
    document = {
        "uid": f"ticketing-{board.name}",
        "title": f"Ticketing: {board.title}",
        "description": board.says,
        "tags": ["ticketing"],
        "timezone": "browser",
        "schemaVersion": 41,
        "editable": False,
        "refresh": board.refresh,
        "time": {"from": board.since, "to": "now"},
        "templating": {"list": [_group_choice()] if board.has_groups else []},
        "annotations": {"list": []},
        "panels": _placed(board.panels),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _group_choice() -> dict[str, Any]:
    return {
        "name": "group",
        "label": "Group",
        "type": "query",
        "datasource": _BI,
        "query": GROUPS,
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _placed(panels: Sequence[Panel]) -> list[dict[str, Any]]:
    placed, x, y, row_height = [], 0, 0, 0
    for number, panel in enumerate(panels, start=1):
        if x + panel.width > COLUMNS:
            x, y, row_height = 0, y + row_height, 0
        place = {"h": panel.height, "w": panel.width, "x": x, "y": y}
        placed.append(_panel(number, panel, place))
        x, row_height = x + panel.width, max(row_height, panel.height)
    return placed


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    source = _BI if panel.sql else _PROMETHEUS
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": source,
        "gridPos": place,
        "targets": [_question(panel.sql, is_series=panel.kind == "timeseries")]
        if panel.sql
        else [
            {
                "refId": chr(ord("A") + place_),
                "expr": expression,
                "legendFormat": legend,
                "datasource": source,
            }
            for place_, (expression, legend) in enumerate(panel.expressions)
        ],
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": _OPTIONS[panel.kind],
    }


def _question(sql: str, *, is_series: bool) -> dict[str, Any]:
    return {
        "refId": "A",
        "datasource": _BI,
        "editorMode": "code",
        "rawQuery": True,
        "rawSql": sql,
        "format": "time_series" if is_series else "table",
    }


_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "graphMode": "area"},
    "timeseries": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    "barchart": {"orientation": "horizontal", "legend": {"displayMode": "list", "placement": "bottom"}},
    "table": {"showHeader": True, "cellHeight": "sm"},
}  # fmt: skip
