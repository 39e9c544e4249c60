"""One ticket: what is shown, to whom, and how fresh it is."""

import asyncio
from typing import Any

import pytest

from services.query.projections import Projections
from shared.events import Actor, ActorKind, Channel, Priority, StatusCategory
from shared.events.configuration import ConfigurationDefined
from shared.events.satisfaction import Score
from shared.events.tickets import AgentReplied
from shared.identifiers import new_id
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story
from tests.support.events import ANNA, stamp

pytestmark = pytest.mark.integration
CARL: dict[str, Any] = {"role": Role.CUSTOMER, "subject": "carl"}
EVE: dict[str, Any] = {"role": Role.CUSTOMER, "subject": "eve"}


def a_busy_ticket() -> Story:
    story = Story(7).opened().give_group(0, "desk", "rule").assign(0, "anna")
    story.promise(0, "resolution", 9).note(1, "he is angry").answer(2).ask(3)
    return story.prioritise(4, Priority.HIGH).move(5, StatusCategory.PENDING)


async def test_an_agent_sees_the_ticket_its_conversation_and_its_clocks(reader: Reader) -> None:
    story = a_busy_ticket()
    reader.feed(story)
    by_id = await reader.read(f"/v1/tickets/{story.ticket_id}")
    by_number = await reader.read("/v1/tickets/7")
    assert by_id["ticket"]["ticket_id"] == by_number["ticket"]["ticket_id"]
    ticket = by_id["ticket"]
    assert [message["kind"] for message in ticket["messages"]] == [
        "customer", "note", "agent", "customer",
    ]  # fmt: skip
    assert (ticket["assignee_name"], ticket["group_id"]) == ("Anna", "desk")
    assert ticket["clocks"][0]["metric"] == "resolution"
    assert ticket["figures"]["first_reply_seconds"] == 2 * 3600
    assert ticket["version"] == 6


async def test_the_answer_carries_the_version_as_etag_and_its_age(reader: Reader) -> None:
    story = Story(7).opened().note(1, "x")
    reader.feed(story)
    answer = await reader.get("/v1/tickets/7")
    assert answer.headers["ETag"] == '"2"'
    # Nobody has asked Kafka in this test, and the answer does not pretend.
    assert answer.headers["X-Freshness-Seconds"] == "unknown"
    assert answer.json()["as_of"] is None


async def test_a_customer_sees_own_tickets_without_anything_internal(reader: Reader) -> None:
    reader.feed(a_busy_ticket())
    ticket = (await reader.read("/v1/tickets/7", **CARL))["ticket"]
    assert [message["kind"] for message in ticket["messages"]] == ["customer", "agent", "customer"]
    assert ticket["messages_total"] == 3
    internal = {"group_id", "assignee_id", "clocks", "figures", "note_count", "tags", "is_breached"}
    assert not internal & ticket.keys()
    listed = (await reader.read("/v1/tickets", **CARL))["tickets"][0]
    assert not internal & listed.keys()
    assert "angry" not in (await reader.get("/v1/tickets/7", **CARL)).text


async def test_a_customer_reads_what_a_rule_wrote_and_not_which_rule(reader: Reader) -> None:
    rule = Actor(kind=ActorKind.SYSTEM, id="rule:vip@3", name="Our secret rule")
    story = Story(7).opened()
    story.tell(AgentReplied, 1, by=rule, message_id=new_id(), body="At once.", is_automatic=True)
    reader.feed(story)
    (_, theirs) = (await reader.read("/v1/tickets/7", **CARL))["ticket"]["messages"]
    assert (theirs["body"], theirs["is_automatic"]) == ("At once.", True)
    assert (theirs["author_id"], theirs["author_name"]) == ("system", None)
    (_, ours) = (await reader.read("/v1/tickets/7"))["ticket"]["messages"]
    assert (ours["author_id"], ours["author_name"]) == ("rule:vip@3", "Our secret rule")


async def test_another_customer_s_ticket_does_not_exist(reader: Reader) -> None:
    story = a_busy_ticket()
    reader.feed(story)
    foreign = await reader.get(f"/v1/tickets/{story.ticket_id}", **EVE)
    missing = await reader.get("/v1/tickets/8", **EVE)
    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert (await reader.read("/v1/tickets", **EVE))["tickets"] == []
    assert (await reader.read("/v1/tickets", requester="carl", **EVE))["tickets"] == []


@pytest.mark.parametrize(
    "path",
    ["/v1/tickets/7/timeline", "/v1/dashboard", "/v1/dashboard/stream", "/v1/report"],
)
async def test_customers_and_strangers_do_not_get_the_inside(reader: Reader, path: str) -> None:
    reader.feed(a_busy_ticket())
    assert (await reader.get(path, **CARL)).status_code == 403
    assert (await reader.http.get(path)).status_code == 401


@pytest.mark.parametrize("parameter", ["group", "assignee", "breached", "at_risk"])
async def test_customers_cannot_ask_by_internal_facts(reader: Reader, parameter: str) -> None:
    answer = await reader.get("/v1/tickets", **{parameter: "true"}, **CARL)
    assert answer.status_code == 403


