"""The list finds what it is asked for, and its pages stay put while tickets are written."""

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from shared.events import Channel, Priority, StatusCategory
from shared.events.agents import AgentDefined, AgentProfile
from shared.events.tickets import Person
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story
from tests.support.events import NOON, stamp

pytestmark = pytest.mark.integration


async def numbers(reader: Reader, **parameters: Any) -> list[int]:
    """The numbers of all tickets found, page by page."""
    found: list[int] = []
    cursor: str | None = None
    while True:
        extra = {"cursor": cursor} if cursor else {}
        page = await reader.read("/v1/tickets", **parameters, **extra)
        found += [ticket["number"] for ticket in page["tickets"]]
        cursor = page["next"]
        if cursor is None:
            return found


def some_tickets() -> list[Story]:
    one = Story(1).opened(priority=Priority.URGENT, tags=("vip", "fire"))
    one.give_group(0, "desk", "rule").assign(1, "anna").promise(0, "resolution", 2)
    eve = Person("eve", "Eve", "eve@example.org", organization="Acme, Inc")
    two = Story(2).opened(via=Channel.EMAIL, requester=eve, ticket_type="incident", language="de")
    two.give_group(0, "network", "rule").promise(0, "resolution", 1).miss("resolution", 1)
    three = Story(3).opened(tags=("vip",)).move(3, StatusCategory.PENDING)
    four = Story(4).opened(priority=Priority.LOW, external_id="INC4").solve(4)
    five = Story(5).opened().promise(0, "resolution", 9).warn(8, "resolution", 9)
    return [one, two, three, four, five]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, {1, 2, 3, 4, 5}),
        ({"status": "pending,solved"}, {3, 4}),
        ({"status": "new"}, {1, 2, 5}),
        ({"group": "desk"}, {1}),
        ({"group": "none"}, {3, 4, 5}),
        ({"group": "none,network"}, {2, 3, 4, 5}),
        ({"assignee": "me"}, {1}),
        ({"assignee": "none", "is_open": "true"}, {2, 3, 5}),
        ({"priority": "urgent,low"}, {1, 4}),
        ({"requester": "eve"}, {2}),
        ({"tag": "vip"}, {1, 3}),
        ({"tag": "vip,fire"}, {1}),
        ({"channel": "email"}, {2}),
        ({"external_id": "INC4"}, {4}),
        ({"type": "incident,question"}, {2}),
        ({"language": "de"}, {2}),
        ({"organization": "Globex"}, set()),
        ({"q": 'organization:"Acme, Inc" type:incident language:de'}, {2}),
        ({"created_from": NOON.isoformat()}, {1, 2, 3, 4, 5}),
        ({"created_before": NOON.isoformat()}, set()),
        ({"updated_from": (NOON + timedelta(hours=2)).isoformat(), "is_open": "true"}, {3}),
        ({"updated_before": (NOON + timedelta(hours=2)).isoformat()}, {1, 2, 5}),
        ({"breached": "true"}, {2}),
        ({"at_risk": "true"}, {5}),
        ({"at_risk": "false", "breached": "false"}, {1, 3, 4}),
        ({"q": "eve@example.org"}, {2}),
        ({"q": "INC4"}, {4}),
        ({"q": "printers burning"}, set()),
        ({"q": "printer fire"}, {1, 2, 3, 4, 5}),
        ({"q": "fires", "tag": "vip"}, {1, 3}),
    ],
)
async def test_a_filter_finds_its_tickets_and_no_others(
    reader: Reader, asked: dict[str, str], found: set[int]
) -> None:
    reader.feed(*some_tickets())
    assert set(await numbers(reader, **asked)) == found


async def test_my_groups_are_those_that_i_am_in(reader: Reader) -> None:
    reader.feed(*some_tickets())
    assert await numbers(reader, group="mine") == [], "an agent whom nobody defined is in none"
    assert set(await numbers(reader, group="mine,network")) == {2}
    profile = AgentProfile(name="Anna", groups=("desk", "network"), capacity=5)
    reader.feed_events([AgentDefined(**stamp(1), agent_id="anna", profile=profile)])
    assert set(await numbers(reader, group="mine")) == {1, 2}
    assert set(await numbers(reader, group="mine,none")) == {1, 2, 3, 4, 5}
    assert await numbers(reader, group="mine", sort="due") == [2, 1]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("created", [1, 2, 3, 4, 5]),
        ("-created", [5, 4, 3, 2, 1]),
        ("-updated", [1, 2, 5, 4, 3]),
        ("updated", [3, 4, 5, 2, 1]),
        ("due", [2, 1, 5, 3, 4]),
        ("-due", [4, 3, 5, 1, 2]),
        ("-priority", [1, 5, 3, 2, 4]),
        ("priority", [4, 2, 3, 5, 1]),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 200])
async def test_pages_of_any_size_give_the_same_order(
    reader: Reader, sort: str, order: list[int], limit: int
) -> None:
    """At equal keys the older ticket comes first, or last when descending."""
    stories = [
        Story(number, at=NOON.replace(minute=number)).opened(priority=priority)
        for number, priority in enumerate(
            [Priority.URGENT, Priority.NORMAL, Priority.NORMAL, Priority.LOW, Priority.NORMAL], 1
        )
    ]
    stories[0].note(5, "last changed").promise(0, "resolution", 2)
    stories[1].note(4, "before that").promise(0, "resolution", 1)
    stories[4].note(3, "and before").promise(0, "resolution", 9)
    stories[3].note(2, "long ago")
    reader.feed(*stories)
    assert await numbers(reader, sort=sort, limit=limit) == order


