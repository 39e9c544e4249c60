"""An agent's usual flows in a real Chromium over the whole product: every press is stored and shows."""

import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from shared.security import Role
from tests.support.product import Product

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium on this machine (on Debian: the package chromium)"
    ),
]
expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


class Agent:
    """Somebody at a browser; `complaints` is what the browser's console said."""

    def __init__(self, product: Product, page: Page, name: str) -> None:
        self.product = product
        self.page = page
        self.complaints: list[str] = []
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(f"{product.address}/login")
        page.fill("#token", product.token(Role.AGENT, name, name=name.title()))
        page.press("#token", "Enter")
        page.wait_for_url(f"{product.address}/")

    def opens(self, number: int) -> None:
        self.page.goto(f"{self.product.address}/tickets/{number}")


def reloaded_until(page: Page, selector: str, text: str) -> None:
    """Load the page again until it says so: what pages remember of the house may be ten seconds old."""
    ends_at = time.monotonic() + 30
    while text not in " ".join(page.locator(selector).all_text_contents()):
        assert time.monotonic() < ends_at, f"{selector} does not say {text!r}"
        page.reload()


@pytest.fixture
def anna(product: Product, browser: Browser) -> Iterator[Agent]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    agent = Agent(product, context.new_page(), "anna")
    yield agent
    assert agent.complaints == []
    context.close()


def a_ticket(product: Product, subject: str, **said: Any) -> int:
    """Open one as a customer; its number, once the pages know it."""
    customer = product.door("customer", "mira", name="Mira Lind")
    receipt = customer.call("POST", "/v1/tickets", {"subject": subject, "body": "Please.", **said})
    customer.call("GET", f"/v1/tickets/{receipt['ticket_id']}?min_version=1")
    return int(receipt["number"])


def test_found_by_its_words_answered_and_solved_in_one_step_without_a_mouse(
    product: Product, anna: Agent
) -> None:
    number = a_ticket(product, "Umlaute im Fußbodenheizungsregler")
    page = anna.page
    page.keyboard.press("/")
    page.keyboard.type("Fußbodenheizungsregler")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tickets?q=*")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/tickets/{number}")
    page.keyboard.press("r")
    page.keyboard.type("It is fixed.")
    page.select_option(".then select", label="solved")
    page.fill(".solves input", "Updated the regulator.")
    page.focus("#body")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".conversation")).to_contain_text("It is fixed.")
    expect(page.locator(".conversation .message.solved")).to_contain_text("Updated the regulator.")
    expect(page.locator(".head .status")).to_have_text("Solved")
    expect(page.locator("#body")).to_have_value("")


def test_a_draft_survives_a_reload_and_goes_with_its_file(product: Product, anna: Agent) -> None:
    number = a_ticket(product, "Needs a file")
    anna.opens(number)
    page = anna.page
    page.fill("#body", "See what I attached.")
    page.reload()
    expect(page.locator("#body")).to_have_value("See what I attached.")
    page.set_input_files(
        "#files", {"name": "trace.txt", "mimeType": "text/plain", "buffer": b"one line"}
    )
    expect(page.locator("#attached li")).to_contain_text("trace.txt")
    expect(page.get_by_label("Leave trace.txt away")).to_be_visible()
    page.press("#body", "Control+Enter")
    expect(page.locator(".files")).to_contain_text("trace.txt")
    expect(page.locator("#attached li")).to_have_count(0)


def test_snoozed_by_one_press_it_waits_on_the_desk(product: Product, anna: Agent) -> None:
    number = a_ticket(product, "Ask again tomorrow")
    anna.opens(number)
    page = anna.page
    page.get_by_role("button", name="Take it myself").or_(
        page.get_by_role("button", name="Give back to the queue")
    ).first.wait_for()
    if page.get_by_role("button", name="Take it myself").count():
        page.get_by_role("button", name="Take it myself").click()
        expect(page.locator(".head")).to_contain_text("Anna")
    page.get_by_role("button", name="tomorrow 9:00").click()
    expect(page.locator(".head .status")).to_have_text("Postponed")
    page.keyboard.press("g")
    page.keyboard.press("d")
    page.wait_for_url("**/desk")
    waiting = page.locator("section", has=page.locator("#h-theirs"))
    expect(waiting).to_contain_text("Ask again tomorrow")


