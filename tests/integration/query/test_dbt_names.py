"""The names of dbt_zendesk's marts: every column is there or listed with a reason; figures counted by other code."""

import json
import random
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from services.query.projections.open_hours import write_open_hours
from shared.calendar import parse_calendar
from shared.events import Priority
from shared.events.agents import AgentDefined, AgentProfile, GroupDefined, GroupProfile
from shared.events.policies import CalendarDefined
from tests.integration.query.conftest import Reader
from tests.integration.query.random_lives import random_life
from tests.integration.query.stories import Story
from tests.support.events import ANNA, stamp

pytestmark = pytest.mark.integration

THEIRS: Final = Path(__file__).with_name("dbt_zendesk_columns.json")
"""Columns of each mart as its documentation lists them (version of June 2026)."""

HOW_TO: Final = Path(__file__).parents[3] / "docs" / "bi-howto.md"
_ABSENT: Final = re.compile(r"^\| `(\w+)`: (.+?) \| .+ \|$", re.MULTILINE)


def listed() -> dict[str, set[str]]:
    """Mart → columns that the how-to says are not there; `all`: of every mart that has them."""
    text = HOW_TO.read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    for mart, names in _ABSENT.findall(text):
        found.setdefault(mart, set()).update(re.findall(r"`(\w+)`", names))
    return found


async def test_every_column_of_dbt_zendesk_is_there_or_listed_with_its_reason(
    reader: Reader,
) -> None:
    absent = listed()
    for mart, names in json.loads(THEIRS.read_text(encoding="utf-8")).items():
        ours = {
            row["attname"]
            for row in reader.rows(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0",
                f"bi.{mart}",
            )
        }
        missing = set(names) - ours
        said = absent.get(mart, set()) | (absent["all"] & set(names))
        assert missing == said, f"{mart}: neither there nor listed, or both"


WEEK: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOURS: Final = (
    [],
    [["09:00", "17:00"]],
    [["08:00", "12:00"], ["13:00:30", "24:00"]],
    [["22:00", "06:00"]],
    [["00:00", "24:00"]],
    [["02:15", "02:45"]],
    [["01:30", "03:00"], ["02:00", "10:00"]],
)
BERLIN_SPRING, BERLIN_AUTUMN = date(2026, 3, 29), date(2026, 10, 25)


def random_calendar(chance: random.Random) -> dict[str, Any]:
    """Of every kind of entry some, near the days on which clocks change."""
    near = chance.choice([BERLIN_SPRING, BERLIN_AUTUMN, date(2026, 4, 5), date(2026, 11, 1)])

    def some_day() -> str:
        return str(near + timedelta(days=chance.randrange(-4, 5)))

    document: dict[str, Any] = {
        "timezone": chance.choice(
            ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]
        ),
        "holidays": [some_day(), {"date": some_day(), "name": "a feast"}],
        "overrides": {some_day(): chance.choice(HOURS)},
        "breaks": {some_day(): [["10:00", "11:30"], {"from": "23:00", "to": "01:00"}]},
    }
    if chance.random() < 0.2:
        return document | {"always_open": True}
    return document | {"hours": {day: chance.choice(HOURS) for day in WEEK} | {"tue": HOURS[1]}}


def defined(number: int, versions: list[dict[str, Any]]) -> list[CalendarDefined]:
    """All versions of one calendar, made on a day of 2026."""
    return [
        CalendarDefined(**stamp(version), calendar_id=f"random-{number}", definition=document)
        for version, document in enumerate(versions, 1)
    ]


LOOKED_UP: Final = """
SELECT open_seconds(%(since)s, f.opens, f.closes, f.before, %(until)s, u.opens, u.closes, u.before) AS told
FROM open_hours AS f JOIN open_hours AS u USING (calendar_id, version)
WHERE calendar_id = %(calendar)s AND version = %(version)s
  AND f.begins_at = open_block(%(since)s) AND u.begins_at = open_block(%(until)s)
"""


