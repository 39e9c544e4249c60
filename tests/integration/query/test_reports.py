"""The reports by name: figures worked out by hand, refusals by name, CSV, and a forecast that says how wrong it is."""

import csv
import io
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.query.catalogue import METRICS, REPORTS
from services.query.views.reports import ERROR_DAYS, ROWS_MAX, expected, past_error
from shared.events.satisfaction import Score
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story

HOUR = 3600.0


def three_tickets() -> list[Story]:
    one = Story(1).opened(ticket_type="=incident").give_group(0, "desk", "rule").assign(1, "anna")
    one.promise(0, "first_reply", 4).answer(2).keep(2, "first_reply", 4).solve(10)
    two = Story(2).opened(ticket_type="question").give_group(0, "desk", "rule").assign(0, "bob")
    two.promise(0, "first_reply", 4).miss("first_reply", 4).answer(6)
    two.keep(6, "first_reply", 4, late=True).solve(8).reopen(9)
    three = Story(3).opened(ticket_type="question")
    return [one, two, three]


@pytest.mark.integration
async def test_the_figures_are_those_worked_out_by_hand(reader: Reader) -> None:
    reader.feed(*three_tickets())

    async def rows(name: str, by: str) -> dict[Any, dict[str, Any]]:
        told = await reader.read(f"/v1/reports/{name}", by=by)
        return {row[by]: row for row in told["rows"]}

    volume = await rows("volume", "type")
    assert volume["question"] == {
        "type": "question", "tickets": 2, "open": 2, "solved": 0, "breached": 1, "customers": 1,
    }  # fmt: skip
    reply = (await rows("first-reply", "group"))["desk"]
    assert (reply["first_reply_p50"], reply["replied"]) == (4 * HOUR, 2)
    assert reply["first_reply_p90"] == pytest.approx(5.6 * HOUR)
    business = (await rows("business-time", "group"))["desk"]
    assert business["first_reply_business_p50"] == 4 * HOUR
    kept = (await rows("attainment", "metric"))["first_reply"]
    assert (kept["decided"], kept["attained"], kept["missed"]) == (2, 1, 1)
    assert kept["attained_share"] == 0.5
    assert (await rows("breach-causes", "cause"))["too few agents"]["missed"] == 1
    backlog = await rows("backlog", "status")
    assert (backlog["open"]["tickets"], backlog["new"]["unassigned"]) == (1, 1)
    # Anna had it from hour 1 to the end of the ticket at 10, all of it new: her turn.
    assert (await rows("handle-time", "agent"))["anna"]["handle_mean"] == 9 * HOUR
    agents = await rows("agents", "agent")
    assert (agents["anna"]["agent_solved"], agents["anna"]["agent_replies"]) == (2, 2)
    assert (await rows("customers", "customer"))["carl"]["reopened_share"] == pytest.approx(1 / 3)


@pytest.mark.integration
async def test_days_begin_where_they_are_asked_for(reader: Reader) -> None:
    """Opened at 22:30, 23:30 and 00:30 UTC around the day on which Berlin's clocks go forward."""
    midnight = datetime(2026, 3, 29, tzinfo=UTC)
    for number, minutes in enumerate((-90, -30, 30, 22 * 60 + 30), 1):
        reader.feed(Story(number, at=midnight + timedelta(minutes=minutes)).opened())

    async def by_day(**said: Any) -> dict[str, int]:
        told = await reader.read("/v1/reports/volume", by="day", **said)
        return {row["day"]: row["tickets"] for row in told["rows"]}

    assert await by_day() == {"2026-03-28": 2, "2026-03-29": 2}
    berlin = await by_day(time_zone="Europe/Berlin")
    assert berlin == {"2026-03-28": 1, "2026-03-29": 2, "2026-03-30": 1}
    page = await reader.get("/reports/volume", by="day", time_zone="Europe/Berlin")
    assert "Days and hours are those of Europe/Berlin." in page.text
    assert [f">{day}<" in page.text for day in berlin] == [True] * 3


@pytest.mark.integration
async def test_of_too_many_days_the_newest_are_told(reader: Reader) -> None:
    first = datetime(2024, 1, 1, 12, tzinfo=UTC)
    days = ROWS_MAX + 3
    reader.feed(
        *(Story(day, at=first + timedelta(days=day)).opened() for day in range(1, days + 1))
    )
    told = await reader.read("/v1/reports/volume", by="day")
    expected_days = [str((first + timedelta(days=day)).date()) for day in range(4, days + 1)]
    assert [row["day"] for row in told["rows"]] == expected_days
    assert told["is_cut"]


@pytest.mark.integration
async def test_every_figure_says_what_it_means_and_how_fresh_it_is(reader: Reader) -> None:
    told = await reader.read("/v1/reports")
    assert {one["name"] for one in told["metrics"]} == METRICS.keys()
    assert {one["name"] for one in told["reports"]} == REPORTS.keys()
    assert all(one["meaning"] and one["unit"] and one["sql"] for one in told["metrics"])
    answer = await reader.get("/v1/reports/volume")
    assert "x-freshness-seconds" in answer.headers
    assert all(one["meaning"] for one in answer.json()["metrics"])


