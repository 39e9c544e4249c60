"""As of: list, counts, backlog and ticket at any instant equal what other code finds in the raw events."""

import html
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.query.api.list_filter import ListFilter
from services.query.past import lists as past_lists
from services.query.past import words
from services.query.views.lists import Sort
from shared.events import Priority, StatusCategory
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story
from tests.integration.query_past.replay import (
    State,
    backlog,
    is_wanted,
    key_of,
    state_at,
    states_at,
)
from tests.integration.query_past.worlds import World, a_world
from tests.support.events import NOON

INSTANTS = st.one_of(
    st.integers(-2, 220).map(lambda halves: NOON + halves * timedelta(minutes=30)),
    st.integers(0, 4 * 86_400_000_000).map(lambda part: NOON + timedelta(microseconds=part)),
)
EDGES = st.one_of(st.none(), st.integers(0, 1_000))
"""At which of the world's events exactly: the very instant at which something changed."""


def several(*values: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)


MOMENTS = st.integers(-2, 110).map(lambda hours: (NOON + hours * timedelta(hours=1)).isoformat())
FILTERS: dict[str, st.SearchStrategy[Any]] = {
    "status": several("new", "open", "pending", "solved", "closed"),
    "customer_state": several("new", "open", "answered", "resolved"),
    "priority": several("low", "urgent", "normal"),
    "group": several("desk", "billing", "none", "mine"),
    "assignee": several("anna", "berta", "none", "me"),
    "channel": several("email", "chat", "phone"),
    "tag": several("vip", "old", "new", "hot"),
    "type": several("incident", "question"),
    "language": several("de", "fr"),
    "organization": several("acme"),
    "due_within": st.sampled_from([30, 60, 240, 2880]),
    "requester": st.sampled_from(["carl", "mailto:carl@example.org", "dora"]),
    "external_id": st.integers(1, 26).map("INC{}".format),
    "created_from": MOMENTS,
    "created_before": MOMENTS,
    "updated_from": MOMENTS,
    "updated_before": MOMENTS,
    "is_open": st.booleans(),
    "breached": st.booleans(),
    "at_risk": st.booleans(),
    "q": st.sampled_from(["printer", "toner -scanner", "-cable", "printer scanner"]),
    "field.cost": st.sampled_from(["10", "5..10.4", "..", "11..", "200"]),
    "field.parts": st.sampled_from(["fuser", "drum"]),
    "field.site": st.sampled_from(["Köln", "Jena", "Bonn"]),
    "field.seen": st.sampled_from(["2026-03-01", "2026-03-02"]),
    "field.safe": st.sampled_from(["true", "false"]),
}
"""Values of every filter that the list has."""


def with_ranges_in_order(wanted: dict[str, Any]) -> dict[str, Any]:
    """A range that ends before it begins is refused, and no question."""
    for name in ("created", "updated"):
        begin, end = f"{name}_from", f"{name}_before"
        if wanted.get(begin, "") >= wanted.get(end, "~"):
            wanted |= {begin: wanted[end], end: wanted[begin]}
            if wanted[begin] == wanted[end]:
                del wanted[end]
    return wanted


WANTED = (
    st.lists(st.sampled_from(sorted(FILTERS)), max_size=3, unique=True)
    .flatmap(lambda names: st.fixed_dictionaries({name: FILTERS[name] for name in names}))
    .map(with_ranges_in_order)
)
SORTS = st.sampled_from([*map(str, Sort), "field.cost", "-field.cost", "field.site", None])


@pytest.fixture(params=[(1, False), (2, True)], ids=["in order", "with steps back"])
def world(reader: Reader, request: pytest.FixtureRequest) -> World:
    seed, steps_back = request.param
    world = a_world(seed, steps_back=steps_back)
    reader.feed_events(world.events(seed), batch=7)
    return world


def instant_of(world: World, instant: datetime, edge: int | None) -> datetime:
    if edge is None:
        return instant
    moments = [event.occurred_at for story in world.stories for event in story.events]
    return moments[edge % len(moments)]


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(instant=INSTANTS, edge=EDGES)
async def test_the_backlog_is_what_the_raw_events_say(
    reader: Reader, world: World, instant: datetime, edge: int | None
):
    instant = instant_of(world, instant, edge)
    states = states_at(world.lives, instant)
    shown = (await reader.read("/v1/dashboard", as_of=instant.isoformat()))["backlog"]
    assert shown["by_status"] == backlog(states, "status")
    assert shown["by_priority"] == backlog(states, "priority")
    groups = {group["group_id"]: group["open_count"] for group in shown["by_group"]}
    assert groups == backlog(states, "group")
    assignees = backlog(states, "assignee")
    assert shown["unassigned_count"] == assignees.pop(None, 0)
    assert shown["by_assignee"] == assignees


