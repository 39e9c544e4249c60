"""Saved views: who is shown which, in which order, with how many tickets; and ids for what is done to all of them."""

from collections.abc import Iterable
from typing import Any

import pytest

from services.query import view_counts
from services.query.views import counting
from services.query.views.counting import Counted, count_tickets
from services.query.views.list_filter import TicketFilter
from services.query.views.scope import Scope
from shared.events.agents import AgentDefined, AgentProfile
from shared.events.configuration import ConfigurationDefined
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story
from tests.support.database import Database
from tests.support.events import ANNA, stamp

pytestmark = pytest.mark.integration


def view(name: str, **told: Any) -> ConfigurationDefined:
    return ConfigurationDefined(
        **stamp(1, actor=ANNA), kind="view", name=name, definition={"title": name.title(), **told}
    )


@pytest.fixture
def desk(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> Reader:
    monkeypatch.setattr(view_counts, "KEPT_SECONDS", 0.0)
    profile = AgentProfile(name="Anna", groups=("desk", "network"), capacity=5.0)
    reader.feed_events([AgentDefined(**stamp(1, actor=ANNA), agent_id="anna", profile=profile)])
    one = Story(1).opened(tags=("vip",)).give_group(0, "desk", "rule").assign(1, "anna")
    two = Story(2).opened(tags=("vip",)).give_group(0, "network", "rule")
    three = Story(3).opened().give_group(0, "billing", "rule")
    reader.feed(one, two, three, Story(4).opened().solve(1))
    return reader


async def shown(reader: Reader, **who: Any) -> dict[str, Any]:
    views = (await reader.read("/v1/views", **who))["views"]
    return {one["title"]: one.get("count", one.get("problem")) for one in views}


async def test_the_usual_views_are_about_whoever_looks(desk: Reader) -> None:
    found = await shown(desk)
    assert found == {
        "My open": 1, "Unassigned in my groups": 1, "Due within 1 h": 0, "At risk": 0, "Breached": 0,
        "Waiting for customer": 0, "All unassigned": 2, "All open": 3, "Everything": 4,
    }  # fmt: skip
    others = await shown(desk, subject="ben")
    assert (others["My open"], others["Unassigned in my groups"]) == (0, 0)
    customer = await desk.get("/v1/views", role=Role.CUSTOMER, subject="carl")
    assert customer.status_code == 403


async def test_a_view_is_shown_to_those_it_is_for_in_the_order_of_its_place(desk: Reader) -> None:
    desk.feed_events(
        [
            view("last", filter={"tag": "vip"}, place=9),
            view("first", filter={"tag": "vip", "group": "mine,billing"}, place=1),
            view("network", filter={}, groups=["network", "x"], place=2),
            view("billing", filter={}, groups=["billing"]),
            view("leads", filter={}, roles=["supervisor"]),
            view("anna/own", filter={"q": "is:open tag:vip"}, owner="anna"),
            view("ben/own", filter={}, owner="ben"),
            view("gone", filter={"field.colour": "red"}, place=3),
            view("odd", filter={"status": "sideways"}, place=4),
        ]
    )
    found = list((await shown(desk)).items())[9:]
    assert found[:2] == [("First", 2), ("Network", 4)]
    assert [title for title, _ in found] == ["First", "Network", "Gone", "Odd", "Last", "Anna/Own"]
    assert dict(found)["Anna/Own"] == 2
    assert "colour" in dict(found)["Gone"]
    assert "status" in dict(found)["Odd"]
    leads = await shown(desk, role=Role.SUPERVISOR, subject="lea")
    assert {"Leads", "First", "Last"} <= leads.keys()
    assert not {"Network", "Billing", "Anna/Own"} & leads.keys()


async def test_a_count_ends_where_nobody_needs_it_and_is_kept_for_a_while(
    desk: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_counts, "COUNTED_MAX", 2)
    monkeypatch.setattr(view_counts, "KEPT_SECONDS", 60.0)

    # A filter of its own: the service, and what it keeps, is shared with other tests.
    desk.feed_events([view("kept", filter={"q": "printer -flood"})])

    async def kept() -> dict[str, Any]:
        views = (await desk.read("/v1/views"))["views"]
        return next(one for one in views if one["name"] == "kept")

    first = await kept()
    assert (first["count"], first["is_more"]) == (2, True)
    desk.feed(Story(5).opened())
    assert (await kept())["counted_at"] == first["counted_at"]


async def test_a_view_that_takes_long_is_counted_in_the_background(
    desk: Reader, monkeypatch: pytest.MonkeyPatch, own_database: Database
) -> None:
    parts = desk.service.api.state.parts
    monkeypatch.setattr(view_counts, "PROMPT_SECONDS", 0.1)
    monkeypatch.setattr(view_counts, "_KEPT_TIMES", 0)
    desk.feed_events([view("long", filter={"q": "printer or flood"})])

    async def long() -> tuple[int, bool, bool]:
        views = (await desk.read("/v1/views"))["views"]
        found = next(one for one in views if one["name"] == "long")
        return found["count"], found["is_more"], found["is_pending"]

    with own_database.rule("query") as holder, holder.transaction():
        holder.execute("LOCK TABLE query.search_documents")
        assert await long() == (0, True, True)
        assert await long() == (0, True, True)  # and it is not begun a second time
    await parts.view_counts.count_next(parts.pool)
    assert await long() == (4, False, False)
    desk.feed(Story(5).opened())
    assert await long() == (4, False, False)  # as it was, until it is counted anew behind the page
    await parts.view_counts.count_next(parts.pool)
    assert await long() == (5, False, False)


async def test_a_count_that_is_ended_by_the_time_says_how_far_it_came(
    desk: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = await desk.store.pool()
    monkeypatch.setattr(counting, "_STEP", 2)

    async def counted(seconds: Iterable[float]) -> Counted:
        clock = iter(seconds)
        monkeypatch.setattr(counting, "monotonic", lambda: next(clock))
        return await count_tickets(pool, TicketFilter(), Scope(), at_most=10, seconds_max=5.0)

    assert await counted((0.0, 1.0, 2.0)) == Counted(4, is_whole=True)
    assert await counted((0.0, 6.0)) == Counted(2, is_whole=False)


async def test_the_ids_are_those_of_the_list_in_its_order(desk: Reader) -> None:
    for asked in (
        {"sort": "created"},
        {"sort": "due"},
        {"sort": "-due"},
        {"tag": "vip", "sort": "-created"},
        {"q": "printer"},
    ):
        listed = await desk.read("/v1/tickets", **asked)
        ids = await desk.read("/v1/tickets/ids", **asked)
        assert ids["ticket_ids"] == [one["ticket_id"] for one in listed["tickets"]]
        assert ids["is_more"] is False
    refused = await desk.get("/v1/tickets/ids", role=Role.CUSTOMER, subject="carl")
    assert refused.status_code == 403
