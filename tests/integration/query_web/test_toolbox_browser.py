"""The reply box in a real browser: prepared texts, macros, files on their way; the test answers in place of intake."""

import asyncio
import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.integration.query.stories import Story
from tests.integration.query_web.test_browser import (
    Served,
    browser_page,
    pytestmark,
    served,
    signed_in,
)

pytest.importorskip("playwright.async_api", reason="playwright is not installed")

from playwright.async_api import Page, Route, expect

__all__ = ["browser_page", "pytestmark", "served"]

OFFERED = {
    "answers": [
        {
            "name": "h",
            "title": "Hours",
            "shortcut": "hours",
            "text": "9 to <b>17</b>",
            "files": [{"id": "f-1", "name": "hours.pdf"}],
            "missing": [],
        }
    ],
    "macros": [{"name": "refund", "title": "Refund", "description": None}],
}
STEP: dict[str, Any] = {
    "number": 7,
    "version": 1,
    "category": "new",
    "title": "Refund",
    "changes": [{"what": "priority", "before": "normal", "after": "high"}],
}


async def no_articles(route: Route) -> None:
    await route.fulfill(json={"articles": []})


async def test_a_text_is_picked_by_typing_and_a_macro_shows_what_it_does_first(
    served: Served, browser_page: Page
) -> None:
    story = Story(7).opened()
    await served.publish(story)
    asked: list[str] = []

    async def answer(route: Route) -> None:
        address = route.request.url.partition("/v1/tickets/")[2].partition("/")[2]
        asked.append(f"{route.request.method} {address}")
        said: dict[str, Any] = OFFERED if "toolbox" in address else STEP
        if address == "macros/refund":
            said = {**STEP, "step_id": "s-1"}
        await route.fulfill(body=json.dumps(said), content_type="application/json")

    await browser_page.route(re.compile(r"/v1/tickets/[^/]+/(toolbox|macros|steps)"), answer)
    await browser_page.route(re.compile(r"/v1/articles\?"), no_articles)
    complaints = await signed_in(browser_page, served)
    await browser_page.goto(f"{served.address}/tickets/7")
    box = browser_page.locator("#body")
    await box.press_sequentially("Hello,\n/hou")
    await expect(browser_page.locator("#picker [role=option]")).to_have_count(2)
    await box.press("Enter")
    await expect(box).to_have_value("Hello,\n9 to <b>17</b>")
    await expect(browser_page.locator("#attached")).to_contain_text("hours.pdf")
    await expect(browser_page.locator("#attached [name=attachments]")).to_have_value("f-1")
    await box.press_sequentially("\n/ref")
    await expect(browser_page.locator("#picker")).to_be_visible()
    await box.press("ArrowDown")
    await box.press("Enter")
    await expect(browser_page.locator("#macro")).to_contain_text("priority: normal → high")
    assert "POST macros/refund" not in asked
    await browser_page.get_by_role("button", name="Do it").click()
    await browser_page.get_by_role("button", name="Undo").click()
    await expect(browser_page.locator("#macro")).to_contain_text("Undone.")
    assert [one for one in asked if one.startswith("POST")] == [
        "POST macros/refund?dry_run=true",
        "POST macros/refund",
        "POST steps/s-1/undo",
    ]
    assert complaints == []


