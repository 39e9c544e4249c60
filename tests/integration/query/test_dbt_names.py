"""The names of dbt_zendesk's marts: every column is there or listed with a reason; figures counted by other code."""

import json
import random
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from psycopg.types.json import Jsonb

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


async def test_open_time_of_sql_is_that_of_the_clocks(reader: Reader) -> None:
    chance = random.Random(11)
    for _ in range(150):
        document, previous = random_calendar(chance), None
        if chance.random() < 0.4:
            previous = random_calendar(chance)
            document["effective_from"] = str(date(2026, chance.choice([3, 4, 10, 11]), 2))
        calendar = parse_calendar(document, previous=previous and parse_calendar(previous))
        month = chance.choice([3, 4, 10, 11])
        since = datetime(2026, month, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(30_000))
        until = since + timedelta(minutes=chance.choice([-5, 0, 7, 600, 9_000, 40_000]))
        (row,) = reader.rows(
            "SELECT seconds_of(stretch) AS told FROM open_stretch(%s, %s, %s, %s)",
            Jsonb(document), previous and Jsonb(previous), since, until,
        )  # fmt: skip
        assert row["told"] == calendar.between(since, until), (document, previous, since, until)


OFFICE: Final = {
    "timezone": "Europe/Berlin",
    "hours": {day: [["09:00", "17:00"]] for day in WEEK[:5]},
}


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
