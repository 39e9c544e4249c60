"""Prepared texts and macros in the reply box, in a real browser; the test answers in place of intake."""

import json
import re
from typing import Any

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
    complaints = await signed_in(browser_page, served)
    await browser_page.goto(f"{served.address}/tickets/7")
    box = browser_page.locator("#body")
    await box.press_sequentially("Hello,\n/hou")
    await expect(browser_page.locator("#picker [role=option]")).to_have_count(2)
    await box.press("Enter")
    await expect(box).to_have_value("Hello,\n9 to <b>17</b>")
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
