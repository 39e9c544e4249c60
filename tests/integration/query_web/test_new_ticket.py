"""The page on which tickets are opened: what it asks for, and of whom."""

import pytest

from shared.events.configuration import ConfigurationDefined
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.support.events import ANNA, stamp

pytestmark = pytest.mark.integration

THEIRS = {"visible_to_customer": True, "editable_by_customer": True}
MODEL = {"label": "Model", "type": "choice", "options": ["<small>", "big"], **THEIRS}
COST = {"label": "Cost centre", "type": "text", "required_on": "open", "ticket_types": ["laptop"]}
ONE_OR_MORE = {"field": "many", "visible_if": {"field": "model", "one_of": ["big"]}}
NEW = {"title": "A new laptop", "service": "Hardware"}

DOCUMENTS = [
    ("field", "model", MODEL),
    ("field", "cost", COST),
    ("field", "many", {"label": "How many", "type": "integer", "min": 1, **THEIRS}),
    ("ticket_type", "laptop", {"label": "Laptop", "required_on_solve": ["model"]}),
    ("ticket_type", "fraud", {"label": "Fraud", "visible_to_customer": False}),
    ("form", "new", NEW | {"fields": [{"field": "model", "required": True}, ONE_OR_MORE]}),
    ("form", "old", {"title": "Retired form", "is_active": False}),
    ("form", "own", {"title": "Among us", "description": "For colleagues", "is_public": False}),
]


@pytest.fixture
def house(reader: Reader) -> Reader:
    reader.feed_events(
        [
            ConfigurationDefined(**stamp(1, actor=ANNA), kind=kind, name=name, definition=said)  # type: ignore[arg-type]
            for kind, name, said in DOCUMENTS
        ]
    )
    return reader


async def test_an_agent_opens_for_somebody_with_everything_there_is(house: Reader):
    page = (await house.get("/tickets/new", requester="dora@example.org")).text
    for said in ("For whom", 'value="dora@example.org"', "A new laptop", "Among us", "Fraud"):
        assert said in page, said
    assert "Retired form" not in page


async def test_a_customer_opens_own_tickets_of_what_is_for_customers(house: Reader):
    page = (await house.get("/tickets/new", role=Role.CUSTOMER, subject="carl")).text
    assert "A new laptop" in page
    for hidden in ("For whom", "Among us", "Fraud", "Priority", "is_internal"):
        assert hidden not in page, hidden
    refused = await house.get("/tickets/new", role=Role.CUSTOMER, subject="carl", form="own")
    assert (refused.status_code, "there is no such form" in refused.text) == (422, True)


async def part(house: Reader, role: Role = Role.AGENT, **asked: str) -> str:
    token = house.issuer.issue("anna", role)
    headers = {"Authorization": f"Bearer {token}", "HX-Request": "true"}
    return (await house.http.get("/tickets/new", params=asked, headers=headers)).text


async def test_a_form_asks_for_its_fields_and_a_type_for_what_it_needs(house: Reader):
    form = await part(house, form="new", ticket_type="")
    assert "&lt;small&gt;" in form
    assert 'data-if-field="model"' in form
    assert 'min="1"' in form
    assert "<html" not in form
    assert "For colleagues" in await part(house, form="own")
    assert "Cost centre" in await part(house, form="", ticket_type="laptop")
    assert "Cost centre" not in await part(house, Role.CUSTOMER, form="", ticket_type="laptop")
