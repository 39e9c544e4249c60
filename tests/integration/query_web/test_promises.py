"""The board of promises: what is late and what will be within the hour, by group and policy, and who looks after it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story
from tests.integration.query_web.test_oncall import Paging, text

pytestmark = pytest.mark.integration
MINUTE = 1 / 60


def due_in(minutes: float, number: int, group: str = "desk") -> Story:
    """A ticket opened two hours ago whose resolution is due so many minutes from now."""
    at = datetime.now(UTC) - timedelta(hours=2)
    story = Story(number, at=at).opened(subject=f"s{number}").give_group(0, group, "rule")
    return story.promise(0, "resolution", 2 + minutes * MINUTE)


async def board(reader: Reader, **asked: str) -> dict[str, Any]:
    return await reader.read("/v1/dashboard/promises", **asked)


async def test_clocks_are_counted_by_how_soon_they_are_due_in_each_group_and_policy(
    reader: Reader,
) -> None:
    late = due_in(-30, 1).miss("resolution", 1.5)
    reader.feed(late, due_in(10, 2), due_in(40, 3, "vip"), due_in(90, 4))
    told = await board(reader)
    assert told["total"] == {
        "waiting_count": 1, "acknowledged_count": 0, "soon_count": 1, "hour_count": 1,
    }  # fmt: skip
    assert [(one["group_id"], one["waiting_count"], one["hour_count"]) for one in told["by_group"]] == [
        ("desk", 1, 0), ("vip", 0, 1),
    ]  # fmt: skip
    assert len(told["by_policy"]) == 1
    assert [clock["number"] for clock in told["clocks"]] == [1, 2, 3], "the fourth has time"
    of_group = await board(reader, group="vip")
    assert [clock["number"] for clock in of_group["clocks"]] == [3]
    assert of_group["total"] == told["total"], "counts are of all"


async def test_what_somebody_looks_after_is_no_longer_waiting(reader: Reader) -> None:
    at = datetime.now(UTC) - timedelta(hours=2)
    story = Story(8, at=at).opened(subject="mail").promise(0, "first_reply", 1)
    reader.feed(story.miss("first_reply", 1))
    assert (await board(reader))["total"]["waiting_count"] == 1
    clock = (await board(reader))["clocks"][0]
    assert (clock["number"], clock["is_late"], clock["is_acknowledged"]) == (8, True, False)
    paging = Paging(story)
    reader.feed_events([paging.paged("anna")])
    waiting = await text(reader, "/promises")
    assert f"/v1/oncall/alerts/sla:{story.ticket_id}:first_reply:1/acknowledge" in waiting
    reader.feed_events([paging.acknowledged()])
    told = await board(reader)
    assert (told["total"]["waiting_count"], told["total"]["acknowledged_count"]) == (0, 1)
    assert "Mia Roth looks after it" in await text(reader, "/promises")


async def test_the_page_shows_countdowns_groups_and_says_when_there_is_nothing(
    reader: Reader,
) -> None:
    assert "Nothing is late, and nothing is due within the hour." in await text(reader, "/promises")
    reader.feed(due_in(-30, 1).miss("resolution", 1.5), due_in(10, 2))
    html = await text(reader, "/promises")
    assert "Late, nobody has acknowledged it: 1" in html
    assert "Due within 15 minutes: 1" in html
    assert 'href="/promises?group=desk"' in html
    of_group = (await reader.get("/promises", group="nobody")).text
    assert "Nothing is late, and nothing is due within the hour." in of_group


async def test_what_needs_a_person_is_listed_until_somebody_has_decided(reader: Reader) -> None:
    story = due_in(-30, 1).miss("resolution", 1.5).doubt("resolution", 2, 1.5)
    without = due_in(40, 2).lose_deadline("resolution", 2)
    reader.feed(story, without)
    told = (await board(reader))["in_question"]
    assert [(one["number"], one["needs_review"], one["unschedulable_reason"]) for one in told] == [
        (1, True, None), (2, False, "no_open_time"),
    ]  # fmt: skip
    action = f'data-action="/v1/sla/tickets/{story.ticket_id}/reviews"'
    for path in ("/promises", "/tickets/1"):
        page = (await reader.get(path, role=Role.SUPERVISOR)).text
        assert page.count(action) == 2, "it stands, or is taken back"
        assert action not in (await reader.get(path, role=Role.AGENT)).text
    said = "no deadline can be found: its calendar has too little open time"
    assert said in await text(reader, "/promises")
    assert said in await text(reader, "/tickets/2")
    reader.feed_events(story.uphold("resolution", 2.5, 1.5).events[-1:])
    assert [one["number"] for one in (await board(reader))["in_question"]] == [2]


async def test_customers_have_no_board(reader: Reader) -> None:
    for path in ("/promises", "/v1/dashboard/promises"):
        answer = await reader.get(path, role=Role.CUSTOMER, subject="carl")
        assert answer.status_code == 403
