"""The wall in a real Chromium, fed through the real Kafka: it counts, and a ticket appears by itself."""

import json
import re
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from playwright.async_api import Page, Request, Route, async_playwright, expect

from shared.security import Role
from shared.security.issuer import LocalIssuer
from tests.integration.query.served import Served, served_query
from tests.integration.query.stories import Story
from tests.support.servers import Servers
from tests.support.waiting import eventually

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium on this machine (on Debian: the package chromium)"
    ),
]

expect.set_options(timeout=20_000)  # the library's own five seconds are few on a busy machine

_SWITCHES = (
    "--no-sandbox",  # containers lack the kernel features; the pages are our own
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture
async def served(servers: Servers, issuer: LocalIssuer) -> AsyncIterator[Served]:
    async with served_query(servers, issuer) as running:
        yield running


@pytest.fixture
async def browser_page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(_SWITCHES))
        page = await browser.new_page()
        page.set_default_timeout(20_000)
        yield page
        await browser.close()


async def signed_in(page: Page, served: Served, after: str = "/") -> list[str]:
    """Sign in as people do; returns what the browser complains about, as it happens."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    await page.goto(f"{served.address}{after}")
    assert "/login" in page.url
    await page.fill("#token", served.issuer.issue("anna", Role.AGENT, name="Anna Berg"))
    await page.press("#token", "Enter")
    await page.wait_for_url(f"{served.address}{after}")
    return complaints


def at_risk(number: int, subject: str, *, minutes_left: int) -> Story:
    """A ticket whose first reply is due soon, in the time of this very moment."""
    opened_at = datetime.now(UTC) - timedelta(minutes=60 - minutes_left)
    story = Story(number, at=opened_at).opened(subject=subject).give_group(0, "desk", "rule")
    return story.promise(0, "first_reply", 1).warn(0.5, "first_reply", 1)


async def test_the_wall_counts_down_and_shows_a_new_ticket_by_itself(
    served: Served, browser_page: Page
) -> None:
    page = browser_page
    await served.publish(at_risk(1, "The first one", minutes_left=20))
    complaints = await signed_in(page, served)

    due = page.locator("tr:has-text('The first one') time[data-due]")
    await expect(due).to_contain_text("19:")
    before = await due.text_content()
    # Looked up anew each time: the part replaces itself when the stream opens.
    await page.wait_for_function(
        "before => document.querySelector('[data-row] time[data-due]').textContent !== before",
        arg=before,
    )

    await page.evaluate("() => { window.isStillTheSamePage = true; }")
    await expect(page.locator("text=Appears by itself")).to_have_count(0)
    await served.publish(at_risk(2, "Appears <b>by itself</b>", minutes_left=10))
    await expect(page.locator("tr:has-text('Appears <b>by itself</b>')")).to_be_visible()
    await expect(page.locator("#fig-open b")).to_have_text("2")
    assert await page.evaluate("() => window.isStillTheSamePage") is True
    await expect(page.locator("#fresh")).to_contain_text("s behind")
    assert complaints == []


async def test_a_wall_without_its_server_says_that_it_is_old(
    served: Served, browser_page: Page
) -> None:
    page = browser_page
    await page.clock.install()
    await signed_in(page, served)
    await expect(page.locator("#banner")).to_be_hidden()
    await page.route("**/board/stream*", lambda route: route.abort())
    await page.reload()
    await expect(page.locator("#fresh")).to_contain_text(re.compile("measuring|as of"))
    await page.clock.run_for(20_000)
    await expect(page.locator("#banner")).to_contain_text("Not live")
    await expect(page.locator("body")).to_have_class("wall stale")


async def test_a_stream_that_dies_without_a_word_is_opened_again(
    served: Served, browser_page: Page
) -> None:
    """As after a night's sleep of the machine: the connection neither speaks nor ends."""
    page, opened = browser_page, []
    await page.clock.install()
    await signed_in(page, served)

    async def never_answer(route: Route) -> None:
        opened.append(route)
        if len(opened) > 1:
            await route.continue_()

    await page.route("**/board/stream*", never_answer)
    await page.reload()
    await page.clock.run_for(11_000)
    assert len(opened) == 1
    await page.clock.run_for(4_000)
    await expect(page.locator("#banner")).to_be_hidden()
    assert len(opened) == 2


async def test_a_list_that_cannot_be_brought_up_to_date_says_how_old_it_is(
    served: Served, browser_page: Page
) -> None:
    """The stream goes on and is fresh: the age is that of what is shown, not of what could be."""
    page = browser_page
    await served.publish(at_risk(1, "The first one", minutes_left=20))
    await signed_in(page, served, "/tickets")
    await expect(page.locator("tr:has-text('The first one')")).to_be_visible()
    refused = {"status": 503, "json": {"detail": "not now"}}
    await page.route("**/tickets", lambda route: route.fulfill(**refused))
    await served.publish(at_risk(2, "The second one", minutes_left=20))
    banner = page.locator("#banner")
    await expect(banner).to_contain_text("newer was asked for and did not come")
    await expect(page.locator("body")).to_have_class("listing stale")
    await page.unroute("**/tickets")
    await expect(page.locator("tr:has-text('The second one')")).to_be_visible()
    await expect(banner).to_be_hidden()


