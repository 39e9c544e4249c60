"""Every page for staff holds WCAG 2.2 AA as far as axe-core can tell, light and dark, on a desk, tablet and phone."""

from datetime import UTC, datetime, time
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright

from services.query.parts import Parts
from services.query.subscriptions import Subscription, put
from services.query.web import pages
from services.query.web.entrance import PageRoute
from shared.events import StatusCategory
from shared.events.agents import AgentDefined, AgentProfile, GroupDefined, GroupProfile
from shared.events.configuration import ConfigurationDefined
from shared.events.contacts import Contact, ContactDefined
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

CONTACT = new_id()
TOKEN = "token-of-one-who-is-mailed"
PAGES = {
    "/": "/",
    "/desk": "/desk",
    "/tickets": "/tickets",
    "/tickets/{reference}": "/tickets/7",
    "/tickets/{reference}/past": "/tickets/7/past",
    "/tickets/new": "/tickets/new",
    "/tasks": "/tasks",
    "/agents": "/agents",
    "/groups": "/groups",
    "/groups/{group_id}": "/groups/desk",
    "/contacts": "/contacts",
    "/contacts/{contact_id}": f"/contacts/{CONTACT}",
    "/promises": "/promises",
    "/oncall": "/oncall",
    "/articles": "/articles",
    "/articles/new": "/articles/new",
    "/articles/{name}": "/articles/reset",
    "/audit": "/audit",
    "/reports": "/reports",
    "/reports/{name}": "/reports/volume?by=priority",
    "/reports/unsubscribe": f"/reports/unsubscribe?token={TOKEN}",
    "/api": "/api",
    "/login": "/login",
    "/logout": "/logout",
}
"""Address of a route → the page of it that is looked at."""

PARTS = {"/tickets/views", "/tickets/{reference}/parts"}
"""No pages: what pages ask for in order to show it."""

REFUSED = "/tickets/404"
WIDTHS = (1440, 820, 390)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
COLOURS = ["color-contrast", "link-in-text-block"]
"""All that a scheme changes."""

SUGGESTED = {
    "name": "reset",
    "title": "Reset it",
    "audience": "public",
    "language": "en",
    "excerpt": "",
}
UNFOLD = "document.querySelectorAll('main details').forEach(each => { each.open = true; })"
SETTLED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
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
    carl = Contact(name="Carl", emails=("carl@example.org",), phones=("+4930123456",))
    await served.publish(ContactDefined(**stamp(1, now, ANNA), contact_id=CONTACT, contact=carl))
    article = {
        "title": "Reset it",
        "body": "Press **reset**, then [wait](https://a.example/).",
        "tags": ["printer"],
    }
    await served.publish(
        ConfigurationDefined(
            **stamp(1, now, ANNA), kind="article", name="reset", definition=article
        )
    )


async def signed_in(browser: Browser, served: Served) -> Page:
    page = await browser.new_page()
    page.set_default_timeout(20_000)
    await page.goto(f"{served.address}/login")
    await page.fill("#token", served.issuer.issue("anna", Role.ADMIN, name="Anna Berg"))
    await page.press("#token", "Enter")
    await page.wait_for_url(f"{served.address}/")
    return page


async def mailed_reports(served: Served) -> None:
    """Somebody is mailed a report, and has a way to end that."""
    wanted = Subscription(
        report="volume", period="day", time_zone="UTC", at=time(7), recipients=("carl@example.org",)
    )
    parts: Parts = served.service.api.state.parts
    by = {"actor": ANNA, "via": "web", "correlation_id": "", "recorded_at": datetime.now(UTC)}
    await put(await parts.pool(), "volume", wanted, by=by)
    with served.database.rule("query") as connection:
        connection.execute("UPDATE query.report_recipients SET token = %s", [TOKEN])


def test_every_page_is_looked_at() -> None:
    routes = [route for room in pages.ROOMS for route in room.router.routes]
    shown = {each.path for each in routes if isinstance(each, PageRoute) and "GET" in each.methods}
    assert shown == PAGES.keys() | PARTS


async def test_pages_hold_aa_and_never_scroll_sideways(served: Served) -> None:
    """Each page is opened once and seen at every width, in both schemes."""
    await the_desk(served)
    faults: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(test_browser._SWITCHES)
        )
        page = await signed_in(browser, served)
        await mailed_reports(served)
        await page.wait_for_selector("[data-row]")
        # In place of intake: what may answer the ticket stands beside it.
        await page.route(
            "**/v1/articles?**", lambda route: route.fulfill(json={"articles": [SUGGESTED]})
        )
        for address in (*PAGES.values(), REFUSED):
            answer = await page.goto(served.address + address)
            assert answer is not None
            assert answer.status == (404 if address == REFUSED else 200), address
            if address == "/tickets/7":
                await page.get_by_role("button", name="Insert link").wait_for()
            await page.evaluate(UNFOLD)
            await page.evaluate(AXE.read_text(encoding="utf-8"))
            for width in WIDTHS:
                await page.set_viewport_size({"width": width, "height": 900})
                faults += [f"{address} {width} {each}" for each in await seen(page)]
        await browser.close()
    assert faults == []


async def seen(page: Page) -> list[str]:
    """What is wrong with the page as wide as it is."""
    await page.emulate_media(color_scheme="light")
    await page.evaluate(SETTLED)
    faults = [f"light {each}" for each in await page.evaluate(LOOK, RULES)]
    await page.emulate_media(color_scheme="dark")
    await page.evaluate(SETTLED)
    faults += [f"dark {each}" for each in await page.evaluate(LOOK, COLOURS)]
    root = "document.documentElement"
    over = await page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")
    return [*faults, f"is {over} px too wide"] if over > 0 else faults
