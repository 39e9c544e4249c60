"""Two people at one ticket in two real Chromium windows: each sees what the other does, as it happens."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest
from playwright.async_api import Page, async_playwright, expect

from shared.events.agents import GroupDefined, GroupProfile
from shared.events.base import Actor, ActorKind, Channel
from shared.security import Role
from tests.integration.query.stories import Story
from tests.integration.query_web.test_browser import _SWITCHES, CHROMIUM, Served, at_risk, served

__all__ = ["served"]

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium on this machine (on Debian: the package chromium)"
    ),
]

PATIENCE_MS = 30_000


async def at_ticket(stack: AsyncExitStack, served: Served, who: str, name: str) -> Page:
    """Somebody's own browser, signed in, at ticket 1."""
    playwright = await stack.enter_async_context(async_playwright())
    browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(_SWITCHES))
    stack.push_async_callback(browser.close)
    page = await browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    await page.goto(f"{served.address}/tickets/1")
    await page.fill("#token", served.issuer.issue(who, Role.AGENT, name=name))
    await page.press("#token", "Enter")
    await page.wait_for_url(f"{served.address}/tickets/1")
    return page


def one_writer(group: str) -> GroupDefined:
    now = datetime.now(UTC)
    return GroupDefined(
        version=1,
        occurred_at=now,
        recorded_at=now,
        actor=Actor(kind=ActorKind.AGENT, id="boss"),
        via=Channel.API,
        correlation_id="set-up",
        group_id=group,
        profile=GroupProfile(name="Desk", one_writer=True),
    )


async def test_each_sees_that_the_other_looks_and_writes(served: Served) -> None:
    await served.publish(at_risk(1, "Two at once", minutes_left=20))
    async with AsyncExitStack() as stack:
        ben = await at_ticket(stack, served, "ben", "Ben Ode")
        await expect(ben.locator("#attention")).to_be_hidden()
        mia = await at_ticket(stack, served, "mia", "Mia Berg")
        await expect(ben.locator("#attention")).to_have_text(
            "Mia Berg is viewing", timeout=PATIENCE_MS
        )
        await expect(mia.locator("#attention")).to_have_text("Ben Ode is viewing")
        await mia.locator("#body").press_sequentially("Dear customer")
        await expect(ben.locator("#attention")).to_have_text("Mia Berg is typing")
        await expect(ben.locator("[data-send]")).to_be_enabled()
        await mia.goto("about:blank")
        await expect(ben.locator("#attention")).to_be_hidden(timeout=PATIENCE_MS)


async def test_where_one_writes_at_a_time_the_other_may_insist(served: Served) -> None:
    story: Story = at_risk(1, "One pen", minutes_left=20)
    story.events.append(one_writer("desk"))
    await served.publish(story)
    async with AsyncExitStack() as stack:
        mia = await at_ticket(stack, served, "mia", "Mia Berg")
        ben = await at_ticket(stack, served, "ben", "Ben Ode")
        await mia.locator("#body").press_sequentially("Dear")
        line = ben.locator("#attention")
        await expect(line).to_contain_text(
            "Mia Berg is writing the answer; this group answers one at a time.",
            timeout=PATIENCE_MS,
        )
        await expect(ben.locator("[data-send]")).to_be_disabled()
        await line.locator("button").click()
        await expect(ben.locator("[data-send]")).to_be_enabled()
        await expect(mia.locator("[data-send]")).to_be_disabled()


async def test_what_was_read_when_the_writing_began_goes_with_the_answer(served: Served) -> None:
    await served.publish(at_risk(1, "Crossing", minutes_left=20))
    async with AsyncExitStack() as stack:
        ben = await at_ticket(stack, served, "ben", "Ben Ode")
        words = "Mia answered ticket 1 on 02 March 2026 at 10:31 UTC, after what you have read (version 1)."
        sent: list[dict[str, object]] = []

        async def crossed(route) -> None:
            sent.append(route.request.post_data_json)
            problem = {"code": "answer_crossed", "title": "x", "detail": words, "errors": []}
            await route.fulfill(status=412, json=problem)

        await ben.route("**/v1/tickets/*/replies", crossed)
        await ben.locator("#body").press_sequentially("Hello")
        await ben.locator("[data-send]").click()
        await expect(ben.locator("#composer .error")).to_have_text(words)
        assert sent == [{"seen_version": 1, "body": "Hello"}]
        await expect(ben.locator("#body")).to_have_value("Hello")