async def test_a_list_on_a_slow_machine_says_its_age_and_is_loud_only_when_nothing_comes(
    served: Served, browser_page: Page
) -> None:
    """Events are seven seconds late and the answer takes as long: old, but as it should be, and said."""
    page, words, asked = browser_page, list[Route](), list[Route]()

    async def speak(route: Route) -> None:
        words.append(route)
        late = told(as_of="2026-03-02T12:00:00Z", seconds=7.0, position=1_000_000 + len(words))
        await route.fulfill(content_type="text/event-stream", body=f"retry: 50\n{late}")

    async def answer_once(route: Route) -> None:
        asked.append(route)
        if len(asked) <= 2:  # the page, and the list once
            await route.continue_()

    async def next_word() -> None:
        count = len(words)
        await eventually(lambda: len(words) > count)

    async def pass_seconds(count: int) -> None:
        for _ in range(count):
            await page.clock.run_for(1_000)
            await next_word()

    await page.clock.install()
    await served.publish(at_risk(1, "The first one", minutes_left=20))
    await signed_in(page, served, "/tickets")
    await page.route("**/board/stream*", speak)
    await page.route("**/tickets", answer_once)
    await page.clock.pause_at(datetime.now(UTC) + timedelta(minutes=1))
    await page.reload()
    await next_word()
    await pass_seconds(9)
    assert len(asked) == 3
    await expect(page.locator("#fresh")).to_contain_text(re.compile(r"1\d s behind"))
    await expect(page.locator("#banner")).to_be_hidden()
    await pass_seconds(4)
    await expect(page.locator("#banner")).to_contain_text("newer was asked for and did not come")


async def test_a_page_that_does_not_follow_says_its_age_and_offers_what_is_newer(
    served: Served, browser_page: Page
) -> None:
    page = browser_page
    await served.publish(at_risk(1, "The first one", minutes_left=20))
    await signed_in(page, served)
    await expect(page.locator("#fig-open b")).to_have_text("1")
    await page.goto(f"{served.address}/reports/volume?by=priority")
    row, newer = page.locator("tbody tr td").first, page.locator("#fresh-reload")
    await expect(row).to_have_text("1")
    await expect(page.locator("#fresh")).to_contain_text(" ago")

    # Opened when all was projected, and the stream has spoken: it shows what there is.
    await page.reload()
    await page.wait_for_selector("#fresh:not(.unknown)")
    computed = served.service.api.state.live.computed_count
    await eventually(lambda: served.service.api.state.live.computed_count > computed + 1)
    await expect(newer).to_be_hidden()
    await served.publish(at_risk(2, "The second one", minutes_left=20))
    await newer.click()
    await expect(row).to_have_text("2")
    await expect(newer).to_be_hidden()


STANDING_OPEN = (
    "/",
    "/desk",
    "/tickets",
    "/tickets/1",
    "/groups",
    "/groups/desk",
    "/agents",
    "/promises",
    "/tasks",
    "/oncall",
    "/reports",
)


