"""The reports as a page: a plot, a table, the meaning of every figure, and the same as CSV."""

from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import msgspec
from fastapi import Depends, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from services.query import subscriptions
from services.query.api.reports_by_name import (
    FORECAST,
    NamedReportQuery,
    as_builtins,
    asked_report,
)
from services.query.catalogue import REPORTS
from services.query.web.entrance import page_router
from services.query.web.rendering import page, parts_of
from services.query.web.state import directory_of
from services.query.web.words import CHANNEL
from shared.calendar.zones import zone_of
from shared.errors import Invalid
from shared.security import Principal, Role, require

router = page_router()

_PERIODS: Final = ((7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "a year"))
_PLOTTED_MAX: Final = 40
_ASKED: Final = ("by", "opened_from", "opened_before", "group", "channel", "time_zone", "days")
_DAYS_MAX: Final = 3_650


@router.get("/reports")
async def reports() -> Response:
    """The first report."""
    return RedirectResponse(f"/reports/{next(iter(REPORTS))}?days=30", status_code=303)


@router.get("/reports/{name}")
async def report(
    name: str, request: Request, principal: Annotated[Principal, Depends(require(Role.AGENT))]
) -> Response:
    """One report.

    Raises:
        Invalid: the address has a parameter that no report knows.
    """
    for key in request.query_params.keys() - set(_ASKED):
        # A misspelt filter must not show figures that look filtered.
        raise Invalid.of(f"query {key}", "is no parameter of this page")
    asked = {key: request.query_params[key] for key in _ASKED if request.query_params.get(key)}
    query = _query(asked)
    parts = parts_of(request)
    content = as_builtins(await asked_report(parts, name, query))
    names = await directory_of(request).names(await parts.pool())
    by, rows = content["by"], content["rows"]
    metrics = content.get("metrics") or [
        {"name": "expected", "title": "Expected tickets", "unit": "count", "meaning": content["method"], "sql": ""}
    ]  # fmt: skip
    labels = [names.row(by, row[by]) for row in rows]
    said = query.model_dump(mode="json", exclude_none=True, exclude={"format"})
    return page(
        request,
        "reports.html",
        principal,
        name=name,
        content=content,
        metrics=metrics,
        rows=list(zip(labels, rows, strict=True)),
        has_group=name == FORECAST or REPORTS[name].source.group is not None,
        has_channel=name == FORECAST or REPORTS[name].source.channel is not None,
        plot=_plot(by, labels, rows, metrics[0]),
        reports=[(one.name, one.title) for one in REPORTS.values()] + [(FORECAST, "Tomorrow")],
        ways=list(REPORTS[name].by) if name in REPORTS else ["hour"],
        asked=asked,
        periods=_PERIODS,
        groups=names.groups,
        channels=list(CHANNEL.items()),
        csv=f"/v1/reports/{name}?{urlencode({**said, 'format': 'csv'})}",
        subscriptions=await subscriptions.listed(await parts.pool())
        if principal.may(Role.SUPERVISOR)
        else None,
        keep=urlencode({"days": asked["days"]} if "days" in asked else {}),
        zone=query.time_zone or "UTC",
    )


def _query(asked: dict[str, str]) -> NamedReportQuery:
    said: dict[str, Any] = {key: value for key, value in asked.items() if key != "days"}
    days = asked.get("days", "")
    if days:
        if not days.isdecimal() or not 1 <= int(days) <= _DAYS_MAX:
            raise Invalid.of("query days", f"a number from 1 to {_DAYS_MAX}")
        zone = _zone(asked)
        begin = datetime.now(zone).date() - timedelta(days=int(days) - 1)
        said.setdefault("opened_from", datetime.combine(begin, time(), zone).isoformat())
    try:
        return NamedReportQuery(**said)
    except ValidationError as error:
        first = error.errors()[0]
        raise Invalid.of(f"query {first['loc'][0]}", str(first["msg"])) from None


def _zone(asked: dict[str, str]) -> tzinfo:
    try:
        return zone_of(asked.get("time_zone", "UTC"))
    except KeyError:
        return UTC  # the report refuses it by name


def _plot(by: str, labels: list[str], rows: list[dict[str, Any]], metric: dict[str, Any]) -> str:
    """What the script draws: the first figure, whole."""
    shown = slice(-_PLOTTED_MAX * 10, None) if by == "day" else slice(_PLOTTED_MAX)
    values = [row[metric["name"]] for row in rows][shown]
    return msgspec.json.encode(
        {
            "labels": labels[shown],
            "values": values,
            "kind": "days" if by == "day" else "bars",
            "unit": metric["unit"],
            "title": metric["title"],
        }
    ).decode()
