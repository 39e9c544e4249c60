"""Every page for staff holds WCAG 2.2 AA as far as axe-core can tell, light and dark, on a desk, tablet and phone."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Browser, Page, async_playwright

from shared.events import StatusCategory
from shared.events.agents import AgentDefined, AgentProfile, GroupDefined, GroupProfile
from shared.events.configuration import ConfigurationDefined
from shared.events.tickets import ParticipantAdded, Person, TaskAdded, TicketLinked
from shared.identifiers import new_id
from shared.security import Role
from tests.integration.query.stories import Story
from tests.integration.query_web import test_browser
from tests.integration.query_web.test_browser import CHROMIUM, Served, at_risk
from tests.support.events import ANNA, stamp

AXE = Path(__file__).parents[3] / "deploy" / "web" / "node_modules" / "axe-core" / "axe.min.js"
pytestmark = [
    *test_browser.pytestmark,
    pytest.mark.skipif(
        not AXE.exists(), reason="axe-core is not there: python -m deploy.web.vendor fetches it"
    ),
]
served = test_browser.served

PAGES = (
    "/",
    "/desk",
    "/tickets",
    "/tickets/7",
    "/tickets/7/past",
    "/tickets/new",
    "/tasks",
    "/agents",
    "/groups",
    "/groups/desk",
    "/contacts",
    "/promises",
    "/oncall",
    "/articles",
    "/articles/new",
    "/audit",
    "/reports",
    "/api",
    "/tickets/404",
    "/logout",
)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SUGGESTED = {
    "name": "reset",
    "title": "Reset it",
    "audience": "public",
    "language": "en",
    "excerpt": "",
}
UNFOLD = "document.querySelectorAll('main details').forEach(each => { each.open = true; })"
LOOK = """rules => axe.run(document, {runOnly: rules}).then(found => found.violations.map(
    each => `${each.id}: ${each.nodes.slice(0, 3).map(node => node.html.slice(0, 120)).join(' | ')}`))"""


async def the_desk(served: Served) -> None:
    """A group, an agent, a conversation with a note, a promise at risk."""
    talked = Story(7).opened(subject="Printer on floor 3", tags=("hardware",))
    talked.give_group(0, "desk", "rule").assign(0.1, "anna").promise(0, "resolution", 8)
    talked.note(1, "internal").answer(2, "Use water.").move(3, StatusCategory.PENDING)
    talked.tell(TaskAdded, 3, task_id=new_id(), title="Order toner", checklist="Later")
    dora = Person("mailto:dora@example.org", "Dora", "dora@example.org")
    talked.tell(ParticipantAdded, 3, person=dora, role="cc", is_trusted=False)
    other = {"other_ticket_id": new_id(), "other_number": 8, "relation": "child"}
    talked.tell(TicketLinked, 3, **other)
    await served.publish(talked)
    await served.publish(at_risk(8, "Waits", minutes_left=9))
    field = {"label": "Model", "type": "choices", "options": ["small", "big"]}
    people = Story(9)
    now = datetime.now(UTC)
    people.events[:] = [
        ConfigurationDefined(**stamp(1, now, ANNA), kind="field", name="model", definition=field),
        GroupDefined(**stamp(1, now, ANNA), group_id="desk", profile=GroupProfile(name="Desk")),
        AgentDefined(
            **stamp(1, now, ANNA),
            agent_id="anna",
            profile=AgentProfile(name="Anna Berg", groups=("desk",), capacity=5.0),
        ),
    ]
    await served.publish(people)


async def signed_in(browser: Browser, served: Served, **looks: Any) -> Page:
    context = await browser.new_context(**looks)
    page = await context.new_page()
    page.set_default_timeout(20_000)
    await page.goto(f"{served.address}/login")
    await page.fill("#token", served.issuer.issue("anna", Role.ADMIN, name="Anna Berg"))
    await page.press("#token", "Enter")
    await page.wait_for_url(f"{served.address}/")
    return page


@pytest.mark.parametrize(
    ("width", "scheme"), [(1440, "light"), (820, "dark"), (390, "light")], ids=str
)
async def test_pages_hold_aa_and_never_scroll_sideways(
    served: Served, width: int, scheme: Literal["light", "dark"]
) -> None:
    await the_desk(served)
    faults: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(test_browser._SWITCHES)
        )
        viewport = {"width": width, "height": 900}
        page = await signed_in(browser, served, viewport=viewport, color_scheme=scheme)
        await page.wait_for_selector("[data-row]")
        # In place of intake: what may answer the ticket stands beside it.
        await page.route(
            "**/v1/articles?**", lambda route: route.fulfill(json={"articles": [SUGGESTED]})
        )
        for path in PAGES:
            await page.goto(served.address + path)
            if path == "/tickets/7":
                await page.get_by_role("button", name="Insert link").wait_for()
            await page.evaluate(UNFOLD)
            await page.evaluate(AXE.read_text(encoding="utf-8"))
            faults += [f"{path} {fault}" for fault in await page.evaluate(LOOK, RULES)]
            root = "document.documentElement"
            over = await page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")
            faults += [f"{path} is {over} px too wide"] if over > 0 else []
        await browser.close()
    assert faults == []