async def test_open_time_of_sql_is_that_of_the_clocks(reader: Reader) -> None:
    """Over changes of the clocks, over years, in the middle of an interval, with versions that keep days of others."""
    chance = random.Random(11)
    for number in range(15):
        versions = [random_calendar(chance)]
        calendars = [parse_calendar(versions[0])]
        for year in range(2024, 2024 + chance.randrange(4)):
            day = date(year, chance.choice([3, 4, 10, 11]), 2)
            versions.append(random_calendar(chance) | {"effective_from": str(day)})
            calendars.append(parse_calendar(versions[-1], previous=calendars[-1]))
        reader.feed_events(defined(number, versions))
        for _ in range(20):
            version = chance.randrange(len(versions))
            near = datetime(2026, chance.choice([3, 4, 10, 11]), 1, tzinfo=UTC)
            since = near + timedelta(microseconds=chance.randrange(30 * 86_400 * 10**6))
            since = chance.choice([since, since.replace(second=0, microsecond=0)])
            until = since + chance.choice([
                timedelta(), timedelta(microseconds=1), timedelta(minutes=7), timedelta(hours=10),
                timedelta(days=chance.randrange(90)), timedelta(days=chance.randrange(-4_000, 0)),
                timedelta(days=chance.randrange(8_000), microseconds=chance.randrange(10**11)),
            ])  # fmt: skip
            since, until = sorted((since, until))
            asked = {"since": since, "until": until, "version": version + 1}
            asked["calendar"] = f"random-{number}"
            (row,) = reader.store.transact(
                lambda tx, asked=asked: tx.cursor.execute(LOOKED_UP, asked).fetchall()
            )
            expected = calendars[version].between(since, until)
            assert row["told"] == pytest.approx(expected, abs=1e-6), (versions, since, until)


OFFICE: Final = {
    "timezone": "Europe/Berlin",
    "hours": {day: [["09:00", "17:00"]] for day in WEEK[:5]},
}


async def test_calendars_projected_before_there_were_open_hours_get_theirs(reader: Reader) -> None:
    chance = random.Random(12)
    later = random_calendar(chance) | {"effective_from": "2026-04-01"}
    reader.feed_events(defined(1, [random_calendar(chance), later]))
    all_hours = "SELECT to_jsonb(h) AS row FROM open_hours AS h ORDER BY version, begins_at"
    told = reader.rows(all_hours)
    for lost in ("true", "version = 1", "version = 2", "false"):
        reader.store.transact(
            lambda tx, lost=lost: tx.cursor.execute(f"DELETE FROM open_hours WHERE {lost}")
        )
        reader.store.transact(lambda tx: write_open_hours(tx.cursor))
        assert reader.rows(all_hours) == told
    assert len(told) > 500


async def test_business_minutes_of_each_status_are_those_of_the_calendar(reader: Reader) -> None:
    start = datetime(2026, 3, 2, 12, tzinfo=UTC)
    stories = []
    for number in range(1, 150):
        story = random_life(number, number, start=start)
        stories.append(story.promise(0, "resolution", 4))
    reader.feed_events([CalendarDefined(**stamp(1), calendar_id="office", definition=OFFICE)])
    reader.feed(*stories)
    calendar = parse_calendar(OFFICE)
    compared = 0
    for row in reader.rows(
        "SELECT * FROM bi.ticket_metrics WHERE first_solved_at IS NOT NULL AND NOT is_open"
    ):
        periods = reader.rows(
            "SELECT value, valid_starting_at AS since, valid_ending_at AS until FROM bi.ticket_field_history"
            " WHERE ticket_id = %s AND field_name = 'status' ORDER BY event_version",
            row["ticket_id"],
        )

        def minutes(*statuses: str, periods: Any = periods) -> float:
            return sum(
                calendar.between(one["since"], one["until"]) / 60
                for one in periods
                if one["value"] in statuses
            )

        told = (
            row["agent_wait_time_in_business_minutes"], row["on_hold_time_in_business_minutes"],
            row["new_status_duration_in_business_minutes"],
            row["open_status_duration_in_business_minutes"], row["solve_time_in_business_minutes"],
            row["first_resolution_business_minutes"],
        )  # fmt: skip
        assert told == pytest.approx((
            minutes("pending"), minutes("hold"), minutes("new"), minutes("open"),
            minutes("new", "open", "hold", "pending"),
            calendar.between(row["created_at"], row["first_solved_at"]) / 60,
        )), row["ticket_number"]  # fmt: skip
        compared += sum(value > 0 for value in told)
    assert compared > 50