def test_every_filter_of_the_list_is_tried():
    """A filter that the past passed over in silence would answer with too many tickets."""
    names = {"field" if name.startswith("field.") else name for name in FILTERS}
    assert names == {"field", *ListFilter.model_fields} - {"fields", "sort"}


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(instant=INSTANTS, edge=EDGES, wanted=WANTED, sort=SORTS)
async def test_every_list_is_what_the_raw_events_say(
    reader: Reader,
    world: World,
    instant: datetime,
    edge: int | None,
    wanted: dict[str, Any],
    sort: str | None,
):
    instant = instant_of(world, instant, edge)
    states = {
        ticket_id: state
        for ticket_id, state in states_at(world.lives, instant).items()
        if all(
            is_wanted(state, name, value, instant, world.others) for name, value in wanted.items()
        )
    }
    ordered = [
        (key, ticket_id)
        for ticket_id, state in states.items()
        if (key := key_of(state, sort or "-created")) is not None
    ]
    ordered.sort(reverse=sort is None or sort.startswith("-"))
    rows = await whole_list(reader, instant, wanted | ({"sort": sort} if sort else {}))
    assert [row["ticket_id"] for row in rows] == [ticket_id for _, ticket_id in ordered]
    for row in rows:
        assert_told(row, states[row["ticket_id"]])


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    instant=INSTANTS,
    q=FILTERS["q"],
    wanted=WANTED,
    sort=SORTS,
    read_max=st.sampled_from([1, 4, 1_000]),
    first=st.sampled_from([1, 3, 200]),
)
async def test_a_list_that_is_read_page_by_page_for_its_words_is_the_same(
    reader: Reader,
    world: World,
    instant: datetime,
    q: str,
    wanted: dict[str, Any],
    sort: str | None,
    read_max: int,
    first: int,
):
    asked = wanted | {"q": q} | ({"sort": sort} if sort else {})
    counted = await whole_list(reader, instant, asked)
    with (
        patch.object(words, "COUNTED_MAX", 0),
        patch.object(words, "READ_MAX", read_max),
        patch.object(past_lists, "_FIRST", first),
    ):
        assert await whole_list(reader, instant, asked) == counted