@pytest.mark.integration
@pytest.mark.parametrize(
    ("path", "asked", "status", "field"),
    [
        ("weather", {}, 404, "path name"),
        ("volume", {"by": "shoe_size"}, 422, "query by"),
        ("volume", {"by": "t.status; DROP TABLE tickets"}, 422, "query by"),
        ("volume", {"opened_from": "yesterday"}, 422, "query opened_from"),
        ("volume", {"opened_from": "0001-01-01T00:00:00Z"}, 422, "query opened_from"),
        ("volume", {"since": "2026"}, 422, "query since"),
        ("agents", {"group": "desk"}, 422, "query group"),
        ("forecast", {"by": "minute"}, 422, "query by"),
        ("forecast", {"time_zone": "Europe/Atlantis"}, 422, "query time_zone"),
        ("volume", {"time_zone": "'; --"}, 422, "query time_zone"),
        ("volume", {"by": "status", "time_zone": "Europe/Berlin"}, 422, "query time_zone"),
        (
            "volume",
            {"opened_from": "2026-02-01T00:00:00Z", "opened_before": "2026-01-01T00:00:00Z"},
            422,
            "query opened_before",
        ),
    ],
)
async def test_nonsense_is_refused_by_name(
    reader: Reader, path: str, asked: dict[str, str], status: int, field: str
) -> None:
    answer = await reader.get(f"/v1/reports/{path}", **asked)
    assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.integration
async def test_a_csv_has_the_same_rows_and_no_formula(reader: Reader) -> None:
    reader.feed(*three_tickets())
    answer = await reader.get("/v1/reports/volume", by="type", format="csv")
    rows = {row["type"]: row for row in csv.DictReader(io.StringIO(answer.text))}
    assert rows.keys() == {"question", "'=incident"}
    assert rows["question"]["tickets"] == "2"
    assert answer.headers["content-type"].startswith("text/csv")


@pytest.mark.integration
async def test_customers_see_no_report(reader: Reader) -> None:
    for path in ("/v1/reports", "/v1/reports/volume", "/reports/volume"):
        assert (await reader.get(path, role=Role.CUSTOMER)).status_code == 403


def is_same_cell(text: str, value: Any) -> bool:
    """Ages and days of agents grow between two answers; everything else is the same to the digit."""
    if isinstance(value, float):
        return float(text) == pytest.approx(value, rel=1e-3)
    if isinstance(value, str) and value[:1].isdecimal() and "T" in value:
        return datetime.fromisoformat(text) == datetime.fromisoformat(value)
    return text.removeprefix("'") == ("" if value is None else str(value))


@pytest.mark.integration
@pytest.mark.parametrize("name", [*REPORTS, "forecast"])
async def test_every_report_is_a_page_with_its_meanings_and_a_csv(
    reader: Reader, name: str
) -> None:
    asked_about = Story(4).opened().solve(1).offer(2).rate(3, Score.BAD, comment="=late")
    reader.feed(*three_tickets(), asked_about)
    ways = [None, *(REPORTS[name].by if name in REPORTS else ["hour"])]
    for by in ways:
        answer = await reader.get(f"/reports/{name}", **({"by": by} if by else {}))
        assert answer.status_code == 200, answer.text
        assert "What these figures mean" in answer.text
        assert f"/v1/reports/{name}?" in answer.text
        asked = {"by": by} if by else {}
        told = (await reader.read(f"/v1/reports/{name}", **asked))["rows"]
        sheet = await reader.get(f"/v1/reports/{name}", format="csv", **asked)
        lines = list(csv.DictReader(io.StringIO(sheet.text)))
        assert [list(line) for line in lines] == [list(row) for row in told]
        assert lines, "a table without rows would agree about nothing"
        for line, row in zip(lines, told, strict=True):
            same = (is_same_cell(line[key], value) for key, value in row.items())
            assert all(same), f"{line} {row}"
    assert (await reader.get(f"/reports/{name}", days="all")).status_code == 422


def test_a_steady_week_is_forecast_without_error_and_a_jump_is_not() -> None:
    today, utc = datetime.fromisoformat("2026-06-01"), ZoneInfo("UTC")
    first = today - timedelta(weeks=8)
    steady = {first + timedelta(hours=hour): hour % 24 for hour in range(8 * 7 * 24)}
    assert [expected(steady, today, hour, utc) for hour in range(24)] == [
        float(h) for h in range(24)
    ]
    assert past_error(steady, today, utc) == {
        "days": ERROR_DAYS,
        "mean_absolute": 0.0,
        "share": 0.0,
    }
    jump = {**steady, today - timedelta(hours=1): 23 + 48}
    wrong = past_error(jump, today, utc)
    assert wrong["mean_absolute"] == pytest.approx(48 / (ERROR_DAYS * 24))
    assert past_error({}, today, utc)["share"] is None


def test_a_forecast_of_a_day_knows_nothing_of_that_day() -> None:
    day = datetime.fromisoformat("2026-06-01")
    assert expected({day + timedelta(hours=9): 1_000_000}, day, 9, ZoneInfo("UTC")) == 0.0


def test_a_forecast_goes_by_the_clock_when_clocks_change() -> None:
    """60 tickets in each hour that passes: where the clocks leave one out none is due, where they repeat it 120."""
    berlin = ZoneInfo("Europe/Berlin")
    spring, autumn = (datetime.fromisoformat(day) for day in ("2026-03-29", "2026-10-25"))
    week = timedelta(weeks=1)
    for day, at_two in (
        (spring, 0.0), (spring + week, 60.0), (autumn, 120.0), (autumn + week, 60.0),
    ):  # fmt: skip
        midnight = day.replace(tzinfo=berlin).astimezone(UTC)
        passed = [midnight - timedelta(hours=back) for back in range(1, 30 * 24)]
        hours = Counter(at.astimezone(berlin).replace(tzinfo=None) for at in passed)
        counts = {hour: 60 * count for hour, count in hours.items()}
        told = [expected(counts, day, hour, berlin) for hour in range(24)]
        assert told == [60.0, 60.0, at_two, *[60.0] * 21], day