async def test_many_tickets_are_chosen_by_keys_changed_as_one_job_and_taken_back(
    served: Served, browser_page: Page
) -> None:
    stories = [Story(number).opened() for number in range(1, 5)]
    for story in stories:
        await served.publish(story)
    jobs: list[tuple[str, Any]] = []

    async def answer(route: Route) -> None:
        """A job of two tickets, the second of which refuses; or its undo."""
        address = route.request.url.partition("/v1/bulk")[2]
        if route.request.method == "POST":
            jobs.append((address, route.request.post_data_json))
        job = {"job_id": "j-1", "title": "priority: High", "total": 2, "waiting": 0, "done": 1}
        job |= {"unchanged": 0, "refused": 1}
        item = {"ticket_id": str(stories[1].ticket_id), "number": 2, "reason": "is closed"}
        said = {"job": job, "items": [item]} if route.request.method == "GET" else job
        await route.fulfill(body=json.dumps(said), content_type="application/json")

    page = browser_page
    await page.route(re.compile(r"/v1/bulk"), answer)
    complaints = await signed_in(page, served)
    await page.goto(f"{served.address}/tickets?sort=created&limit=3")
    await expect(page.locator("[data-row]")).to_have_count(3)
    bulk = page.locator("#bulk")
    await expect(bulk).to_be_hidden()
    for key in ("j", "x", "j", "x"):
        await page.keyboard.press(key)
    await expect(page.locator("#bulk-count")).to_have_text("2 tickets chosen")
    await page.locator("#bulk-all").click()
    await expect(page.locator("#bulk-count")).to_have_text("4 tickets chosen, all that match")
    await page.locator("#bulk-none").click()
    await expect(bulk).to_be_hidden()
    await page.locator("[data-pick]").nth(0).check()
    await page.locator("[data-pick]").nth(1).click(modifiers=["Shift"])
    await bulk.locator("[name=what]").select_option("priority")
    await bulk.locator("[data-for=priority] select").select_option("high")
    await bulk.get_by_role("button", name="Change them").click()
    job = page.locator("#bulk-job")
    await expect(job).to_contain_text("priority: High: 1 done, 1 refused.")
    await expect(job).to_contain_text("#2 is closed")
    await expect(bulk).to_be_hidden()
    await job.get_by_role("button", name="Undo").click()
    await expect(job).to_contain_text("taken back")
    ids = [str(story.ticket_id) for story in stories[:2]]
    assert jobs == [
        ("", {"title": "priority: High", "actions": {"priority": "high"}, "ticket_ids": ids}),
        ("/j-1/undo", None),
    ]
    assert complaints == []


async def test_a_list_is_kept_as_a_view_and_shows_the_columns_that_were_chosen(
    served: Served, browser_page: Page
) -> None:
    await served.publish(Story(1).opened(tags=("vip",), fields={"floor": "third"}))
    kept: list[tuple[str, Any]] = []

    async def keep(route: Route) -> None:
        kept.append((route.request.url.partition("/v1/")[2], route.request.post_data_json))
        await route.fulfill(body="{}", content_type="application/json")

    page = browser_page
    await page.route(re.compile(r"/v1/views/"), keep)
    complaints = await signed_in(page, served)
    address = f"{served.address}/tickets?tag=vip&field.floor=third&sort=-field.floor"
    await page.goto(f"{address}&columns=tags,field.floor")
    row = page.locator("[data-row]")
    await expect(row).to_contain_text("third")
    await expect(row).to_contain_text("vip")
    await expect(page.locator("#v-usual-all-open b")).to_have_text("1")
    await page.get_by_role("button", name="Save this list").click()
    await page.fill("#view-form [name=title]", "Vip, third floor")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.locator("#view-dialog")).to_be_hidden()
    assert kept == [
        (
            "views/mine/vip-third-floor",
            {
                "title": "Vip, third floor",
                "filter": {"tag": "vip", "field.floor": "third"},
                "sort": "-field.floor",
                "columns": ["tags", "field.floor"],
            },
        )
    ]
    assert complaints == []


