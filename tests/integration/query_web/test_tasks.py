"""Tasks over all tickets: the API's filters and pages, and the page of them."""

from datetime import timedelta
from typing import Any

import pytest

from shared.events.tickets import Changed as To
from shared.events.tickets import TaskAdded, TaskChanged, TaskRemoved
from shared.identifiers import new_id
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story
from tests.support.events import NOON

pytestmark = pytest.mark.integration


@pytest.fixture
def house(reader: Reader) -> Reader:
    """Anna has three tasks over two tickets, one of them done; Ben has one; nobody has one; one is gone."""
    move, fire = Story(7).opened(subject="Move"), Story(8).opened(subject="Fire")
    for title, said in {
        "Order desks": {"owner_id": "anna", "due_at": NOON + timedelta(hours=8)},
        "Call the lift": {"owner_id": "anna", "checklist": "Lift"},
        "Book": {"owner_id": "ben", "due_at": NOON + timedelta(hours=2)},
        "Sweep": {"checklist": "Lift"},
    }.items():
        move.tell(TaskAdded, 1, task_id=new_id(), title=title, **said)
    done, gone = new_id(), new_id()
    fire.tell(TaskAdded, 1, task_id=done, title="Water", owner_id="anna", due_at=NOON)
    fire.tell(TaskChanged, 2, task_id=done, title="Water", changes={"is_done": To(True, False)})
    fire.tell(TaskAdded, 1, task_id=gone, title="A mistake", owner_id="anna")
    fire.tell(TaskRemoved, 2, task_id=gone, title="A mistake")
    reader.feed(move, fire)
    return reader


async def titles(house: Reader, **asked: Any) -> list[str]:
    return [task["title"] for task in (await house.read("/v1/tasks", **asked))["tasks"]]


async def test_due_first_and_what_has_no_date_last(house: Reader):
    assert await titles(house, owner="me") == ["Order desks", "Call the lift"]
    (task, _) = (await house.read("/v1/tasks", owner="anna"))["tasks"]
    assert (task["number"], task["subject"], task["is_done"]) == (7, "Move", False)


async def test_filters_narrow_by_owner_state_date_and_list(house: Reader):
    assert sorted(await titles(house)) == ["Book", "Call the lift", "Order desks", "Sweep"]
    assert await titles(house, owner="none") == ["Sweep"]
    assert await titles(house, is_done="true") == ["Water"]
    assert await titles(house, checklist="Lift", owner="anna") == ["Call the lift"]
    soon = (NOON + timedelta(hours=3)).isoformat()
    assert await titles(house, due_before=soon) == ["Book"]
    assert await titles(house, due_after=soon, owner="anna") == ["Order desks", "Call the lift"]


async def test_pages_follow_each_other_and_a_cursor_is_of_its_list_alone(house: Reader):
    seen, cursor = [], None
    while True:
        page = await house.read("/v1/tasks", limit=1, **({"cursor": cursor} if cursor else {}))
        seen += [task["title"] for task in page["tasks"]]
        cursor = page["next"]
        if cursor is None:
            break
        last = cursor
    assert seen[:2] == ["Book", "Order desks"]
    assert sorted(seen) == ["Book", "Call the lift", "Order desks", "Sweep"]
    strange = await house.get("/v1/tasks", owner="ben", cursor=last)
    assert (strange.status_code, strange.json()["errors"][0]["field"]) == (422, "cursor")


async def test_the_page_offers_done_and_take_up_again(house: Reader):
    mine = (await house.get("/tasks", owner="me")).text
    assert "Order desks" in mine
    assert "Book" not in mine
    assert "Done<span" in mine
    done = (await house.get("/tasks", owner="me", is_done="true")).text
    assert "Take up again<span" in done


async def test_customers_have_no_tasks(house: Reader):
    for path in ("/tasks", "/v1/tasks"):
        answer = await house.get(path, role=Role.CUSTOMER, subject="carl")
        assert answer.status_code == 403, path
