"""Every figure of the catalogue by API, by SQL as `bi_reader`, and on a lake with DuckDB: the same."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from deploy.lake import open_lake
from services.query.catalogue import METRICS, REPORTS, Report, query_of
from tests.integration.lake.test_lake import update
from tests.integration.query.conftest import Reader
from tests.integration.query.random_lives import random_life
from tests.support.database import Database

pytestmark = pytest.mark.integration

RUNNING = {
    "age_mean",
    "age_max",
    "held_mean",
    "handle_mean",
    "handle_p90",
    "online_seconds",
    "occupancy",
}
"""They go on with the clock, so three looks at three moments differ by those moments."""
PERIOD = {
    "opened_from": datetime(2026, 3, 3, tzinfo=UTC),
    "opened_before": datetime(2026, 3, 9, tzinfo=UTC),
}


def rows_as_told(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what runs, in one order, numbers as numbers and the rest as text."""
    plain = [
        {
            name: float(value) if name in METRICS and value is not None else value and str(value)
            for name, value in row.items()
            if name not in RUNNING
        }
        for row in rows
    ]
    return sorted(plain, key=lambda row: str(next(iter(row.values()))))


def by_sql(database: Database, report: Report, by: str, values: dict[str, Any]) -> list[Any]:
    sql = query_of(report, by, placeholder="%({})s", **dict.fromkeys(values.keys() - {"now"}, True))
    with psycopg.connect(database.url("bi_reader"), row_factory=dict_row) as connection:
        return connection.execute(sql, values).fetchall()  # type: ignore[call-overload,no-any-return]


def by_lake(place: Path, report: Report, by: str, values: dict[str, Any]) -> list[Any]:
    sql = query_of(report, by, placeholder="${}", **dict.fromkeys(values.keys() - {"now"}, True))
    lake = open_lake(str(place))
    names, rows = lake.ask(sql, {k: v for k, v in values.items() if f"${k}" in sql})
    lake.close()
    return [dict(zip(names, row, strict=True)) for row in rows]


async def test_three_ways_say_the_same(
    reader: Reader, own_database: Database, tmp_path: Path
) -> None:
    reader.feed(*(random_life(number, number) for number in range(1, 150)))
    await update(reader, own_database.url("bi_reader"), tmp_path)
    looked_at = 0
    for report in REPORTS.values():
        for by in report.by:
            for period in ({}, PERIOD):
                said = {name: at.isoformat() for name, at in period.items()}
                told = await reader.read(f"/v1/reports/{report.name}", by=by, **said)
                values = {**period, "now": datetime.now(UTC)}
                ours = rows_as_told(told["rows"])
                assert ours == approximately(rows_as_told(by_sql(own_database, report, by, values)))
                assert ours == approximately(rows_as_told(by_lake(tmp_path, report, by, values)))
                looked_at += len(ours)
    assert looked_at > 200, "tables without rows would agree about nothing"


def approximately(rows: list[dict[str, Any]]) -> list[Any]:
    """Sums of floating-point numbers depend on their order in the last digits, nothing else may differ."""
    return [
        {
            name: pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
            for name, value in row.items()
        }
        for row in rows
    ]


def test_every_figure_of_the_catalogue_is_in_a_report() -> None:
    assert METRICS.keys() == {name for report in REPORTS.values() for name in report.metrics}
