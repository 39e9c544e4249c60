"""Form and chat in a real Chromium, embedded in a page of another site as customers meet them."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.async_api import Browser, async_playwright, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from services.intake.channels.messengers.sender import MessengerSender
from shared.security import Role
from shared.security.issuer import LocalIssuer
from tests.integration.intake.desk import Caller, Desk
from tests.integration.intake_channels.served import served
from tests.integration.intake_mail.post import open_post
from tests.support.database import Database
from tests.support.serving import serving

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

_SWITCHES = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*_SWITCHES])
        yield opened
        await opened.close()


@pytest.fixture
async def shop() -> AsyncIterator[tuple[str, list[str]]]:
    """A site of somebody else; its page is what the test puts into the list."""
    page = [""]

    async def show(_request: Request) -> Response:
        return HTMLResponse(page[0])

    app = Starlette(routes=[Route("/", show)])
    async with serving(app) as address:
        yield f"http://{address}", page


@pytest.fixture
async def open_desk_for(
    database: Database, issuer: LocalIssuer, tmp_path: Path, shop: tuple[str, list[str]]
) -> AsyncIterator[tuple[Desk, str]]:
    """A desk whose pages the shop may show, with the guard that needs scripts."""
    file = tmp_path / "channels.yaml"
    file.write_text(
        f"forms: {{frame_ancestors: ['{shop[0]}'], seconds_min: 0, proof_of_work_bits: 10}}\n"
        f"chat: {{frame_ancestors: ['{shop[0]}']}}\n"
    )
    async with (
        open_post(database, issuer, None, tmp_path, channels_file=file) as desk,
        served(desk) as address,
    ):
        yield desk, address


async def test_the_form_in_a_page_of_another_site(open_desk_for, shop, browser: Browser, issuer):
    desk, address = open_desk_for
    site, page_of_shop = shop
    sue = Caller(desk, issuer.issue("sue", Role.SUPERVISOR))
    customers = {"visible_to_customer": True, "editable_by_customer": True}
    reason = {"label": "Reason", "type": "choice", "options": ["order", "other"], **customers}
    await sue.send("PUT", "/v1/fields/shop-reason", reason)
    await sue.send("PUT", "/v1/fields/shop-order", {"label": "Order", "type": "text", **customers})
    condition = {"field": "shop-reason", "one_of": ["order"]}
    asked = [
        {"field": "shop-reason", "required": True},
        {"field": "shop-order", "visible_if": condition},
    ]
    await sue.send("PUT", "/v1/forms/shop-contact", {"title": "Contact", "fields": asked})
    page_of_shop[0] = (
        f"<h1>Shop</h1><script src='http://{address}/forms/static/embed.js'"
        " data-form='shop-contact' async></script>"
    )
    page = await browser.new_page()
    await page.goto(site)
    form = page.frame_locator("iframe")
    order = form.get_by_label("Order")
    await expect(form.get_by_label("Subject")).to_be_visible()
    await expect(order).to_be_hidden()
    await form.get_by_label("Reason").select_option("order")
    await expect(order).to_be_visible()
    await order.fill("12")
    await form.get_by_label("Your e-mail address").fill("nora@x.example")
    await form.get_by_label("Subject").fill("Late")
    await form.get_by_label("How can we help?").fill("Where is it?")
    await form.get_by_role("button", name="Send").click()
    await expect(form.get_by_role("status")).to_contain_text("Thank you")
    for path in ("forms/shop-contact", "fields/shop-reason", "fields/shop-order"):
        await sue.send("DELETE", f"/v1/{path}")


async def test_a_chat_from_a_shop_to_the_desk_and_a_ticket_of_it(
    open_desk_for, shop, browser: Browser, issuer: LocalIssuer
):
    desk, address = open_desk_for
    site, page_of_shop = shop
    page_of_shop[0] = f"<h1>Shop</h1><script src='http://{address}/chat/static/widget.js'></script>"
    visitor = await browser.new_page()
    await visitor.goto(site)
    await visitor.get_by_role("button", name="Chat").click()
    chat = visitor.frame_locator("iframe")
    await chat.get_by_label("Message").fill("My printer <b>smokes</b>")
    await chat.get_by_role("button", name="Send").click()
    await expect(chat.get_by_text("My printer <b>smokes</b>")).to_be_visible()
    await expect(chat.locator("li.sending")).to_have_count(0)

    working = await browser.new_context()
    token = issuer.issue("anna", Role.AGENT, name="Anna")
    await working.add_cookies(
        [{"name": "ticketing_session", "value": token, "url": f"http://{address}"}]
    )
    agent = await working.new_page()
    await agent.goto(f"http://{address}/chat/desk")
    # The longest wait stands first; other tests have left visitors waiting.
    await agent.locator("#waiting button").last.click()
    await expect(agent.get_by_text("My printer <b>smokes</b>")).to_be_visible()
    await agent.get_by_role("button", name="Take it").click()
    await agent.locator("#text").fill("I am on my way")
    await agent.locator("#text").press("Enter")
    await expect(chat.get_by_text("I am on my way")).to_be_visible()
    await expect(chat.locator("#state")).to_have_text("With Anna")

    await visitor.reload()  # the session is the browser's: the same chat is there again
    await visitor.get_by_role("button", name="Chat").click()
    await expect(chat.get_by_text("I am on my way")).to_be_visible()

    await agent.get_by_role("button", name="Make a ticket").click()
    await agent.get_by_label("Subject").fill("A printer smokes")
    await agent.get_by_role("button", name="Make it").click()
    ticket = await agent.get_by_role("link", name="Ticket #").get_attribute("href")
    assert ticket is not None
    await expect(chat.get_by_text("was made of this chat")).to_be_visible()
    await agent.get_by_role("button", name="End", exact=True).click()
    await expect(chat.locator("#state")).to_have_text("Ended")

    said = {"body": "It is repaired <b>: https://shop.example/fix?a=1&b=2."}
    await Caller(desk, token).post(f"/v1{ticket}/replies", said)
    sending = asyncio.create_task(desk.running(MessengerSender).run())
    link = chat.get_by_role("link", name="https://shop.example/fix?a=1&b=2", exact=True)
    await expect(link).to_have_attribute("target", "_blank")
    await visitor.reload()  # the chat is over, and what was said since is there
    await visitor.get_by_role("button", name="Chat").click()
    await expect(link).to_have_attribute("href", "https://shop.example/fix?a=1&b=2")
    await expect(chat.get_by_text("It is repaired <b>")).to_be_visible()
    sending.cancel()
    await asyncio.wait([sending])


async def test_articles_are_suggested_while_the_subject_is_typed_and_help_without_a_ticket(
    open_desk_for, browser: Browser, issuer
):
    desk, address = open_desk_for
    sue = Caller(desk, issuer.issue("sue", Role.SUPERVISOR))
    word = f"zq{uuid4().hex[:8]}"
    public = {"audience": "public", "status": "published"}
    for name, said in ((f"open-{word}", public), (f"inside-{word}", {"status": "published"})):
        article = {"title": f"Reset {word} <b>", "body": "Press **reset**.", **said}
        assert (await sue.send("PUT", f"/v1/articles/{name}", article)).status_code == 200
    await sue.send("PUT", f"/v1/forms/{word}", {"title": "Ask us", "is_public": True})
    page = await browser.new_page()
    await page.goto(f"http://{address}/forms/{word}")
    subject = page.get_by_label("Subject")
    await subject.fill(f"{word}?")  # a word of this test alone: others have articles here too
    suggested = page.locator("#articles a")
    await expect(suggested).to_have_count(1)
    await expect(suggested).to_have_text(f"Reset {word} <b>")
    async with page.expect_popup() as opened:
        await suggested.click()
    article = await opened.value
    await expect(article.locator("article strong")).to_have_text("reset")
    await article.get_by_role("button", name="Yes").click()
    await expect(article.get_by_role("status")).to_have_text("Thank you.")
    await subject.fill("???")
    await expect(page.locator("#articles")).to_be_hidden()
    read = (await sue.send("GET", f"/v1/articles/open-{word}")).json()
    assert read["helpful_count"] == 1
    await sue.send("DELETE", f"/v1/forms/{word}")
