"""Custom fields and tags as filters and orders: typed, exact, and as the ticket has them now."""

from typing import Any

import pytest

from services.query.views import effort
from services.query.views.effort import Way
from shared.events.configuration import ConfigurationDefined
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story
from tests.integration.query.test_lists import numbers
from tests.support.events import ANNA, stamp

pytestmark = pytest.mark.integration

DEFINED = {
    "cost": {"label": "Cost", "type": "number"},
    "day": {"label": "Day", "type": "date"},
    "product": {"label": "Product", "type": "choice", "options": ["printer", "phone", "desk"]},
    "parts": {"label": "Parts", "type": "choices", "options": ["ink", "drum"]},
    "urgent": {"label": "Urgent", "type": "boolean"},
}


@pytest.fixture
def filled(reader: Reader) -> Reader:
    reader.feed_events(
        [
            ConfigurationDefined(**stamp(1, actor=ANNA), kind="field", name=name, definition=told)
            for name, told in DEFINED.items()
        ]
    )
    one = Story(1).opened(
        fields={"cost": 9, "product": "printer", "parts": ["ink", "drum"], "room": "A 12"}
    )
    two = Story(2).opened(fields={"cost": 10.5, "day": "2026-03-01", "parts": ["ink"]})
    three = Story(3).opened(fields={"cost": 100, "day": "2026-03-15", "urgent": True})
    four = Story(4).opened(tags=("vip",), fields={"room": "A 12", "size": 7})
    five = Story(5).opened(fields={"product": "phone", "cost": -3}).fill(1, product="desk")
    reader.feed(one, two, three, four, five, batch=3)
    return reader


BY_FIELD: list[tuple[dict[str, str], set[int]]] = [
    ({"field.cost": "9"}, {1}),
    ({"field.cost": "9..20"}, {1, 2}),
    ({"field.cost": "10.."}, {2, 3}),
    ({"field.cost": "..9.5"}, {1, 5}),
    ({"field.cost": "-3,100"}, {3, 5}),
    ({"field.day": "2026-03-01"}, {2}),
    ({"field.day": "2026-03-01..2026-03-31"}, {2, 3}),
    ({"field.day": "2026-03-02.."}, {3}),
    ({"field.product": "printer"}, {1}),
    ({"field.product": "printer,desk"}, {1, 5}),
    ({"field.product": "phone"}, set()),
    ({"field.parts": "ink"}, {1, 2}),
    ({"field.parts": "drum", "field.cost": "..50"}, {1}),
    ({"field.urgent": "true"}, {3}),
    ({"field.room": "A 12"}, {1, 4}),
    ({"field.room": "A 12", "tag": "vip"}, {4}),
    ({"field.size": "5..8"}, {4}),
    ({"q": "field.product:desk printer"}, {5}),
    ({"q": 'field.room:"A 12"', "field.size": "7"}, {4}),
]


WAYS = {
    "walked": Way(is_gathered=False, sets=0),
    "walked, then given up": Way(is_gathered=False, sets=1, tested_max=1),
    "walked with one set known": Way(is_gathered=False, sets=1, tested_max=1_000, is_known=True),
    "walked to the end with one set known": Way(is_gathered=False, sets=1, is_known=True),
    "walked with one set known, then given up": Way(
        is_gathered=False, sets=1, tested_max=1, is_known=True
    ),
    "gathered by their own": Way(is_gathered=True, sets=0),
    "gathered by the smallest": Way(is_gathered=True, sets=1),
    "gathered by all": Way(is_gathered=True, sets=9),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_field_finds_its_tickets_however_they_are_looked_for(
    filled: Reader, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(effort, "cheapest", lambda *_: WAYS[way])
    for asked, found in BY_FIELD:
        for sort in ("-updated", "field.cost"):
            expected = found & {1, 2, 3, 5} if sort == "field.cost" else found
            assert set(await numbers(filled, **asked, sort=sort, limit=2)) == expected, asked


async def test_tickets_stand_in_the_order_of_a_field(filled: Reader) -> None:
    """Those that have it; equal values in the order in which the tickets came."""
    for sort, order in {
        "field.cost": [5, 1, 2, 3],
        "-field.cost": [3, 2, 1, 5],
        "field.day": [2, 3],
        "-field.product": [1, 5],
        "-field.room": [4, 1],
    }.items():
        for limit in (1, 200):
            assert await numbers(filled, sort=sort, limit=limit) == order, sort


REFUSED: list[tuple[dict[str, str], str]] = [
    ({"field.colour": "red"}, "field.colour"),
    ({"field.cost": "much"}, "field.cost"),
    ({"field.cost": "1..much"}, "field.cost"),
    ({"field.day": "yesterday"}, "field.day"),
    ({"field.day": "2026-02-30..2026-03-01"}, "field.day"),
    ({"field.product": "submarine"}, "field.product"),
    ({"field.urgent": "perhaps"}, "field.urgent"),
    ({"field.": "x"}, "fields"),
    ({"field.x\x00": "x"}, "field.x"),
    ({"fields": "x"}, "fields"),
    ({"sort": "field.colour"}, "sort"),
    ({"sort": "field.parts"}, "sort"),
    ({"sort": "subject"}, "sort"),
    ({"q": "field.product:submarine"}, "field.product"),
]


async def test_what_a_field_cannot_be_is_refused_by_name(filled: Reader) -> None:
    for asked, named in REFUSED:
        answer = await filled.get("/v1/tickets", **asked)
        assert answer.status_code == 422, (asked, answer.text)
        assert named in answer.json()["errors"][0]["field"], asked


@pytest.mark.parametrize("asked", [{"field.cost": "9"}, {"sort": "field.cost"}])
async def test_customers_cannot_ask_by_fields(filled: Reader, asked: dict[str, str]) -> None:
    answer = await filled.get("/v1/tickets", role=Role.CUSTOMER, subject="carl", **asked)
    assert answer.status_code == 403


async def test_a_value_that_is_like_a_command_is_only_a_value(filled: Reader) -> None:
    odd: dict[str, Any] = {"field.room": "50% of '; DROP TABLE facets; --", "q": "100% %s"}
    assert await numbers(filled, **odd) == []


async def test_what_a_ticket_no_longer_has_does_not_find_it(reader: Reader) -> None:
    story = Story(1).opened(tags=("old", "both"), fields={"room": "A", "cost": 1})
    story.tag(1, "both", "new").fill(2, room=None, cost=2)
    reader.feed(story, batch=1)
    found = {
        f"{name}={value}": await numbers(reader, **{name: value})
        for name, value in (("tag", "old"), ("tag", "both"), ("tag", "new"), ("field.cost", "1"), ("field.cost", "2"))
    }  # fmt: skip
    assert found == {
        "tag=old": [], "tag=both": [1], "tag=new": [1], "field.cost=1": [], "field.cost=2": [1],
    }  # fmt: skip
    assert (await reader.get("/v1/tickets", **{"field.room": "A"})).status_code == 422
