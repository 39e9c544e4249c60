"""What both sides are told about how a ticket stands, and what no customer is told at all."""

from typing import Any

import pytest

from shared.events import StatusCategory as C
from shared.events.configuration import ConfigurationDefined
from shared.events.tickets import (
    Changed,
    Courtesy,
    CustomerReplied,
    ParticipantAdded,
    Person,
    StatusChanged,
    TaskAdded,
    TaskChanged,
    TaskRemoved,
    TicketLinked,
    TicketResolved,
)
from shared.identifiers import new_id
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import HOUR, Story
from tests.support.events import CARL as CARL_HIMSELF
from tests.support.events import NOON, stamp

pytestmark = pytest.mark.integration
CARL: dict[str, Any] = {"role": Role.CUSTOMER, "subject": "carl"}


@pytest.mark.parametrize(
    ("category", "state", "waits"),
    [
        (C.NEW, "new", "us"),
        (C.OPEN, "open", "us"),
        (C.ANSWERED, "answered", None),
        (C.PENDING, "answered", "customer"),
        (C.HOLD, "open", "third_party"),
        (C.SOLVED, "resolved", None),
        (C.CLOSED, "resolved", None),
    ],
)
async def test_both_sides_see_the_same_state(
    reader: Reader, category: C, state: str, waits: str | None
) -> None:
    story = Story(7).opened()
    if category is C.SOLVED:
        story.solve(1)
    elif category is C.CLOSED:
        story.close(1)
    elif category is not C.NEW:
        story.move(1, category)
    reader.feed(story)
    for who in ({}, CARL):
        ticket = (await reader.read("/v1/tickets/7", **who))["ticket"]
        assert (ticket["customer_state"], ticket["waiting_for"]) == (state, waits)
        listed = await reader.read("/v1/tickets", customer_state=state, **who)
        assert [one["customer_state"] for one in listed["tickets"]] == [state]
    other = "resolved" if state != "resolved" else "new"
    assert (await reader.read("/v1/tickets", customer_state=other))["tickets"] == []


async def test_a_queued_ticket_waits_for_an_agent_and_a_postponed_one_for_its_date(
    reader: Reader,
) -> None:
    queued, later = Story(7).opened(), Story(8).opened()
    queued.queue(0)
    later.tell(
        StatusChanged,
        1,
        category=C.POSTPONED,
        previous_category=C.NEW,
        until=NOON + 24 * HOUR,
    )
    reader.feed(queued, later)
    one = (await reader.read("/v1/tickets/7", **CARL))["ticket"]
    two = (await reader.read("/v1/tickets/8", **CARL))["ticket"]
    assert (one["customer_state"], one["waiting_for"]) == ("new", "agent")
    assert (two["customer_state"], two["waiting_for"]) == ("postponed", "date")
    assert two["customer_state_until"] == (NOON + 24 * HOUR).isoformat().replace("+00:00", "Z")


async def test_no_customer_sees_an_internal_ticket(reader: Reader) -> None:
    story = Story(7).opened(is_internal=True, body="secret words")
    reader.feed(story)
    assert (await reader.get("/v1/tickets/7", **CARL)).status_code == 404
    waits = await reader.get("/v1/tickets/7", min_version=1, **CARL)
    assert waits.status_code in {404, 504}
    assert (await reader.read("/v1/tickets", **CARL))["tickets"] == []
    assert (await reader.read("/v1/search", q="secret", **CARL))["tickets"] == []
    ticket = (await reader.read("/v1/tickets/7"))["ticket"]
    assert ticket["is_internal"] is True
    assert ticket["messages"][0]["kind"] == "note"


async def test_a_thank_you_is_counted_and_nobody_waits_for_an_answer(reader: Reader) -> None:
    story = Story(7).opened().solve(1)
    courtesy = Courtesy("thanks_after_solved", "en", "thanks")
    story.tell(
        CustomerReplied, 2, by=CARL_HIMSELF, message_id=new_id(), body="Thanks", courtesy=courtesy
    )
    reader.feed(story)
    ticket = (await reader.read("/v1/tickets/7"))["ticket"]
    assert (ticket["status"], ticket["courtesy_count"], ticket["waiting_since"]) == (
        "solved",
        1,
        None,
    )
    assert ticket["messages"][-1]["courtesy"] == "thanks"
    assert "courtesy" not in (await reader.read("/v1/tickets/7", **CARL))["ticket"]["messages"][-1]


async def test_tasks_participants_and_follow_ups_are_with_the_ticket(reader: Reader) -> None:
    story, task, gone = Story(7).opened(), new_id(), new_id()
    for one in (task, gone):
        story.tell(TaskAdded, 1, task_id=one, title="Call", owner_id="anna", due_at=NOON + HOUR)
    done = {"is_done": Changed(value=True, previous=False)}
    story.tell(TaskChanged, 2, task_id=task, title="Call", changes=done)
    story.tell(TaskRemoved, 2, task_id=gone, title="Call")
    story.tell(ParticipantAdded, 3, person=Person("dora", "Dora"), role="cc", is_trusted=False)
    story.tell(TicketLinked, 4, other_ticket_id=new_id(), other_number=5, relation="predecessor")
    reader.feed(story)
    ticket = (await reader.read("/v1/tickets/7"))["ticket"]
    assert [(one["title"], one["is_done"]) for one in ticket["tasks"]] == [("Call", True)]
    assert [(one["id"], one["is_trusted"]) for one in ticket["participants"]] == [("dora", False)]
    rows = reader.rows("SELECT is_done, is_removed, done_at FROM tasks ORDER BY is_removed")
    assert [(row["is_done"], row["is_removed"]) for row in rows] == [(True, False), (False, True)]
    mine = (await reader.read("/v1/tickets/7", **CARL))["ticket"]
    assert [link["number"] for link in mine["follow_ups"]] == [5]
    assert not {"tasks", "participants"} & mine.keys()


async def test_until_when_a_reply_reopens_is_told_to_both(reader: Reader) -> None:
    story = Story(7).opened()
    story.tell(
        TicketResolved,
        1,
        summary="Done",
        previous_category=C.NEW,
        resolution_count=1,
        reopen_until=NOON + 48 * HOUR,
        close_at=NOON + 72 * HOUR,
    )
    reader.feed(story)
    for who in ({}, CARL):
        ticket = (await reader.read("/v1/tickets/7", **who))["ticket"]
        assert ticket["customer_state_until"] is not None
        assert ticket["close_at"] > ticket["customer_state_until"]


async def test_a_customer_sees_the_fields_that_are_defined_so(reader: Reader) -> None:
    for name, is_visible in (("model", True), ("margin", False)):
        reader.feed_events(
            [
                ConfigurationDefined(
                    **stamp(1),
                    kind="field",
                    name=name,
                    definition={
                        "label": name.title(),
                        "type": "text",
                        "visible_to_customer": is_visible,
                    },
                )
            ]
        )
    reader.feed(Story(7).opened(fields={"model": "X1", "margin": "9", "free": 1}))
    ticket = (await reader.read("/v1/tickets/7", **CARL))["ticket"]
    assert ticket["customer_fields"] == {"model": {"label": "Model", "value": "X1"}}
    assert "fields" not in ticket