async def test_the_timeline_tells_every_event_with_old_and_new_value(reader: Reader) -> None:
    story = a_busy_ticket()
    reader.feed(story)
    page = await reader.read(f"/v1/tickets/{story.ticket_id}/timeline")
    assert len(page["events"]) == len(story.events)
    told = {event["type"]: event for event in page["events"]}
    priority = told["ticket.priority_changed.v1"]
    assert priority["sentence"] == "Anna changed the priority from normal to high"
    assert priority["changes"] == [{"field": "priority", "old": "normal", "new": "high"}]
    assert priority["actor"] == {"kind": "agent", "id": "anna", "name": "Anna"}
    assigned = told["assignment.assigned.v1"]
    assert assigned["sentence"] == "Anna assigned it to Anna: anna has the least to do"
    assert assigned["data"]["strategy"] == "least_loaded"
    assert page["events"][0]["type"] == "ticket.opened.v1"
    assert page["events"][0]["event_id"] == f"intake:{story.ticket_id}:1"


async def test_the_timeline_in_pages_is_the_timeline(reader: Reader) -> None:
    story = a_busy_ticket()
    reader.feed(story)
    path = f"/v1/tickets/{story.ticket_id}/timeline"
    whole = [event["event_id"] for event in (await reader.read(path))["events"]]
    parts: list[str] = []
    extra: dict[str, str] = {}
    while True:
        page = await reader.read(path, limit=2, **extra)
        parts += [event["event_id"] for event in page["events"]]
        if page["next"] is None:
            break
        extra = {"cursor": page["next"]}
    assert parts == whole


async def test_min_version_waits_until_the_projection_has_it(reader: Reader) -> None:
    story = Story(7).opened().note(1, "x")
    reader.feed_events(story.events[:1])
    waiting = asyncio.create_task(reader.get("/v1/tickets/7", min_version=2))
    await asyncio.to_thread(reader.feed_events, story.events[1:])
    answer = await waiting
    assert answer.status_code == 200
    assert answer.json()["ticket"]["version"] == 2


async def test_min_version_that_does_not_come_is_a_problem_after_the_limit(reader: Reader) -> None:
    reader.feed(Story(7).opened())
    answer = await reader.get("/v1/tickets/7", min_version=2)
    assert answer.status_code == 504
    assert answer.json()["code"] == "not_projected_yet"
    never = await reader.get("/v1/tickets/99", min_version=1)
    assert never.status_code == 504


@pytest.mark.parametrize("reference", ["%23", "seven", "1e3", "9" * 30, "²", "00000000-zz"])
async def test_a_reference_that_is_none_is_refused(reader: Reader, reference: str) -> None:
    answer = await reader.get(f"/v1/tickets/{reference}")
    assert answer.status_code in {404, 422}
    if answer.status_code == 422:
        assert answer.json()["errors"][0]["field"] == "ticket_id"


async def test_the_board_counts_what_is_open(reader: Reader) -> None:
    late = Story(1).opened(priority=Priority.URGENT).give_group(0, "desk", "rule")
    late.promise(0, "resolution", 1).miss("resolution", 1)
    mine = Story(2).opened(via=Channel.EMAIL).give_group(0, "desk", "rule").assign(1, "anna")
    over = Story(3).opened().solve(1)
    reader.feed(late, mine, over)
    assert isinstance(reader.handler, Projections)
    board = await reader.read("/v1/dashboard")
    assert board["backlog"]["open_count"] == 2
    assert board["backlog"]["unassigned_count"] == 1
    assert board["backlog"]["by_priority"] == {"urgent": 1, "normal": 1}
    (group,) = board["backlog"]["by_group"]
    assert (group["group_id"], group["open_count"], group["by_status"]) == ("desk", 2, {"new": 2})
    assert board["promises"]["breached"] == 1
    assert [ticket["number"] for ticket in board["promises"]["tickets"]] == [1]
    assert len(board["intake_per_minute"]) == 60


async def test_what_the_customer_thinks_is_told_to_both_sides_each_what_is_theirs(
    reader: Reader,
) -> None:
    story = Story(7).opened().give_group(0, "desk", "rule").assign(1, "anna").solve(2)
    reader.feed(story.offer(3).rate(4, Score.GOOD).rate(5, Score.BAD, comment="No", reason="Slow"))
    reader.feed_events(
        [
            ConfigurationDefined(
                **stamp(1, actor=ANNA), kind="survey", name="*", definition={"reasons": ["Slow"]}
            )
        ]
    )
    theirs = (await reader.read("/v1/tickets/7", **CARL))["ticket"]
    assert {name: theirs["survey"][name] for name in ("score", "comment", "reason")} == {
        "score": "bad", "comment": "No", "reason": "Slow",
    }  # fmt: skip
    assert "satisfaction" not in theirs
    assert "anna" not in str(theirs["survey"])
    ours = (await reader.read("/v1/tickets/7"))["ticket"]["satisfaction"]
    assert (ours["score"], ours["first_score"], ours["count"]) == ("bad", "good", 2)
    assert (ours["is_good_to_bad"], ours["surveys"][0]["agent_id"]) == (True, "anna")
    events = (await reader.read("/v1/tickets/7/timeline"))["events"]
    assert [one["sentence"] for one in events if "satisfaction" in one["type"]] == [
        "Anna asked the customer what they think of the solution, until 2026-04-01 15:00 UTC",
        "Carl said that the help was good",
        "Carl said that the help was bad, before that it was good (Slow): “No”",
    ]
    changes = {one["field"]: (one["old"], one["new"]) for one in events[-1]["changes"]}
    assert changes == {
        "satisfaction": ("good", "bad"),
        "satisfaction.comment": (None, "No"),
        "satisfaction.reason": (None, "Slow"),
    }
    unasked = Story(8).opened()
    reader.feed(unasked)
    assert (await reader.read("/v1/tickets/8", **CARL))["ticket"]["survey"] is None