async def test_a_walk_sees_every_ticket_once_while_new_ones_are_opened(reader: Reader) -> None:
    reader.feed(*(Story(number).opened() for number in range(1, 31)))
    seen: list[int] = []
    cursor = None
    for number in range(31, 41):
        extra = {"cursor": cursor} if cursor else {}
        page = await reader.read("/v1/tickets", sort="created", limit=4, **extra)
        seen += [ticket["number"] for ticket in page["tickets"]]
        reader.feed(Story(number).opened())
        cursor = page["next"]
        if cursor is None:
            break
    assert sorted(set(seen)) == sorted(seen)
    assert set(range(1, 31)) <= set(seen)


@pytest.mark.parametrize("narrowed", [{}, {"tag": "vip"}], ids=["walked", "gathered"])
@pytest.mark.parametrize(
    "sort",
    ["-updated", "updated", "-priority", "priority", "due", "-due", "field.cost", "-field.cost"],
)
async def test_a_walk_in_an_order_that_changes_loses_nothing_that_stayed(
    reader: Reader, sort: str, narrowed: dict[str, str]
) -> None:
    """Between any two pages tickets move in the order that is walked, and new ones are opened."""
    chance = random.Random(sort)
    stories = [
        Story(number, at=NOON + timedelta(seconds=chance.randrange(20)))
        .opened(
            priority=chance.choice(list(Priority)),
            tags=("vip",),
            fields={"cost": chance.randrange(5)},
        )
        .promise(0, "resolution", chance.randrange(1, 5))
        for number in range(1, 41)
    ]
    reader.feed(*stories)
    seen: list[int] = []
    moved_when_seen: list[int] = []
    moved: set[int] = set()
    cursor: dict[str, str] = {}
    for turn in range(1, 100):
        page = await reader.read("/v1/tickets", sort=sort, limit=3, **narrowed, **cursor)
        shown = [ticket["number"] for ticket in page["tickets"]]
        seen += shown
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
        # The row that the cursor stands on, if it is of the first forty, and one from anywhere.
        for story in {*stories[shown[-1] - 1 :][:1], chance.choice(stories)} if turn <= 8 else ():
            _move(reader, story, turn, chance)
            moved.add(story.number)
            if story.number in seen:
                moved_when_seen.append(story.number)
        reader.feed(Story(100 + turn, at=NOON + timedelta(seconds=chance.randrange(20))).opened())
    stayed = [number for number in seen if number <= 40 and number not in moved]
    assert sorted(stayed) == sorted({*range(1, 41)} - moved)
    for number, times in Counter(seen).items():
        # What moves from behind the reader to ahead of it is met again at its new place, and nothing else is.
        assert times <= 1 + moved_when_seen.count(number)
    if sort == "-updated":  # moved tickets are always behind
        assert max(Counter(seen).values()) == 1


def _move(reader: Reader, story: Story, turn: int, chance: random.Random) -> None:
    told = len(story.events)
    story.note(turn, "moved").prioritise(turn, chance.choice(list(Priority)))
    story.promise(turn, "resolution", chance.randrange(1, 5), cycle=turn + 1)
    story.fill(turn, cost=chance.randrange(5))
    reader.feed_events(story.events[told:])


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": "0"},
        {"limit": "201"},
        {"limit": "many"},
        {"sort": "subject; DROP TABLE tickets"},
        {"status": "'; DROP TABLE tickets"},
        {"colour": "red"},
        {"cursor": "garbage"},
        {"q": "a\x00b"},
        {"q": "x" * 501},
        {"breached": "perhaps"},
    ],
)
async def test_a_malformed_parameter_is_refused_by_name(
    reader: Reader, asked: dict[str, str]
) -> None:
    answer = await reader.get("/v1/tickets", **asked)
    assert answer.status_code == 422, answer.text
    (name,) = asked
    assert name in answer.json()["errors"][0]["field"]


async def test_a_cursor_works_only_for_the_list_it_came_from(reader: Reader) -> None:
    reader.feed(*(Story(number).opened() for number in range(1, 4)))
    page = await reader.read("/v1/tickets", limit=1, sort="created")
    for other in ({"sort": "-created"}, {"sort": "created", "status": "new"}):
        answer = await reader.get("/v1/tickets", limit=1, cursor=page["next"], **other)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "cursor"


async def test_search_needs_words_and_finds_notes_for_agents_only(reader: Reader) -> None:
    reader.feed(Story(1).opened().note(1, "the customer is a pelican"))
    assert (await reader.get("/v1/search")).status_code == 422
    assert len((await reader.read("/v1/search", q="pelicans"))["tickets"]) == 1
    as_customer = {"role": Role.CUSTOMER, "subject": "carl"}
    assert (await reader.read("/v1/search", q="pelicans", **as_customer))["tickets"] == []
    assert len((await reader.read("/v1/search", q="printers", **as_customer))["tickets"]) == 1
