"""Pauses of clocks: who stopped them, when, how long, and what was lost while the customer waited for us."""

import pytest

from shared.events import StatusCategory
from shared.security import Role
from shared.topics import Topic
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import HOUR, Story

pytestmark = pytest.mark.integration


def stopped(story: Story, after: float) -> Story:
    """The clock stands still because of what just happened on the ticket."""
    story.pause(after, "resolution", 8)
    last = story.events.pop()
    cause = f"intake:{story.ticket_id}:{story._versions[Topic.TICKETS]}"
    story.events.append(type(last)(**{
        **{name: getattr(last, name) for name in last.__struct_fields__}, "causation_id": cause,
    }))  # fmt: skip
    return story


def a_ticket(*, is_answered: bool) -> Story:
    story = Story(7).opened().promise(0, "resolution", 8)
    if is_answered:
        story.answer(1)
    story.move(1, StatusCategory.PENDING)
    return stopped(story, 1).move(3, StatusCategory.OPEN).resume(3, "resolution", 8, 2)


async def test_a_pause_names_who_made_it_and_how_long_it_was(reader: Reader) -> None:
    story = a_ticket(is_answered=True)
    reader.feed(story)
    told = await reader.read("/v1/tickets/7/pauses", role=Role.AGENT)
    (pause,) = told["pauses"]
    assert (pause["metric"], pause["status"], pause["cause"]) == (
        "resolution", "pending", "ticket.status_changed.v1",
    )  # fmt: skip
    assert (pause["paused_by_kind"], pause["paused_by"]) == ("agent", "anna")
    assert pause["paused_seconds"] == 2 * 3_600
    assert not pause["is_open"]
    assert not pause["is_unfounded"], "the customer had been asked something"
    assert told["lost_seconds"] == {}


async def test_pending_while_the_customer_waits_for_us_is_time_lost(reader: Reader) -> None:
    story = a_ticket(is_answered=False)
    reader.feed(story)
    told = await reader.read("/v1/tickets/7/pauses", role=Role.AGENT)
    assert told["pauses"][0]["is_unfounded"]
    assert told["lost_seconds"] == {"resolution": 7_200}
    (row,) = reader.rows("SELECT * FROM bi.fct_sla_pause")
    assert (row["is_unfounded"], row["lost_business_seconds"]) == (True, 7_200)
    assert row["ended_at"] - row["started_at"] == 2 * HOUR
    page = await reader.get("/tickets/7", role=Role.AGENT)
    assert "2 h 00 min lost while the customer waited" in page.text
    assert "the customer waited for us" in page.text


async def test_a_pause_that_lasts_has_no_length_yet_and_an_answer_in_it_is_told(
    reader: Reader,
) -> None:
    story = Story(7).opened().promise(0, "resolution", 8).move(1, StatusCategory.PENDING)
    reader.feed(stopped(story, 1).answer(2))
    (pause,) = (await reader.read("/v1/tickets/7/pauses", role=Role.AGENT))["pauses"]
    assert (pause["is_open"], pause["ended_at"], pause["paused_seconds"]) == (True, None, None)
    assert pause["is_unfounded"]
    assert pause["answered_at"] is not None


async def test_an_answer_within_the_minute_is_its_ground(reader: Reader) -> None:
    for number, after in ((7, 50), (8, 70)):
        story = Story(number).opened().promise(0, "resolution", 8).move(1, StatusCategory.PENDING)
        reader.feed(stopped(story, 1).answer(1 + after / 3_600))
    told = [
        (await reader.read(f"/v1/tickets/{number}/pauses", role=Role.AGENT))["pauses"][0]
        for number in (7, 8)
    ]
    assert [pause["is_unfounded"] for pause in told] == [False, True]


async def test_a_second_pause_counts_only_its_own_time(reader: Reader) -> None:
    story = a_ticket(is_answered=True).move(4, StatusCategory.HOLD)
    stopped(story, 4).resume(5, "resolution", 8, 3)
    reader.feed(story)
    told = await reader.read("/v1/tickets/7/pauses", role=Role.AGENT)
    assert [(each["status"], each["paused_seconds"]) for each in told["pauses"]] == [
        ("hold", 3_600), ("pending", 7_200),
    ]  # fmt: skip


async def test_customers_see_nothing_of_it(reader: Reader) -> None:
    reader.feed(a_ticket(is_answered=False))
    refused = await reader.get("/v1/tickets/7/pauses", role=Role.CUSTOMER, subject="carl")
    assert refused.status_code == 403
    page = await reader.get("/tickets/7", role=Role.CUSTOMER, subject="carl")
    assert "waited" not in page.text
