"""The slider over a ticket's past, in a real Chromium with and without scripts."""

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import Page, expect

from shared.events import Priority, StatusCategory
from shared.events.tickets import MessageSent, MessagesSplit, SplitUndone
from shared.identifiers import new_id
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story
from tests.integration.query_web.test_browser import (
    Served,
    browser_page,
    pytestmark,
    served,
    signed_in,
)
from tests.integration.query_web.test_toolbox_browser import no_articles
from tests.support.waiting import eventually

__all__ = ["browser_page", "pytestmark", "served"]


def a_life() -> Story:
    opened = Story(7).opened(subject="Printer", fields={"u_priority_confirmation": False})
    story = opened.prioritise(1, Priority.URGENT).note(2, "look at it")
    return story.move(3, StatusCategory.PENDING).solve(4)


async def is_shown(served: Served) -> bool:
    import httpx2

    token = served.issuer.issue("anna", Role.AGENT)
    async with httpx2.AsyncClient(base_url=served.address) as http:
        answer = await http.get("/v1/tickets/7", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code == 200 and answer.json()["ticket"]["status"] == "solved"


async def test_the_slider_steps_through_the_past(served: Served, browser_page: Page):
    page = browser_page
    await served.publish(a_life())
    await eventually(lambda: is_shown(served), what="the ticket is projected")
    await page.route(re.compile(r"/v1/articles\?"), no_articles)
    complaints = await signed_in(page, served, "/tickets/7")
    await page.click("#past")
    await expect(page.locator("h1")).to_contain_text("Printer")
    then = page.locator("section:has(#h-then)")
    await expect(then).to_contain_text("Normal")
    # The name of an imported field is one long word; its value stands beside it, not on it.
    names = then.locator("dt")
    await expect(names.filter(has_text="u_priority_confirmation")).to_be_visible()
    wide = "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.textContent)"
    assert await names.evaluate_all(wide) == []
    slider = page.locator("#p-slider")
    await expect(slider).to_be_visible()  # its script shows it
    await slider.focus()
    await page.keyboard.press("ArrowRight")
    await expect(then).to_contain_text("Urgent")
    await expect(page.locator("#p-what")).to_contain_text("changed the priority")
    await expect(page.locator(".message.note")).to_have_count(0)
    await expect(slider).to_be_focused()
    await page.keyboard.press("ArrowRight")
    await expect(page.locator(".message.note")).to_contain_text("look at it")
    await page.keyboard.press("End")
    await expect(then).to_contain_text("Solved")
    assert "as_of=2026-03-02T16" in page.url
    await page.keyboard.press("Home")
    await expect(page.locator("[aria-current=step]")).to_contain_text("opened ticket")
    await page.reload()
    await expect(then).to_contain_text("New")
    assert complaints == []


async def test_without_scripts_the_links_do_the_same(served: Served, browser_page: Page):
    await served.publish(a_life())
    await eventually(lambda: is_shown(served), what="the ticket is projected")
    browser = browser_page.context.browser
    assert browser is not None
    context = await browser.new_context(java_script_enabled=False)
    token = served.issuer.issue("anna", Role.AGENT)
    await context.set_extra_http_headers({"Authorization": f"Bearer {token}"})
    page = await context.new_page()
    await page.goto(f"{served.address}/tickets/7/past")
    await expect(page.locator("#p-slider")).to_be_hidden()
    await page.click("#p-after")
    await expect(page.locator("section:has(#h-then)")).to_contain_text("Urgent")
    await page.click("#p-before")
    await expect(page.locator("section:has(#h-then)")).to_contain_text("Normal")
    await page.click("[data-step='5']")
    await expect(page.locator("section:has(#h-then)")).to_contain_text("Solved")
    await context.close()


async def test_only_staff_and_only_what_was(reader: Reader):
    reader.feed(a_life())
    assert (await reader.get("/tickets/7/past", role=Role.CUSTOMER)).status_code == 403
    assert (await reader.get("/tickets/7/past", as_of="2020-01-01T00:00:00Z")).status_code == 404
    assert (await reader.get("/tickets/7/past", as_of="x")).status_code == 422
    assert (await reader.get("/tickets/99/past")).status_code == 404


async def test_what_people_typed_stays_text_in_the_past(reader: Reader):
    evil = "<script>alert(1)</script>"
    reader.feed(Story(8).opened(subject=evil, body=evil, tags=(evil,)).note(1, evil))
    html = (await reader.get("/tickets/8/past")).text
    assert evil not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize("hours", [0, 2, 9])
async def test_any_instant_between_steps_is_shown(reader: Reader, hours: int):
    story = a_life()
    reader.feed(story)
    when = f"2026-03-02T{12 + hours:02}:30:00Z"
    html = (await reader.get("/tickets/7/past", as_of=when)).text
    assert f"step {min(hours, 4) + 1} of 5" in html


async def test_clocks_and_reasons_are_those_of_the_instant(reader: Reader):
    story = Story(9).opened(fields={"cost": 5}).promise(0, "first_reply", 2)
    story.assign(1, "anna").pause(1, "first_reply", 2).miss("resolution", 4)
    reader.feed(story)

    async def shown(hours: float, section: str) -> str:
        when = (story.start + timedelta(hours=hours)).isoformat()
        html = (await reader.get("/tickets/9/past", as_of=when)).text
        return html.partition(f'<h2 id="{section}">')[2].partition("</section>")[0]

    early, paused = await shown(0.5, "h-promises"), await shown(1.5, "h-promises")
    assert "1:30:00" in early  # what was left of two hours
    assert "data-due" not in early  # and nothing that goes on counting
    assert "paused with 1 h" in paused
    assert "Resolution" not in paused
    assert "breached, still running" in await shown(5, "h-promises")
    assert "has not said anything" in await shown(0.5, "h-why")
    assert "anna has the least to do" in await shown(1.5, "h-why")


async def test_messages_are_shown_with_what_had_become_of_them(reader: Reader):
    story = Story(9).opened().answer(1, leaves_by="email")
    opening, answer = (event.message_id for event in story.events)  # type: ignore[attr-defined]
    sent = {"kind": "reply", "sent_by": "email", "recipients": ("carl@example.org",)}
    story.tell(MessageSent, 2, message_id=answer, **sent)
    other = {"into_ticket_id": new_id(), "into_number": 12, "message_ids": (opening,)}
    story.tell(MessagesSplit, 3, **other)
    story.tell(SplitUndone, 5, **other)
    reader.feed(story)

    async def at(hours: float) -> list[tuple[Any, Any]]:
        when = (story.start + timedelta(hours=hours)).isoformat()
        ticket = (await reader.read("/v1/tickets/9", as_of=when))["ticket"]
        assert ticket["messages_total"] == len(ticket["messages"])
        return [
            (each["delivery"] and each["delivery"]["state"], each["split_into"])
            for each in ticket["messages"]
        ]

    assert await at(0) == [(None, None)]
    assert await at(1) == [(None, None), ("waiting", None)]
    assert await at(2) == [(None, None), ("sent", None)]
    assert await at(3) == [(None, 12), ("sent", None)]
    assert await at(5) == [(None, None), ("sent", None)]


async def test_the_list_page_shows_the_list_of_the_instant(reader: Reader):
    one = Story(1).opened(subject="Printer").promise(0, "resolution", 8).assign(1, "anna").solve(3)
    two = Story(2).opened(subject="Scanner").prioritise(2, Priority.URGENT)
    reader.feed(one, two)
    when = (one.start + timedelta(hours=2.5)).isoformat()
    html = (await reader.get("/tickets", as_of=when, is_open=True, sort="-priority", limit=1)).text
    assert "As it was" in html
    assert "</b>: 2 tickets</span>" in html
    assert "Scanner" in html
    assert "/tickets/2/past?as_of=2026-03-02T14:30:00Z" in html
    assert "data-due" not in html
    assert "data-pick" not in html
    following = html.partition('id="page-next"')[2].partition('href="')[2].partition('"')[0]
    rest = (await reader.get(following.replace("&amp;", "&"))).text
    assert "Printer" in rest
    assert "anna" in rest
    now = (await reader.get("/tickets", is_open=True)).text
    assert "Printer" not in now
    assert "As it was" not in now
    refused = await reader.get("/tickets", as_of="2999-01-01T00:00:00Z")
    assert refused.status_code == 422
    assert (await reader.get("/tickets", role=Role.CUSTOMER, as_of=when)).status_code == 403