async def test_an_article_goes_into_the_reply_with_its_link_and_the_reply_names_it(
    served: Served, browser_page: Page
) -> None:
    await served.publish(Story(7).opened(subject="Cannot reset my password"))
    asked: list[str] = []
    sent: list[dict[str, Any]] = []
    articles = [
        {"name": "reset", "title": "Reset <b>it</b>", "excerpt": "Open …", "language": "en", "audience": "public"},
        {"name": "vault", "title": "The vault", "excerpt": "Only us", "language": "en", "audience": "internal"},
    ]  # fmt: skip

    async def suggest(route: Route) -> None:
        asked.append(parse_qs(urlsplit(route.request.url).query)["suggest"][0])
        await route.fulfill(json={"articles": articles})

    async def take(route: Route) -> None:
        sent.append(json.loads(route.request.post_data or ""))
        await route.fulfill(json={"number": 7, "version": 1, "category": "answered"}, status=201)

    await browser_page.route(re.compile(r"/v1/articles\?"), suggest)
    await browser_page.route(re.compile(r"/v1/tickets/[^/]+/(replies|notes)$"), take)
    complaints = await signed_in(browser_page, served)
    await browser_page.goto(f"{served.address}/tickets/7")
    panel = browser_page.locator("#suggested")
    await expect(panel.locator("li")).to_have_count(2)
    assert asked == ["Cannot reset my password"]
    await panel.get_by_role("searchbox").fill("vault key")
    await expect(panel.get_by_text("internal")).to_be_visible()
    box = browser_page.locator("#body")
    await box.fill("Dear Carl,")
    await panel.get_by_role("button", name="Insert link: Reset <b>it</b>").click()
    await expect(box).to_have_value(f"Dear Carl,\nReset <b>it</b>: {served.address}/help/reset\n")
    await browser_page.get_by_role("button", name="Send reply").click()
    await expect(box).to_have_value("")
    await box.fill("Without a link.")
    await browser_page.get_by_role("button", name="Send reply").click()
    await expect(box).to_have_value("")
    assert [one.get("sources") for one in sent] == [[{"kind": "article", "name": "reset"}], None]
    await browser_page.goto(f"{served.address}/tickets/new")
    await browser_page.fill("#n-subject", "My password")
    await expect(browser_page.locator("#n-articles a").first).to_have_attribute(
        "href", "/articles/reset"
    )
    assert asked[-1] == "My password"
    assert complaints == []


async def test_an_answer_does_not_leave_before_its_files_are_there(
    served: Served, browser_page: Page
) -> None:
    await served.publish(Story(7).opened())
    stored, sent = asyncio.Event(), list[Any]()

    async def store(route: Route) -> None:
        await stored.wait()
        await route.fulfill(body=json.dumps({"id": "f-1"}), content_type="application/json")

    async def take(route: Route) -> None:
        sent.append(route.request.post_data_json)
        await route.fulfill(body=json.dumps(STEP), content_type="application/json", status=201)

    await browser_page.route("**/v1/attachments?*", store)
    await browser_page.route("**/replies", take)
    await signed_in(browser_page, served)
    await browser_page.goto(f"{served.address}/tickets/7")
    await browser_page.fill("#body", "See the trace.")
    trace: Any = {"name": "trace.txt", "mimeType": "text/plain", "buffer": b"one line"}
    await browser_page.set_input_files("#files", trace)
    await browser_page.press("#body", "Control+Enter")
    await expect(browser_page.locator("#composer > .error")).to_contain_text("still on their way")
    stored.set()
    await expect(browser_page.get_by_label("Leave trace.txt away")).to_be_visible()
    await browser_page.press("#body", "Control+Enter")
    await expect(browser_page.locator("#body")).to_have_value("")
    assert [(one["body"], one["attachments"]) for one in sent] == [("See the trace.", ["f-1"])]


async def test_a_picture_is_sent_and_stands_where_the_cursor_was(
    served: Served, browser_page: Page
) -> None:
    bodies: list[bytes | None] = []

    async def answer(route: Route) -> None:
        bodies.append(route.request.post_data_buffer)
        if len(bodies) == 1:
            await route.fulfill(status=415, json={"title": "No picture", "detail": "This is none."})
        else:
            await route.fulfill(status=201, json={"sha256": "ab" * 32})

    await browser_page.route(re.compile(r"/v1/articles/-/pictures$"), answer)
    await signed_in(browser_page, served)
    await browser_page.goto(f"{served.address}/articles/new")
    text = browser_page.get_by_label("Text, in Markdown")
    await text.fill("Look:  here.")
    for _ in " here.":
        await text.press("ArrowLeft")
    file: Any = {"name": "the [door].png", "mimeType": "image/png", "buffer": b"picture"}
    chooser = browser_page.get_by_label("Add a picture")
    await chooser.set_input_files([file])
    await expect(browser_page.get_by_role("alert")).to_contain_text("the [door].png was not sent")
    await chooser.set_input_files([file])
    await expect(text).to_have_value(f"Look: ![the  door ](picture:{'ab' * 32}) here.")
    await expect(browser_page.get_by_role("alert")).to_be_hidden()
    assert bodies == [b"picture", b"picture"]
