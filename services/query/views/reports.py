"""The reports of the catalogue on PostgreSQL, and the forecast of tomorrow's load."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from psycopg.sql import SQL

from services.query.catalogue import METRICS, Report, query_of
from services.query.views.pools import Pool
from shared.calendar.zones import zone_of

ROWS_MAX: Final = 500
"""Longer lists are for the export."""

_SECONDS_MAX: Final = 30

FORECAST_WEEKS: Final = 4
ERROR_DAYS: Final = 14
FORECAST_METHOD: Final = (
    f"For each hour the mean of the same hour and weekday of the last {FORECAST_WEEKS} weeks, by the clocks of the time"
    " zone. An hour that the clocks leave out has none, one that they repeat counts twice. Its past error is"
    f" that of the same method on each of the last {ERROR_DAYS} days, made only from what was known before that day."
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Of which tickets. `opened_from` counts, `opened_before` does not; `time_zone`: whose days, None: those of UTC."""

    opened_from: datetime | None = None
    opened_before: datetime | None = None
    group: str | None = None
    channel: str | None = None
    time_zone: str | None = None


async def run_report(
    pool: Pool, report: Report, by: str, chosen: Chosen, *, now: datetime | None = None
) -> dict[str, Any]:
    """Rows of a report with the meaning and the SQL of every figure in it."""
    values = parameters(chosen, now or datetime.now(UTC))
    text = query_of(report, by, placeholder="%({})s", limit=ROWS_MAX, **switches(chosen))
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        await connection.execute(SQL("SET LOCAL statement_timeout = {}").format(f"{_SECONDS_MAX}s"))
        rows = await (await connection.execute(cast(Any, text), values)).fetchall()
    return {
        "report": report.name,
        "title": report.title,
        "by": by,
        "rows": rows,
        "is_cut": len(rows) == ROWS_MAX,
        "metrics": [METRICS[name] for name in report.metrics],
    }


def switches(chosen: Chosen) -> dict[str, bool]:
    """Which filters are on, as `query_of` asks."""
    return {
        name: getattr(chosen, name) is not None
        for name in ("opened_from", "opened_before", "group", "channel", "time_zone")
    }


def parameters(chosen: Chosen, now: datetime) -> dict[str, Any]:
    """Their values."""
    values = {name: getattr(chosen, name) for name, is_on in switches(chosen).items() if is_on}
    return values | {"now": now}


async def forecast(pool: Pool, chosen: Chosen, *, now: datetime | None = None) -> dict[str, Any]:
    """Tickets expected in each hour of tomorrow, and how wrong the method was lately."""
    name = chosen.time_zone or "UTC"
    zone = zone_of(name)
    today = (
        (now or datetime.now(UTC))
        .astimezone(zone)
        .replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    )
    first, tomorrow = (
        today - timedelta(weeks=FORECAST_WEEKS, days=ERROR_DAYS),
        today + timedelta(days=1),
    )
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT date_trunc('hour', created_at AT TIME ZONE %s) AS hour, count(*) AS tickets FROM bi.fct_ticket"
            " WHERE created_at >= %s AND created_at < %s"
            " AND (%s::text IS NULL OR group_id = %s) AND (%s::text IS NULL OR channel = %s) GROUP BY 1",
            (
                name, first.replace(tzinfo=zone), tomorrow.replace(tzinfo=zone),
                *(chosen.group,) * 2, *(chosen.channel,) * 2,
            ),
        )  # fmt: skip
        rows: Sequence[Mapping[str, Any]] = await found.fetchall()
    counts = {row["hour"]: int(row["tickets"]) for row in rows}
    return {
        "report": "forecast",
        "title": "Tomorrow by hour",
        "by": "hour",
        "rows": [
            {
                "hour": (tomorrow + timedelta(hours=hour)).replace(tzinfo=zone),
                "expected": expected(counts, tomorrow, hour, zone),
            }
            for hour in range(24)
            if length_of(tomorrow + timedelta(hours=hour), zone)
        ],
        "method": FORECAST_METHOD,
        "past_error": past_error(counts, today, zone),
    }


def length_of(hour: datetime, zone: ZoneInfo) -> timedelta:
    """How long an hour of the clock is: nothing when the clocks leave it out, twice as long when they repeat it."""
    begin, end = hour.replace(tzinfo=zone), (hour + timedelta(hours=1)).replace(tzinfo=zone)
    return end.astimezone(UTC) - begin.astimezone(UTC)


def expected(counts: Mapping[datetime, int], day: datetime, hour: int, zone: ZoneInfo) -> float:
    """What the method says of an hour of `day` (midnight by the clock); it looks only at the weeks before.

    Args:
        counts: tickets by hour of the clock, without a zone.
        day: which.
        hour: from 0 to 23.
        zone: whose clock.
    """
    at = day + timedelta(hours=hour)
    before = [at - timedelta(weeks=week) for week in range(1, FORECAST_WEEKS + 1)]
    observed = sum((length_of(one, zone) for one in before), timedelta())
    return sum(counts.get(one, 0) for one in before) * (length_of(at, zone) / observed)


def past_error(counts: Mapping[datetime, int], today: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """How far the method was off on the days before `today`; arguments as of `expected`.

    Returns:
        `mean_absolute` in tickets an hour, and `share` of all tickets (None: there were none).
    """
    off, whole, hours = 0.0, 0, 0
    for back in range(1, ERROR_DAYS + 1):
        day = today - timedelta(days=back)
        for hour in range(24):
            actual = counts.get(day + timedelta(hours=hour), 0)
            off += abs(expected(counts, day, hour, zone) - actual)
            whole += actual
            hours += 1
    return {
        "days": ERROR_DAYS,
        "mean_absolute": off / hours,
        "share": off / whole if whole else None,
    }