def test_merged_by_number_and_taken_out_again(product: Product, anna: Agent) -> None:
    first, second = a_ticket(product, "The flood"), a_ticket(product, "The flood again")
    anna.opens(second)
    page = anna.page
    page.locator("#more-related > summary").click()
    page.fill("#act-merge", "#99999999")
    page.press("#act-merge", "Enter")
    expect(page.locator("form:has(#act-merge) .error")).to_contain_text("There is no ticket")
    page.fill("#act-merge", f"#{first}")
    page.press("#act-merge", "Enter")
    expect(page.locator(".head")).to_contain_text(f"merged into #{first}")
    page.get_by_role("button", name="Undo the merge").click()
    expect(page.locator(".head")).not_to_contain_text("merged into")


def test_the_next_ticket_is_pulled_from_the_desk(product: Product, anna: Agent) -> None:
    admin = product.door("admin", "set-up")
    admin.call("PUT", "/v1/groups/pool", {"name": "Pool", "strategy": "manual"})
    profile = {"name": "Anna", "groups": ["desk", "pool"], "presence": "online"}
    admin.call("PUT", "/v1/agents/anna", profile)
    number = a_ticket(product, "Waits to be pulled")
    customer = product.door("customer", "mira")
    ticket_id = customer.call("GET", f"/v1/tickets/{number}")["ticket"]["ticket_id"]
    admin.call("POST", f"/v1/tickets/{ticket_id}/group", {"group_id": "pool"})
    page = anna.page
    page.goto(f"{product.address}/desk")
    expect(page.get_by_role("heading", name="My desk")).to_be_visible()
    page.get_by_role("button", name="Next ticket for me").click()
    page.wait_for_url("**/tickets/*")
    expect(page.locator(".head")).to_contain_text("Waits to be pulled")
    expect(page.locator(".head")).to_contain_text("Anna")


def test_chosen_messages_become_a_ticket_of_their_own_and_come_back(
    product: Product, anna: Agent
) -> None:
    number = a_ticket(product, "Two things at once")
    anna.opens(number)
    page = anna.page
    page.get_by_role("button", name="Quote Mira Lind").click()
    expect(page.locator("#quoting")).to_contain_text("Answers what Mira Lind wrote.")
    page.fill("#body", "And the second thing?")
    page.press("#body", "Control+Enter")
    expect(page.locator(".conversation .quoted")).to_contain_text("Mira Lind: Please.")
    expect(page.locator("#quoting")).to_be_hidden()
    page.locator("#more-related > summary").click()
    page.locator("#splitting > summary").click()
    page.locator(".message.agent").get_by_label("goes to the new ticket").check()
    page.fill("#act-split", "The second thing")
    page.press("#act-split", "Enter")
    related = page.locator("[data-part=related]")
    expect(related).to_contain_text("Split off: #")
    expect(page.locator(".message.agent")).to_contain_text("moved to #")
    related.get_by_role("button", name="Undo the split").click()
    expect(related).to_contain_text("Merged in: #")
    expect(page.locator(".message.agent")).not_to_contain_text("moved to #")
    related.get_by_role("button", name="Undo the merge").click()
    expect(related).not_to_contain_text("Merged in: #")


