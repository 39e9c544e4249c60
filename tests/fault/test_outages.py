"""A server goes away: what is acknowledged stays, what cannot be done says so, and all of it catches up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from playwright.async_api import Page, async_playwright, expect

from shared.security import Role
from tests.integration.query_web import test_browser
from tests.integration.query_web.test_browser import CHROMIUM, STANDING_OPEN
from tests.support.product import Product, is_caught_up
from tests.support.waiting import eventually

pytestmark = pytest.mark.fault

BODY = {"subject": "It stopped", "body": "Please look."}
SAID_MS = 30_000
"""Twelve seconds of silence, ten of age and three of patience; the rest is for a loaded machine."""

BACK_MS = 90_000
FRESH = "#fresh:not(.unknown, .old)"


def opened_count(product: Product) -> int:
    return product.rows(
        "intake", "SELECT count(*) FROM intake_events WHERE topic = 'ticket.opened.v1'"
    )[0][0]


def visible_count(product: Product) -> int:
    return product.rows("query", "SELECT count(*) FROM tickets")[0][0]


def is_ready(product: Product, service: str) -> httpx2.Response:
    return httpx2.get(f"{product.address}/services/{service}/readyz", timeout=10)


async def test_without_kafka_intake_goes_on_accepting_and_everybody_catches_up(product: Product):
    customer = product.door("customer", "carl")
    customer.call("POST", "/v1/tickets", BODY)
    before = opened_count(product)
    await eventually(lambda: visible_count(product) == before)
    product.kill("kafka")
    for _ in range(20):
        customer.call("POST", "/v1/tickets", BODY)
    assert opened_count(product) == before + 20
    assert is_ready(product, "intake").status_code == 200
    await eventually(
        lambda: "kafka" in is_ready(product, "query").text.lower(),
        seconds_max=60,
        what="query says so",
    )
    product.start_again("kafka")
    await eventually(lambda: visible_count(product) == before + 20, seconds_max=90)
    await eventually(lambda: is_caught_up(product), seconds_max=90)
    await eventually(lambda: is_ready(product, "query").status_code == 200, seconds_max=60)
    assert opened_count(product) == before + 20


async def test_without_postgres_commands_get_503_and_a_time_to_come_back(product: Product):
    customer = product.door("customer", "carl")
    first = customer.call("POST", "/v1/tickets", BODY, key="before")
    before = opened_count(product)
    product.kill("postgres")
    token = product.token("customer", "carl")
    answer = httpx2.post(
        f"{product.address}/v1/tickets",
        json=BODY,
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["content-type"] == "application/problem+json"
    await eventually(lambda: is_ready(product, "intake").status_code == 503, seconds_max=30)
    product.start_again("postgres")
    product.wait_until_ready()
    assert customer.call("POST", "/v1/tickets", BODY, key="before") == first
    customer.call("POST", "/v1/tickets", BODY)
    assert opened_count(product) == before + 1
    await eventually(lambda: visible_count(product) == before + 1, seconds_max=60)
    await eventually(lambda: is_caught_up(product), seconds_max=60)


async def test_without_redis_everything_goes_on_and_says_what_is_worse(product: Product):
    customer, agent = product.door("customer", "carl"), product.door("agent", "anna")
    product.kill("redis")
    ticket = customer.call("POST", "/v1/tickets", BODY)["ticket_id"]

    def assigned():
        rows = product.rows("query", "SELECT assignee_id FROM tickets WHERE ticket_id = %s", ticket)
        return rows and rows[0][0] == "anna"

    await eventually(assigned)
    agent.call("POST", f"/v1/tickets/{ticket}/replies", {"body": "Done."})
    for service in ("intake", "routing", "sla", "query"):
        assert is_ready(product, service).status_code == 200
    await eventually(lambda: "redis" in is_ready(product, "query").text.lower(), seconds_max=30)
    product.start_again("redis")
    await eventually(lambda: is_caught_up(product))


async def test_flushing_redis_loses_nothing(product: Product):
    import redis

    customer = product.door("customer", "carl")
    accepted = []
    with redis.Redis.from_url(product.stack.redis.url) as client:
        for _ in range(10):
            accepted.append(customer.call("POST", "/v1/tickets", BODY)["ticket_id"])
            client.flushall()
    await eventually(lambda: is_caught_up(product))
    assignees = product.rows(
        "query", "SELECT assignee_id FROM tickets WHERE ticket_id = ANY(%s)", accepted
    )
    assert assignees == [("anna",)] * 10


@pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine (on Debian: the package chromium)"
)
async def test_every_open_page_says_what_is_away_and_recovers(product: Product) -> None:
    """Redis, query, Kafka and PostgreSQL, one after the other; no page is loaded again."""
    customer = product.door("customer", "carl")
    number = customer.call("POST", "/v1/tickets", BODY)["number"]
    async with standing_open(product, number) as pages:
        product.kill("redis")
        told = {"/": "Redis is away", f"/tickets/{number}": "who else is here"}
        for path, words in told.items():
            await expect(pages[path].locator("body")).to_contain_text(words, timeout=SAID_MS)
        product.start_again("redis")
        for path, words in told.items():
            await expect(pages[path].locator("body")).not_to_contain_text(words, timeout=BACK_MS)
        for name, words in (
            ("query", "Not live: no word from the server since"),
            ("kafka", "These figures are"),
            ("postgres", "The board cannot be computed now"),
        ):
            product.kill(name)
            for page in pages.values():
                await expect(page.locator("#banner")).to_contain_text(words, timeout=SAID_MS)
            product.start_again(name)
            for page in pages.values():
                await page.wait_for_selector(FRESH, timeout=BACK_MS)
                await expect(page.locator("#banner")).to_be_hidden(timeout=BACK_MS)
        product.wait_until_ready()
        customer.call("POST", "/v1/tickets", BODY | {"subject": "After all of it"})
        for path in ("/tickets", "/groups/desk"):
            main = pages[path].locator("main")
            await expect(main).to_contain_text("After all of it", timeout=BACK_MS)
        for page in pages.values():
            assert await page.evaluate("() => window.isStillTheSamePage") is True


@asynccontextmanager
async def standing_open(product: Product, number: int) -> AsyncIterator[dict[str, Page]]:
    """Address → its page, each in a profile of its own: a browser has six connections to a host."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(test_browser._SWITCHES)
        )
        first = await browser.new_page()
        await first.goto(f"{product.address}/login")
        await first.fill("#token", product.token(Role.AGENT, "anna", name="Anna"))
        await first.press("#token", "Enter")
        await first.wait_for_url(f"{product.address}/")
        session = await first.context.storage_state()
        await first.context.close()
        pages = {}
        for path in STANDING_OPEN:
            context = await browser.new_context(storage_state=session)
            page = await context.new_page()
            address = path.replace("/tickets/1", f"/tickets/{number}")
            await page.goto(product.address + address)
            await page.wait_for_selector(FRESH)
            await page.evaluate("() => { window.isStillTheSamePage = true; }")
            pages[address] = page
        yield pages
        await browser.close()