async def test_no_page_polls_and_none_reads_events_while_it_stands_open(
    served: Served, browser_page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a minute of the browser's clock nothing is asked for; when something happens, not the events are read."""
    page, asked, statements = browser_page, list[str](), list[str]()
    execute = psycopg.AsyncCursor.execute

    async def listened(cursor: Any, query: Any, *said: Any, **more: Any) -> Any:
        statements.append(query if isinstance(query, str) else query.as_string(cursor))
        return await execute(cursor, query, *said, **more)

    def note(request: Request) -> None:
        path = urlsplit(request.url).path
        if request.method == "GET" and path != "/board/stream" and not path.startswith("/static/"):
            asked.append(f"{urlsplit(page.url).path} asks for {path}")

    await page.clock.install()
    await served.publish(at_risk(1, "The first one", minutes_left=20))
    await signed_in(page, served)
    await expect(page.locator("#fig-open b")).to_have_text("1")
    monkeypatch.setattr(psycopg.AsyncCursor, "execute", listened)
    live = served.service.api.state.live

    async def stand() -> None:
        """A minute of the browser's clock, and at least one more snapshot."""
        computed = live.computed_count
        await page.clock.run_for(61_000)
        await eventually(lambda: live.computed_count > computed)

    for path in STANDING_OPEN:
        await page.goto(served.address + path)
        await page.wait_for_selector("#fresh:not(.unknown)")
        await stand()  # what it asks for when it is opened has come
        statements.clear()
        page.on("request", note)
        await stand()
        page.remove_listener("request", note)
        assert any("FROM open_counts" in one for one in statements), "the board was computed"
        assert [one for one in statements if "timeline" in one] == []
    assert asked == []

    await page.goto(served.address + "/tickets")
    page.on("request", note)
    await page.select_option("#f-priority", "normal")
    await expect(page.locator("#list")).to_contain_text("The first one")
    await stand()
    page.remove_listener("request", note)
    assert asked == ["/tickets asks for /tickets", "/tickets asks for /tickets/views"], "once each"

    await count_on(page)

    for number, path in enumerate(("/", "/tickets", "/promises", "/groups/desk"), start=2):
        await page.goto(served.address + path)
        await stand()
        statements.clear()
        await served.publish(at_risk(number, f"Number {number}", minutes_left=20))
        row = page.locator(f"tr:has-text('Number {number}')")
        while not await row.count():
            await page.clock.run_for(1_000)
        assert [one for one in statements if "timeline" in one] == []
    with served.database.rule("query") as connection:
        may = "SELECT has_schema_privilege('query', nspname, 'USAGE') FROM pg_namespace WHERE nspname = ANY(%s)"
        found = connection.execute(may, [["intake", "routing", "sla"]]).fetchall()
    assert found == [(False,)] * 3, "nor may it: the owners' events are theirs"


async def count_on(page: Page) -> None:
    """A number that is still being counted is asked for again, though nothing happens."""
    pending = ["<b data-pending>3+</b>"]

    async def count(route: Route) -> None:
        if pending:
            await route.fulfill(body=pending.pop(), content_type="text/html")
        else:
            await route.continue_()

    await page.route("**/tickets/views*", count)
    await page.select_option("#f-priority", "high")
    await expect(page.locator("#views")).to_have_text("3+")
    await page.clock.run_for(2_000)
    await expect(page.locator("#views")).to_contain_text("Everything")
    await page.unroute("**/tickets/views*")


def told(**fresh: Any) -> str:
    """One snapshot of the stream, about the age of the figures only."""
    now = datetime.now(UTC).isoformat()
    said = {"now": now, "as_of": None, "seconds": None, "position": 1, "behind": 0, "problem": None}
    return f"event: board\ndata: {json.dumps({'fresh': said | fresh, 'parts': {}})}\n\n"


@pytest.mark.parametrize(
    ("fresh", "says"),
    [
        ({"problem": "Kafka is away"}, "Nobody knows how old these figures are: Kafka is away."),
        ({"as_of": "2026-03-02T12:00:00Z", "seconds": 60.0, "behind": 7}, "7 events are not"),
    ],
    ids=["unknown", "old"],
)
async def test_lost_freshness_is_told_after_a_moment_and_not_before(
    served: Served, browser_page: Page, fresh: dict[str, Any], says: str
) -> None:
    page = browser_page
    await page.clock.install()
    await signed_in(page, served)
    await page.route(
        "**/board/stream*",
        lambda route: route.fulfill(content_type="text/event-stream", body=told(**fresh)),
    )
    await page.reload()
    await page.clock.run_for(1_500)
    await expect(page.locator("#banner")).to_be_hidden()
    await page.clock.run_for(6_000)
    await expect(page.locator("#banner")).to_contain_text(says)
    await expect(page.locator("body")).to_have_class("wall stale")


async def test_the_keyboard_is_enough(served: Served, browser_page: Page) -> None:
    page = browser_page
    await served.publish(at_risk(1, "Upper", minutes_left=5))
    await served.publish(at_risk(2, "Lower", minutes_left=25))
    await signed_in(page, served)
    await expect(page.locator("[data-row]")).to_have_count(2)
    await page.keyboard.press("?")
    await expect(page.locator("#help")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    await expect(page.locator("#search")).to_be_focused()
    await page.keyboard.press("Escape")
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("k")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/tickets/2")
    await page.keyboard.press("n")
    await expect(page.locator("#body")).to_be_focused()
    await expect(page.locator("[data-send]")).to_have_text("Add note")


async def test_how_one_is_reached_is_shown_kept_and_forgotten(
    served: Served, browser_page: Page
) -> None:
    """The test answers in place of sla."""
    known: dict[str, str] = {"phone": "+4930123456"}

    async def answer(route: Route) -> None:
        method = route.request.method
        if method != "GET":
            known.clear()
        if method == "PUT":
            known.update(route.request.post_data_json)
        await route.fulfill(json=known, status=204 if method == "DELETE" else 200)

    await browser_page.route("**/v1/oncall/contacts/agent:anna", answer)
    complaints = await signed_in(browser_page, served)
    await browser_page.goto(f"{served.address}/oncall")
    await browser_page.get_by_text("How you are reached").click()
    phone = browser_page.get_by_label("Phone")
    await expect(phone).to_have_value("+4930123456")
    await browser_page.get_by_label("Mail").fill("anna@example.com")
    await browser_page.get_by_role("button", name="Keep").click()
    await expect(browser_page.get_by_text("Done.")).to_be_visible()
    assert known == {"phone": "+4930123456", "email": "anna@example.com"}
    await browser_page.get_by_role("button", name="Forget them").click()
    await expect(phone).to_have_value("")
    assert known == {}
    assert complaints == []
