"""One definition a figure: API, schema `bi`, the live board and a count from the raw events by other code agree."""

import json
import math
import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from services.query.catalogue import METRICS, REPORTS, query_of
from shared.events import Channel, Event, Priority, encode
from shared.events.tickets import Person
from tests.integration.query.conftest import Reader
from tests.integration.query.random_lives import agent_life, random_life
from tests.integration.query.recount import FIGURES, Recount, report, went
from tests.integration.query.stories import Story, shuffled
from tests.support.database import Database

pytestmark = pytest.mark.integration

LIVES = 80
PEOPLE = [
    Person("carl", "Carl", "carl@example.org", organization="Acme"),
    Person("dora", "Dora", "dora@example.org", organization="Acme"),
    Person("erik", "Erik", "erik@example.org"),
    Person(
        "anna", "Anna", "anna@example.org"
    ),  # an agent who asks: her own messages are no first reply
]
FILTERS: list[dict[str, Any]] = [
    {},
    {"opened_from": datetime(2026, 3, 5, tzinfo=UTC), "opened_before": datetime(2026, 3, 8, 7, tzinfo=UTC)},
    {"group": "desk", "channel": "email"},
]  # fmt: skip


def lives(seed: int) -> list[Story]:
    chance = random.Random(seed)
    recent = datetime.now(UTC).replace(microsecond=0)
    stories = []
    for number in range(1, LIVES + 1):
        story = random_life(
            number,
            seed * 1_000 + number,
            start=recent - timedelta(days=15) if number % 10 == 0 else None,
            requester=chance.choice(PEOPLE),
            ticket_type=chance.choice(["question", "incident", None]),
            language=chance.choice(["de", "en", None]),
            via=chance.choice([Channel.EMAIL, Channel.API, Channel.CHAT]),
            priority=chance.choice(list(Priority)),
        )
        promises(story, chance)
        stories.append(story)
    # Its solution is known late, and was before anybody had it.
    late = Story(LIVES + 90, at=recent - timedelta(days=3)).opened().assign(30, "anna").solve(2)
    ages = [timedelta(minutes=5), timedelta(hours=5), timedelta(days=2), timedelta(days=5)]
    young = [Story(LIVES + n, at=recent - age).opened() for n, age in enumerate(ages, start=1)]
    return [*stories, late, *young]


def promises(story: Story, chance: random.Random) -> None:
    """What became of the clock that every life has, and sometimes of a second one."""
    match chance.randrange(8):
        case 0:
            story.keep(3, "resolution", 4)
        case 1:
            story.miss("resolution", 4)
        case 2:
            story.miss("resolution", 4).retract(5, "resolution", 4)
        case 3:
            story.miss("resolution", 4).keep(6, "resolution", 4, late=True)
        case 4:
            story.warn(3, "resolution", 4)
        case 5:
            story.pause(1, "resolution", 4).resume(2, "resolution", 4, 1).keep(4.5, "resolution", 4)
        case _:
            pass
    if chance.random() < 0.5:
        hours = chance.choice([1.0, 2.0])
        story.promise(0, "first_reply", hours).keep(
            hours * chance.choice([0.25, 0.5, 1.0]), "first_reply", hours
        )


def the_events(seed: int) -> list[Event]:
    agents = [*agent_life("anna", seed), *agent_life("bob", seed, capacity=None)]
    return [*agents, *shuffled(lives(seed), seed)]


class Twice:
    """The count at two moments: what an answer between them may say."""

    def __init__(self, raws: list[bytes], before: datetime, after: datetime) -> None:
        self.early, self.late = Recount(raws, before), Recount(raws, after)

    def holds(self, told: dict[Any, Any], name: str, by: str, **chosen: Any) -> None:
        figures = REPORTS[name].metrics
        early = report(self.early, name, by, figures, **chosen)
        late = report(self.late, name, by, figures, **chosen)
        where = f"{name} by {by} {chosen}"
        assert something(told, figures).keys() == something(early, figures).keys(), where
        for key, row in something(told, figures).items():
            for figure in figures:
                bounds = early[key][figure], late[key][figure]
                said = f"{where}, {key!r}: {figure} {row[figure]} {bounds}"
                assert lies_between(row[figure], bounds), said


def something(rows: dict[Any, Any], figures: tuple[str, ...]) -> dict[Any, Any]:
    """Without rows in which nothing was counted: a stint that ends at midnight touches the next day for no time."""
    return {key: row for key, row in rows.items() if any(row[name] for name in figures)}


def lies_between(value: float | None, bounds: tuple[float | None, float | None]) -> bool:
    """Equal where both moments say the same; floats up to the order in which they were added."""
    low, high = bounds
    if value is None or low is None or high is None:
        return value is low is high
    low, high = min(low, high), max(low, high)
    near = any(math.isclose(value, bound, rel_tol=1e-9) for bound in (low, high))
    return low <= value <= high or near


