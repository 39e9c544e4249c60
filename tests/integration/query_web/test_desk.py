"""An agent's own desk on real tables: what to do first, what waits, tasks, and nobody else's."""

from datetime import UTC, datetime

import pytest

from services.query.views.desk import desk_of
from shared.events import Priority, StatusCategory
from shared.events.agents import AgentDefined, AgentProfile
from shared.events.tickets import TaskAdded
from shared.identifiers import new_id
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story
from tests.support.events import ANNA, stamp

pytestmark = pytest.mark.integration


@pytest.fixture
def desk(reader: Reader) -> Reader:
    """Anna has one ticket to work on, one that waits for the customer, and a task; Ben has another ticket."""
    profile = AgentProfile(name="Anna Berg", groups=("desk",), capacity=5.0)
    reader.feed_events([AgentDefined(**stamp(1, actor=ANNA), agent_id="anna", profile=profile)])
    ours = Story(7).opened(subject="Printer on floor 3", priority=Priority.HIGH).assign(0.1, "anna")
    theirs = Story(8).opened(subject="Which printer").assign(0.1, "anna")
    theirs.answer(2, "Which one?").move(3, StatusCategory.PENDING)
    other = Story(9).opened(subject="Not hers").assign(0.1, "ben")
    reader.feed(ours, theirs, other)
    version = sum(event.OWNER == "intake" for event in ours.events)
    task = TaskAdded(
        **stamp(version + 1, datetime.now(UTC), ANNA),
        ticket_id=ours.ticket_id,
        task_id=new_id(),
        title="Order toner",
        owner_id="anna",
    )
    reader.feed_events([task])
    return reader


async def test_tickets_stand_by_whose_turn_it_is(desk: Reader) -> None:
    found = await desk_of(await desk.store.pool(), "anna", datetime.now(UTC))
    assert [ticket["number"] for ticket in found.ours] == [7]
    assert [ticket["number"] for ticket in found.theirs] == [8]
    assert (found.open_count, found.is_cut) == (2, False)
    assert found.agent
    assert found.agent["capacity"] == 5
    assert [task["title"] for task in found.tasks] == ["Order toner"]


async def test_the_page_shows_the_callers_own(desk: Reader) -> None:
    answer = await desk.get("/desk", role=Role.AGENT, subject="anna")
    assert answer.status_code == 200, answer.text
    assert "Printer on floor 3" in answer.text
    assert "Order toner" in answer.text
    assert "Not hers" not in answer.text


async def test_somebody_without_anything_is_told_what_to_do(desk: Reader) -> None:
    answer = await desk.get("/desk", role=Role.AGENT, subject="zoe")
    assert "Nothing waits for you" in answer.text
    assert "You are in no group" in answer.text


async def test_customers_have_no_desk(desk: Reader) -> None:
    answer = await desk.get("/desk", role=Role.CUSTOMER, subject="carl")
    assert answer.status_code == 403