async def whole_list(
    reader: Reader, instant: datetime, wanted: dict[str, Any]
) -> list[dict[str, Any]]:
    """All pages; as many tickets as each page's count says, or at least so many."""
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await reader.read(
            "/v1/tickets", as_of=instant.isoformat(), limit=7, **wanted, **cursor
        )
        rows += page["tickets"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    if page["count"] is None:
        assert page["count_at_least"] <= len(rows)
    else:
        assert page["count"] == len(rows)
    return rows


def assert_told(row: dict[str, Any], state: State) -> None:
    """The row of a list, or the ticket itself, is what the raw events say."""
    names = {
        "group": "group_id",
        "assignee": "assignee_id",
        "breached": "is_breached",
        "at_risk": "is_at_risk",
    }
    for name in (
        "status",
        "priority",
        "group",
        "assignee",
        "type",
        "tags",
        "fields",
        "breached",
        "at_risk",
    ):
        assert row[names.get(name, name)] == state[name], name
    moments = {"changed_at": "changed", "created_at": "created", "due_at": "due"}
    for shown, name in moments.items():
        assert (row[shown] and datetime.fromisoformat(row[shown])) == state[name], name


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(instant=INSTANTS, index=st.integers(0, 24))
async def test_one_ticket_is_what_its_raw_events_say(
    reader: Reader, world: World, instant: datetime, index: int
):
    story = world.stories[index]
    answer = await reader.get(f"/v1/tickets/{story.number}", as_of=instant.isoformat())
    expected = state_at(story.events, instant)
    if expected is None:
        assert answer.status_code == 404
    else:
        assert_told(answer.json()["ticket"], expected)


async def test_a_ticket_is_told_with_all_it_was(reader: Reader):
    story = Story(7).opened(subject="Printer", tags=("a",)).note(1, "look").answer(2, "Use water.")
    story.tag(3, "hot").promise(0, "first_reply", 1).miss("first_reply", 1).solve(5)
    reader.feed(story)

    async def at(hours: float) -> dict[str, Any]:
        when = (story.start + timedelta(hours=hours)).isoformat()
        return (await reader.read(f"/v1/tickets/{story.ticket_id}", as_of=when))["ticket"]

    before, late, after = await at(1.5), await at(2), await at(6)
    assert [message["kind"] for message in before["messages"]] == ["customer", "note"]
    assert [message["kind"] for message in late["messages"]] == ["customer", "note", "agent"]
    assert (before["version"], late["version"], after["version"]) == (2, 3, 5)
    assert before["tags"] == ["a"]
    assert after["tags"] == ["hot"]
    assert (await at(0.5))["is_breached"] is False
    assert before["is_breached"] is True
    assert (before["is_open"], after["is_open"]) == (True, False)


async def test_tags_breaches_and_warnings_of_the_past_are_those_that_each_ticket_tells(
    reader: Reader,
):
    """Tags come and go, a breach is found and taken back; the list says what each ticket of the time says."""
    one = Story(1).opened(tags=("vip", "old")).tag(3, "vip", "new").tag(5, "other")
    two = (
        Story(2)
        .opened(tags=("new",), ticket_type="incident")
        .promise(0, "resolution", 2)
        .warn(1, "resolution", 2)
    )
    two.miss("resolution", 2).retract(4, "resolution", 2)
    three = Story(3).opened(external_id="INC3").promise(0, "resolution", 2).miss("resolution", 2)
    reader.feed(one, two, three, batch=3)
    asked: list[dict[str, Any]] = [
        {"tag": "vip"}, {"tag": "new"}, {"tag": "vip,new"}, {"tag": "none"}, {"breached": "true"},
        {"breached": "false"}, {"at_risk": "true"}, {"at_risk": "false", "tag": "new"},
        {"tag": "new", "breached": "true"}, {"type": "incident"}, {"language": "de", "type": "incident"},
    ]  # fmt: skip
    for hours in (0.5, 1.5, 2.5, 3.5, 4.5, 6):
        when = (one.start + timedelta(hours=hours)).isoformat()
        tickets = (await reader.read("/v1/tickets", as_of=when))["tickets"]
        for wanted in asked:
            page = await reader.read("/v1/tickets", as_of=when, limit=1, **wanted)
            listed = [ticket["number"] for ticket in page["tickets"]]
            while page["next"]:
                page = await reader.read(
                    "/v1/tickets", as_of=when, limit=1, cursor=page["next"], **wanted
                )
                listed += [ticket["number"] for ticket in page["tickets"]]
            expected = [ticket["number"] for ticket in tickets if told_so(ticket, wanted)]
            assert (listed, page["count"]) == (expected, len(expected)), (hours, wanted)
    when = (one.start + timedelta(hours=6)).isoformat()
    found = await reader.read("/v1/tickets", as_of=when, external_id="INC3")
    assert [ticket["number"] for ticket in found["tickets"]] == [3]


def told_so(ticket: dict[str, Any], wanted: dict[str, str]) -> bool:
    return (
        set(filter(None, wanted.get("tag", "").split(","))) <= set(ticket["tags"])
        and wanted.get("type") in {None, ticket["type"]}
        and wanted.get("language") in {None, ticket["language"]}
        and wanted.get("breached") in {None, str(ticket["is_breached"]).lower()}
        and wanted.get("at_risk") in {None, str(ticket["is_at_risk"]).lower()}
    )


async def test_a_search_of_the_past_finds_what_had_been_said_by_then(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that was written later, also where it would have excluded the ticket."""
    one = Story(1).opened(subject="Printer", body="It does not print.")
    one.note(2, "The toner is empty.").ask(4, "Now the scanner fails too.")
    two = Story(2).opened(subject="Scanner", body="Nothing works.").ask(1, "The printer neither.")
    reader.feed(one, two, batch=3)
    expected: list[tuple[float, str, set[int]]] = [
        (0.5, "printer", {1}), (1.5, "printer", {1, 2}), (0.5, "scanner", {2}), (4.5, "scanner", {1, 2}),
        (1.5, "toner", set()), (2.5, "toner", {1}), (2.5, "printer -scanner", {1}), (4.5, "printer -scanner", set()),
        (2.5, "-toner", {2}), (0.5, "-toner", {1, 2}), (4.5, '"scanner fails"', {1}), (4.5, '"fails scanner"', set()),
        (0.5, "prints", {1}),
    ]  # fmt: skip
    for hours, typed, found in expected:
        when = (one.start + timedelta(hours=hours)).isoformat()
        page = await reader.read("/v1/tickets", as_of=when, q=typed, status="new,open,pending,hold")
        assert {ticket["number"] for ticket in page["tickets"]} == found, (hours, typed)
        assert page["count"] == len(found)
    now = await reader.read("/v1/tickets", q="printer -scanner")
    assert now["tickets"] == []
    first = await reader.read("/v1/tickets", as_of=when, q="nothing or print", limit=1)
    rest = await reader.read(
        "/v1/tickets", as_of=when, q="nothing or print", limit=1, cursor=first["next"]
    )
    assert [first["tickets"][0]["number"], rest["tickets"][0]["number"]] == [2, 1]
    other = await reader.get("/v1/tickets", as_of=when, q="print", cursor=first["next"])
    assert other.status_code == 422
    # Too many to be read for a count: what has stood unchanged since is certain, and each page reads its own.
    monkeypatch.setattr(words, "COUNTED_MAX", 0)
    monkeypatch.setattr(words, "READ_MAX", 1)
    monkeypatch.setattr(past_lists, "_FIRST", 1)
    early = {"as_of": (one.start + timedelta(hours=0.5)).isoformat(), "q": "scanner"}
    first = await reader.read("/v1/tickets", **early)
    assert (first["count"], first["count_at_least"]) == (None, 0)
    assert [ticket["number"] for ticket in first["tickets"]] == [2]
    rest = await reader.read("/v1/tickets", **early, cursor=first["next"])
    assert (rest["tickets"], rest["count"]) == ([], None)
    end = await reader.read("/v1/tickets", **early, cursor=rest["next"])
    assert (end["tickets"], end["next"]) == ([], None)
    pages = [(await reader.get("/tickets", **early)).text]
    while following := re.search(r'id="page-next" rel="next" href="/tickets\?([^"]+)"', pages[-1]):
        asked = dict(parse_qsl(html.unescape(following[1])))
        pages.append((await reader.get("/tickets", **asked)).text)
    assert all("at least 0 tickets" in page for page in pages)
    assert sum("<tr data-row>" in page for page in pages) == 1
    assert any("None so far; the list goes on." in page for page in pages)


async def test_a_fact_that_is_known_late_stands_where_it_belongs(reader: Reader):
    story = Story(3).opened().note(5, "nothing new")
    reader.feed(story)

    async def at(hours: float) -> tuple[str, int]:
        when = (story.start + timedelta(hours=hours)).isoformat()
        page = await reader.read("/v1/tickets", as_of=when, is_open=True)
        return (await reader.read("/v1/tickets/3", as_of=when))["ticket"]["status"], page["count"]

    assert await at(3) == ("new", 1)
    reader.feed_events(story.solve(2).events[-1:])
    assert await at(3) == ("solved", 0)
    assert await at(1) == ("new", 1)


async def test_the_timeline_ends_at_the_instant(reader: Reader):
    story = Story(8).opened().note(1, "x").note(2, "y")
    reader.feed(story)
    when = (story.start + timedelta(hours=1)).isoformat()
    events = (await reader.read(f"/v1/tickets/{story.number}/timeline", as_of=when))["events"]
    assert [event["version"] for event in events] == [1, 2]


async def test_the_answer_says_whether_all_of_that_time_is_known(reader: Reader):
    reader.feed(Story(9).opened())
    content = await reader.read("/v1/dashboard", as_of=NOON.isoformat())
    assert content["at"] == NOON.isoformat().replace("+00:00", "Z")
    assert content["is_settled"] is False  # Kafka was not asked yet


@pytest.mark.parametrize(
    ("path", "parameters", "field"),
    [
        ("/v1/dashboard", {"as_of": "yesterday"}, "as_of"),
        ("/v1/dashboard", {"as_of": "2026-01-01T00:00:00"}, "as_of"),
        ("/v1/dashboard", {"as_of": "1969-12-31T00:00:00Z"}, "as_of"),
        ("/v1/tickets", {"as_of": "9999-12-31T23:59:59Z"}, "as_of"),
        ("/v1/tickets", {"as_of": "2026-03-02T12:00:00Z", "field.x": "y"}, "field"),
        ("/v1/tickets", {"as_of": "2026-03-02T12:00:00Z", "sort": "subject"}, "sort"),
        ("/v1/tickets", {"as_of": "2026-03-02T12:00:00Z", "sort": "field.nothing"}, "sort"),
        ("/v1/tickets", {"as_of": "2026-03-02T12:00:00Z", "cursor": "AAAA"}, "cursor"),
        (
            "/v1/search",
            {"as_of": "2026-03-02T12:00:00Z", "q": "x", "highlight": "true"},
            "highlight",
        ),
        (
            "/v1/tickets",
            {"as_of": "2026-03-02T12:00:00Z", "created_from": "2026-03-02"},
            "created_from",
        ),
        ("/v1/tickets", {"as_of": "2026-03-02T12:00:00Z", "due_within": 10**9}, "due_within"),
        ("/v1/tickets/1", {"as_of": "2999-01-01T00:00:00Z"}, "as_of"),
        ("/v1/tickets/1/timeline", {"as_of": "2999-01-01T00:00:00Z"}, "as_of"),
        ("/v1/tickets", {"as_of": "2026-03-02T12:00:00Z", "group": "'; DROP TABLE"}, None),
    ],
)
async def test_bad_questions_are_refused_by_name(
    reader: Reader, path: str, parameters: dict[str, Any], field: str | None
):
    reader.feed(Story(1).opened())
    answer = await reader.get(path, **parameters)
    if field is None:
        assert answer.json()["tickets"] == []
    else:
        assert answer.status_code == 422
        assert field in answer.json()["errors"][0]["field"]


async def test_a_cursor_of_another_list_is_refused(reader: Reader):
    reader.feed(*(Story(number).opened() for number in range(1, 5)))
    asked = {"as_of": NOON.isoformat(), "limit": 2}
    page = await reader.read("/v1/tickets", **asked)
    present = await reader.read("/v1/tickets", limit=2)
    later = {"as_of": (NOON + timedelta(hours=1)).isoformat()}
    for cursor, other in (
        (page, asked | later), (page, asked | {"is_open": True}), (page, asked | {"sort": "priority"}),
        (page, {"limit": 2}), (present, asked),
    ):  # fmt: skip
        answer = await reader.get("/v1/tickets", cursor=cursor["next"], **other)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cursor")
    same = asked | {"as_of": NOON.astimezone(timezone(timedelta(hours=5))).isoformat()}
    rest = await reader.read("/v1/tickets", cursor=page["next"], **same)
    assert [ticket["number"] for ticket in rest["tickets"]] == [2, 1]


async def test_customers_see_the_present_only(reader: Reader):
    reader.feed(Story(1).opened())
    for path in ("/v1/tickets", "/v1/tickets/1", "/v1/dashboard"):
        answer = await reader.get(path, role=Role.CUSTOMER, subject="carl", as_of=NOON.isoformat())
        assert answer.status_code == 403


async def test_what_was_projected_before_this_existed_is_taken_over(reader: Reader):
    """The migration's own statement, on spans that were there before, finds the same periods."""
    from importlib import resources

    reader.feed_events(a_world(5, steps_back=True).events(5))
    periods = "SELECT * FROM open_periods ORDER BY ticket_id, open_from"
    since = "SELECT ticket_id, open_since FROM tickets ORDER BY ticket_id"
    expected = reader.rows(periods), reader.rows(since)
    script = resources.files("services.query") / "migrations" / "0010_open_periods.sql"
    backfill = script.read_text().partition("WITH marked AS")[2].partition("CREATE INDEX")[0]
    reader.store.transact(lambda tx: tx.cursor.execute("TRUNCATE open_periods"))
    reader.store.transact(lambda tx: tx.cursor.execute("UPDATE tickets SET open_since = NULL"))
    reader.store.transact(lambda tx: tx.cursor.execute("WITH marked AS" + backfill))
    assert (reader.rows(periods), reader.rows(since)) == expected
    assert len(expected[0]) > 10


async def test_a_ticket_opened_this_moment_is_in_the_backlog_of_now(reader: Reader):
    story = Story(1, at=datetime.now(UTC)).opened(priority=Priority.HIGH)
    reader.feed(story)
    shown = await reader.read("/v1/dashboard", as_of=story.start.isoformat())
    assert shown["backlog"]["by_priority"] == {"high": 1}
    assert shown["backlog"]["by_status"] == {StatusCategory.NEW.value: 1}