def test_every_figure_of_the_catalogue_is_counted_here() -> None:
    assert FIGURES.keys() == METRICS.keys()


async def test_every_report_of_the_api_is_the_count_from_raw_events(reader: Reader) -> None:
    events = the_events(1)
    reader.feed_events(events)
    raws = [encode(event) for event in events]
    before = datetime.now(UTC)
    told = []
    for name, one in REPORTS.items():
        for by in one.by:
            for chosen in FILTERS:
                if chosen.get("group") and one.source.group is None:
                    continue
                asked = {
                    key: value.isoformat() if isinstance(value, datetime) else value
                    for key, value in chosen.items()
                }
                answer = await reader.read(f"/v1/reports/{name}", by=by, **asked)
                told.append((name, by, chosen, answer["rows"]))
    count = Twice(raws, before, datetime.now(UTC))
    compared = 0
    for name, by, chosen, found in told:
        rows = {date.fromisoformat(row[by]) if by == "day" else row[by]: row for row in found}
        count.holds(rows, name, by, **chosen)
        compared += len(rows) * len(REPORTS[name].metrics)
    assert compared > 1_000, "the stories must be rich enough to say anything"


async def test_schema_bi_says_the_same_to_its_reader(
    reader: Reader, own_database: Database
) -> None:
    events = the_events(3)
    reader.feed_events(events)
    raws = [encode(event) for event in events]
    with psycopg.connect(own_database.url("bi_reader"), row_factory=dict_row) as connection:
        # In one transaction `now()` stands still, so figures that run on are compared exactly too.
        ((now,),) = [row.values() for row in connection.execute("SELECT now()").fetchall()]
        exact = Twice(raws, now, now)
        for name, one in REPORTS.items():
            for by in one.by:
                sql: Any = query_of(one, by, placeholder="%({})s")
                rows = connection.execute(sql, {"now": now}).fetchall()
                exact.holds({row[by]: row for row in rows}, name, by)
        count = exact.early
        (summary,) = connection.execute("SELECT * FROM bi.ticket_summary").fetchall()
        told = connection.execute("SELECT * FROM bi.ticket_metrics").fetchall()
        enriched = connection.execute("SELECT * FROM bi.ticket_enriched").fetchall()
        today = connection.execute(
            "SELECT ticket_number, status, priority, group_id, assignee_id FROM bi.ticket_backlog"
            " WHERE date_day = (now() AT TIME ZONE 'UTC')::date"
        ).fetchall()
    tickets = {one["number"]: one for one in count.tickets}
    statuses = Counter(one["status"] for one in count.tickets)
    assert summary["ticket_count"] == len(tickets)
    assert summary["unsolved_ticket_count"] == sum(one["is_open"] for one in count.tickets)
    assert summary["solved_ticket_count"] == statuses["solved"] + statuses["closed"]
    assert summary["reopened_ticket_count"] == sum(one["reopens"] > 0 for one in count.tickets)
    assert summary["breached_ticket_count"] == sum(one["is_breached"] for one in count.tickets)
    assert summary["end_user_count"] == len({one["customer"] for one in count.tickets})
    assert {row["ticket_number"] for row in told} == tickets.keys()
    for row in told:
        ticket = tickets[row["ticket_number"]]
        seen = (
            row["first_reply_time_calendar_minutes"], row["full_resolution_calendar_minutes"], row["count_reopens"],
            row["group_handoff_count"], row["count_public_agent_comments"], row["count_end_user_comments"],
            row["assignee_stations_count"],
        )  # fmt: skip
        assert seen == (
            None if ticket["first_reply"] is None else ticket["first_reply"] / 60,
            None if ticket["resolution"] is None else ticket["resolution"] / 60,
            ticket["reopens"], ticket["handoffs"], ticket["agent_messages"], ticket["customer_messages"],
            len(ticket["stints"]),
        )  # fmt: skip
    for row in (*enriched, *told):
        ticket = tickets[row["ticket_number"]]
        scores = ticket["scores"]
        offered = "offered" if ticket["surveys"] else None
        assert (
            row["ticket_total_satisfaction_scores"], row["ticket_first_satisfaction_score"],
            row["ticket_satisfaction_score"], row["is_good_to_bad_satisfaction_score"],
            row["is_bad_to_good_satisfaction_score"],
        ) == (
            len(scores), scores[0] if scores else None, scores[-1] if scores else offered,
            went(scores, "good", "bad"), went(scores, "bad", "good"),
        )  # fmt: skip
    surveyed = sum(bool(one["surveys"]) for one in count.tickets)
    assert summary["surveyed_satisfaction_ticket_count"] == surveyed > 0
    assert {tuple(row.values()) for row in today} == {
        (one["number"], one["status"], one["priority"], one["group"], one["assignee"])
        for one in count.tickets
        if one["is_open"]
    }