def test_fields_are_asked_for_by_type_and_people_are_let_in(product: Product, anna: Agent) -> None:
    admin = product.door("admin", "set-up")
    model = {"label": "Model", "type": "choice", "options": ["small", "big"]}
    count = {"label": "How many", "type": "integer", "min": 1, "ticket_types": ["laptop"]}
    admin.call("PUT", "/v1/fields/work.model", model | {"ticket_types": ["laptop"]})
    admin.call("PUT", "/v1/fields/work.count", count)
    laptop = {"label": "Laptop", "required_on_solve": ["work.model"]}
    admin.call("PUT", "/v1/ticket-types/laptop", laptop)
    number = a_ticket(product, "A laptop for Ben", ticket_type="laptop")
    anna.opens(number)
    page = anna.page
    facts = page.locator("[data-part=facts]")
    reloaded_until(page, "[data-part=facts]", "needed to solve it")
    facts.get_by_text("Edit type and fields").click()
    facts.get_by_label("Model").select_option("big")
    facts.get_by_label("How many").fill("2")
    facts.get_by_role("button", name="Save").click()
    expect(facts.locator("dl")).to_contain_text("Modelbig")
    expect(facts.locator("dl")).to_contain_text("How many2")
    expect(facts).not_to_contain_text("needed to solve it")
    facts.get_by_label("How many").fill("")
    facts.get_by_role("button", name="Save").click()
    expect(facts.locator("dl")).not_to_contain_text("How many")

    person = page.locator("[data-part=person]")
    person.get_by_text("Add somebody").click()
    person.get_by_label("In copy").fill("dora@example.org")
    person.get_by_role("button", name="Add").first.click()
    expect(person).to_contain_text("dora@example.org in copy")
    person.get_by_role("button", name="Remove").click()
    expect(person).not_to_contain_text("dora@example.org")

    tasks = page.locator("[data-part=tasks]")
    tasks.get_by_label("New task").fill("Order it")
    tasks.get_by_label("Owner").last.select_option("ben")
    tasks.get_by_role("button", name="Add").first.click()
    expect(tasks.locator("li")).to_contain_text("Order it Ben")
    tasks.get_by_text("Change").first.click()
    tasks.get_by_label("Owner").first.select_option("anna")
    tasks.get_by_label("Checklist").fill("Delivery")
    tasks.get_by_role("button", name="Save").click()
    expect(tasks.locator("h3")).to_have_text("Delivery: 0 of 1")
    expect(tasks.locator("li")).to_contain_text("Order it Anna")


def test_a_ticket_is_opened_for_a_customer_by_a_form_of_the_catalogue(
    product: Product, anna: Agent
) -> None:
    admin = product.door("admin", "set-up")
    kind = {"label": "What", "type": "choice", "options": ["move", "repair"]}
    admin.call("PUT", "/v1/fields/what", kind)
    floor = {"label": "To which floor", "type": "integer", "min": 0}
    admin.call("PUT", "/v1/fields/floor", floor)
    asked = {
        "field": "floor",
        "required": True,
        "visible_if": {"field": "what", "one_of": ["move"]},
    }
    form = {"title": "Desks", "service": "House", "is_public": False}
    admin.call("PUT", "/v1/forms/desks", form | {"fields": [{"field": "what"}, asked]})
    page = anna.page
    page.goto(f"{product.address}/tickets/new")
    reloaded_until(page, "form", "Desks")
    page.get_by_label("For whom").fill("dora@example.org")
    page.get_by_label("Their name").fill("Dora Held")
    page.get_by_label("Form").select_option("desks")
    expect(page.get_by_label("To which floor")).to_be_hidden()
    page.get_by_label("What", exact=True).select_option("move")
    page.get_by_label("To which floor").fill("3")
    page.get_by_label("Subject").fill("Two desks to the third floor")
    page.get_by_label("What they said").fill("By Friday, please.")
    page.press("#body", "Control+Enter")
    page.wait_for_url("**/tickets/*-*")
    expect(page.locator("h1")).to_contain_text("Two desks to the third floor")
    expect(page.locator("[data-part=facts]")).to_contain_text("To which floor3")
    expect(page.locator("[data-part=facts]")).to_contain_text("dora@example.org")


def test_tasks_of_all_tickets_are_done_on_one_page(product: Product, anna: Agent) -> None:
    number = a_ticket(product, "Move to the third floor")
    door = product.door("agent", "anna", name="Anna")
    ticket = door.call("GET", f"/v1/tickets/{number}")["ticket"]["ticket_id"]
    task = {"title": "Order the lift", "owner": "anna", "due_at": "2020-01-01T10:00:00Z"}
    version = door.call("POST", f"/v1/tickets/{ticket}/tasks", task)["version"]
    door.call("GET", f"/v1/tickets/{number}?min_version={version}")
    page = anna.page
    page.goto(f"{product.address}/desk")
    page.get_by_role("link", name="All tasks").click()
    page.wait_for_url("**/tasks?owner=me")
    row = page.locator("[data-row]", has_text="Order the lift")
    expect(row.locator("time.late")).to_be_visible()
    row.get_by_role("button", name="Done").click()
    expect(row).to_have_count(0)
    page.get_by_role("link", name="Mine, done").click()
    expect(page.locator("[data-row]", has_text="Order the lift").first).to_be_visible()
