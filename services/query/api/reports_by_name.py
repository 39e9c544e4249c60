"""`/v1/reports`: the catalogue of figures, and each report by name as JSON or CSV."""

import csv
import io
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.query.api.answers import Text, answer, check_range
from services.query.api.formats import cell
from services.query.catalogue import METRICS, REPORTS, query_of
from services.query.parts import Parts
from services.query.views.reports import Chosen, forecast, run_report
from shared.calendar.zones import zone_of
from shared.errors import Invalid, NotFound
from shared.events import Channel
from shared.security import Principal, Role, require

FORECAST: Final = "forecast"

Agent = Annotated[Principal, Depends(require(Role.AGENT))]


class ReportFormat(StrEnum):
    """How a report travels."""

    JSON = "json"
    CSV = "csv"


class NamedReportQuery(BaseModel):
    """Of which tickets, divided how. Times need an offset; `opened_before` does not count itself.

    `time_zone`: IANA name of the zone whose days and hours are meant; UTC if it is not given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Text | None = None
    opened_from: AwareDatetime | None = None
    opened_before: AwareDatetime | None = None
    group: Text | None = None
    channel: Channel | None = None
    time_zone: Text | None = None
    format: ReportFormat = ReportFormat.JSON

    def chosen(self) -> Chosen:
        """The same for the view.

        Raises:
            Invalid: a period that ends before it begins, or lies where no ticket can be.
        """
        check_range(("opened_from", self.opened_from), ("opened_before", self.opened_before))
        if self.time_zone is not None:
            try:
                zone_of(self.time_zone)
            except KeyError:
                raise Invalid.of(
                    "query time_zone", "is not an IANA time zone, as Europe/Berlin"
                ) from None
        return Chosen(
            self.opened_from, self.opened_before, self.group, self.channel, self.time_zone
        )


def make_router(parts: Parts) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["reports"])

    @router.get("/reports", summary="The catalogue: every figure with its meaning, unit and SQL.")
    async def read_catalogue(_principal: Agent) -> Response:
        return answer(
            parts,
            {
                "metrics": list(METRICS.values()),
                "reports": [
                    {
                        "name": one.name,
                        "title": one.title,
                        "by": list(one.by),
                        "metrics": one.metrics,
                        "sql": query_of(one, next(iter(one.by)), placeholder=":{}"),
                    }
                    for one in REPORTS.values()
                ],
            },
        )

    @router.get("/reports/{name}", summary="One report, divided as asked, as JSON or CSV.")
    async def read_named_report(
        name: str, _principal: Agent, query: Annotated[NamedReportQuery, Query()]
    ) -> Response:
        content = await asked_report(parts, name, query)
        if query.format is ReportFormat.CSV:
            headers = {"Content-Disposition": f'attachment; filename="{content["report"]}.csv"'}
            return Response(as_csv(content), media_type="text/csv; charset=utf-8", headers=headers)
        return answer(parts, content)

    return router


async def asked_report(parts: Parts, name: str, query: NamedReportQuery) -> dict[str, Any]:
    """The report of a page or an API call.

    Raises:
        NotFound: there is no such report.
        Invalid: it cannot be divided like that, or the period is absurd.
    """
    chosen = query.chosen()
    if name == FORECAST:
        if query.by not in {None, "hour"}:
            raise Invalid.of("query by", "the forecast is by hour")
        return await forecast(await parts.pool(), chosen)
    report = REPORTS.get(name)
    if report is None:
        known = ", ".join((*REPORTS, FORECAST))
        raise NotFound(f"There is no report {name!r}; there are {known}.", field="path name")
    by = query.by or next(iter(report.by))
    if by not in report.by:
        raise Invalid.of("query by", f"{name} is divided by {', '.join(report.by)}")
    for filter_, column in (("group", report.source.group), ("channel", report.source.channel)):
        if column is None and getattr(query, filter_) is not None:
            raise Invalid.of(f"query {filter_}", f"{name} knows no {filter_}; it would be ignored")
    if query.time_zone is not None and not has_zone(name, by):
        raise Invalid.of(
            "query time_zone", f"{name} by {by} has no days of a zone; it would be ignored"
        )
    return await run_report(await parts.pool(), report, by, chosen)


def has_zone(name: str, by: str | None) -> bool:
    """Whether a report that there is, divided so, depends on a time zone; agent days are kept by UTC."""
    if name == FORECAST:
        return True
    ways = REPORTS[name].by
    return "{zone}" in ways[by or next(iter(ways))]


def as_csv(content: dict[str, Any]) -> str:
    """The rows; what a spreadsheet would run is made harmless."""
    text = io.StringIO(newline="")
    rows = content["rows"]
    names = [content["by"], *(one.name for one in content.get("metrics", ()))]
    names = names if "metrics" in content else list(rows[0])
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: cell(value) for name, value in row.items()})
    return text.getvalue()


def as_builtins(content: dict[str, Any]) -> dict[str, Any]:
    """The same as plain JSON values, for templates."""
    plain: dict[str, Any] = msgspec.to_builtins(content)
    return plain