async def test_the_live_board_is_the_count_from_raw_events(reader: Reader) -> None:
    events = the_events(4)
    reader.feed_events(events)
    before = datetime.now(UTC)
    board = await reader.read("/v1/dashboard")
    after = datetime.now(UTC)
    count = Recount([encode(event) for event in events], after)
    open_ = [one for one in count.tickets if one["is_open"]]
    backlog = board["backlog"]
    assert backlog["open_count"] == len(open_) > 0
    assert backlog["unassigned_count"] == sum(one["assignee"] is None for one in open_)
    assert backlog["by_status"] == Counter(one["status"] for one in open_)
    assert backlog["by_priority"] == Counter(one["priority"] for one in open_)
    by_group = {row["group_id"]: row for row in backlog["by_group"]}
    assert by_group.keys() == {one["group"] for one in open_}
    for group, row in by_group.items():
        mine = [one for one in open_ if one["group"] == group]
        assert row["open_count"] == len(mine)
        assert row["unassigned_count"] == sum(one["assignee"] is None for one in mine)
        assert row["by_status"] == Counter(one["status"] for one in mine)
    broken = {one["ticket_id"] for one in open_ if one["is_breached"]}
    at_risk = {one["ticket_id"] for one in open_ if one["is_at_risk"]}
    assert (board["promises"]["breached"], board["promises"]["at_risk"]) == (len(broken), len(at_risk))  # fmt: skip
    assert {one["ticket_id"] for one in board["promises"]["tickets"]} <= broken | at_risk
    agents = {row["agent_id"]: row for row in board["agents"]}
    assert agents.keys() == count.people.keys()
    for agent, row in agents.items():
        mine = [one for one in open_ if one["assignee"] == agent]
        assert row["open_count"] == len(mine)
        assert row["working_count"] == sum(
            one["status"] in {"new", "open", "answered"} for one in mine
        )
        assert row["presence"] == count.people[agent]["presence"]
        assert row["capacity"] == count.people[agent]["capacity"]
    for row in board["intake_per_minute"]:
        minute = datetime.fromisoformat(row["minute"])
        until = minute + timedelta(minutes=1)
        assert row["count"] == sum(minute <= one["created"] < until for one in count.tickets)
    first, last = (datetime.fromisoformat(board["intake_per_minute"][n]["minute"]) for n in (0, -1))
    assert before - timedelta(minutes=60) <= first + timedelta(minutes=1)
    assert last <= after < last + timedelta(minutes=2)


async def test_the_forecast_is_the_count_from_raw_events(reader: Reader) -> None:
    """Its own words, worked out from the openings: four equal weekdays and hours before, and the error of two weeks."""
    chance, midnight = (
        random.Random(6),
        datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0),
    )
    stories = [
        Story(number, at=midnight - timedelta(minutes=chance.randrange(45 * 24 * 60))).opened(
            via=chance.choice([Channel.EMAIL, Channel.API])
        )
        for number in range(1, 400)
    ]
    reader.feed(*stories)
    for chosen in ({}, {"channel": "email"}):
        told = await reader.read("/v1/reports/forecast", **chosen)
        raws = [json.loads(encode(event)) for story in stories for event in story.events]
        at = [
            datetime.fromisoformat(one["occurred_at"])
            for one in raws
            if one["via"] == chosen.get("channel", one["via"])
        ]

        def opened(begin: datetime, at: list[datetime] = at) -> int:
            return sum(begin <= moment < begin + timedelta(hours=1) for moment in at)

        def mean_before(hour: datetime, opened: Any = opened) -> float:
            return sum(opened(hour - timedelta(days=days)) for days in (7, 14, 21, 28)) / 4

        hours = [datetime.fromisoformat(row["hour"]) for row in told["rows"]]
        assert [hour - hours[0] for hour in hours] == [timedelta(hours=n) for n in range(24)]
        assert [row["expected"] for row in told["rows"]] == [mean_before(hour) for hour in hours]
        assert any(row["expected"] for row in told["rows"])
        today = hours[0] - timedelta(days=1)
        past = [today - timedelta(hours=back) for back in range(1, 14 * 24 + 1)]
        off = sum(abs(mean_before(hour) - opened(hour)) for hour in past)
        assert told["past_error"] == {
            "days": 14,
            "mean_absolute": pytest.approx(off / len(past)),
            "share": pytest.approx(off / sum(map(opened, past))),
        }