async def test_replies_people_and_moments_of_a_ticket(reader: Reader) -> None:
    story = Story(1).opened(ticket_type="incident").give_group(0, "desk", "rule").assign(1, "bob")
    story.ask(2).answer(3).answer(4).ask(5).note(6, "odd").answer(7.5).assign(8, "anna").solve(9)
    story.reopen(10).solve(12)
    reader.feed(story, Story(2).opened(ticket_type="problem").prioritise(1, Priority.HIGH))
    reader.feed_events(
        [
            AgentDefined(
                **stamp(1, actor=ANNA), agent_id="anna",
                profile=AgentProfile(name="Anna", email="anna@example.org"),
            ),
            GroupDefined(
                **stamp(1, actor=ANNA), group_id="desk", profile=GroupProfile(name="Desk")
            ),
        ]
    )  # fmt: skip
    first, second = reader.rows("SELECT * FROM bi.ticket_metrics ORDER BY ticket_number")
    at = [story.start + timedelta(hours=hours) for hours in (7.5, 9, 12)]
    assert first["total_reply_time_calendar_minutes"] == (3 + 2.5) * 60, "0 to 3, and 5 to 7.5"
    assert second["total_reply_time_calendar_minutes"] is None
    assert (first["total_agent_replies"], first["count_agent_comments"]) == (3, 4)
    assert (first["first_assignee_id"], first["last_assignee_id"]) == ("bob", "anna")
    assert (first["first_solved_at"], first["last_solved_at"]) == (at[1], at[2])
    assert first["final_resolution_calendar_minutes"] == 12 * 60
    assert first["ticket_last_comment_date"] >= at[0]
    assert first["last_status_assignment_date"] == at[2]
    assert (first["unsolved_ticket_age_since_update_minutes"], second["is_incident"]) == (
        None,
        False,
    )
    assert (
        second["unsolved_ticket_age_since_update_minutes"] < second["unsolved_ticket_age_minutes"]
    )
    assert (first["group_name"], first["assignee_email"], first["assignee_role"]) == (
        "Desk", "anna@example.org", "agent",
    )  # fmt: skip
    assert (first["submitter_id"], first["submitter_role"], first["submitter_email"]) == (
        "carl", "end-user", "carl@example.org",
    )  # fmt: skip
    assert first["is_public"]
    assert first["is_incident"]
    assert not first["is_agent_submitted"]
    enriched = reader.rows("SELECT * FROM bi.ticket_enriched ORDER BY ticket_number")
    for row, metrics in zip(enriched, (first, second), strict=True):
        shared = row.keys() & metrics.keys()
        assert {name: row[name] for name in shared} == {name: metrics[name] for name in shared}
    (summary,) = reader.rows("SELECT * FROM bi.ticket_summary")
    assert (summary["user_count"], summary["deleted_user_count"]) == (2, 0)
    assert summary["problem_ticket_count"] == 1
    held = reader.rows(
        "SELECT DISTINCT assignee_id, assignee_name FROM bi.ticket_backlog ORDER BY 1"
    )
    assert [tuple(row.values()) for row in held] == [("anna", "Anna"), (None, None)]
