"""Persons with several addresses: joined at intake, merged, parted again; whose tickets a customer may touch."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from services.intake.people_moved import PeopleMoved
from shared.security import Role
from tests.integration.intake.desk import Caller
from tests.integration.intake.test_postponements import intake_of

pytestmark = pytest.mark.integration


@pytest.fixture
def ids():
    """Nobody else's login and address."""
    return f"c-{uuid4().hex[:8]}", f"{uuid4().hex[:8]}@example.org"


@pytest.fixture
def phone():
    """Nobody else's number."""
    return f"+49{uuid4().int % 10**10:010}"


async def known(who, **said):
    answer = await who.post("/v1/contacts", said)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def requester_of(desk, ticket):
    return (await desk.events(ticket["ticket_id"]))[0].requester


async def test_a_ticket_is_told_who_its_requester_is(desk, agent, supervisor, ids):
    login, email = ids
    where = f"acme-{login}"
    told = {"name": "Acme", "domains": [email.partition("@")[2]], "tier": "gold"}
    told["domains"] = [f"{login}.example"]
    answer = await supervisor.send("PUT", f"/v1/organizations/{where}", told)
    assert answer.status_code == 200, answer.text
    contact = await known(
        agent, name="Carla", emails=[email.upper()], logins=[login], organization=where
    )
    by_login = await requester_of(desk, await agent.open(requester={"id": login}))
    by_mail = await requester_of(desk, await agent.open(requester={"id": "x", "email": email}))
    of_domain = await requester_of(
        desk, await agent.open(requester={"id": f"mailto:new@{login}.example"})
    )
    assert (by_login.id, by_login.name, by_login.tier) == (login, "Carla", "gold")
    assert by_login.email == email
    assert str(by_login.contact_id) == str(by_mail.contact_id) == contact["contact_id"]
    assert (of_domain.organization, of_domain.tier, of_domain.contact_id) == ("Acme", "gold", None)


async def test_what_is_said_of_one_request_counts_more_than_what_is_known(desk, agent, ids):
    await known(agent, logins=[ids[0]], tier="bronze")
    ticket = await agent.open(requester={"id": ids[0], "tier": "gold"})
    assert (await requester_of(desk, ticket)).tier == "gold"


async def test_an_address_belongs_to_one_person(agent, ids):
    first = await known(agent, emails=[ids[1]])
    answer = await agent.post("/v1/contacts", {"name": "Other", "emails": [ids[1]]})
    assert (answer.status_code, first["contact_id"] in answer.json()["detail"]) == (409, True)
    both = await asyncio.gather(
        *(agent.post("/v1/contacts", {"logins": [ids[0]]}) for _ in range(5))
    )
    assert sorted(answer.status_code for answer in both) == [201, 409, 409, 409, 409]


async def test_a_customer_has_the_tickets_of_all_own_addresses_and_loses_them_with_the_undo(
    agent, caller, ids
):
    login, email = ids
    customer = caller(login, Role.CUSTOMER)
    ticket = (await agent.open(requester={"id": f"mailto:{email}"}))["ticket_id"]
    path = f"/v1/tickets/{ticket}/replies"
    assert (await customer.post(path, {"body": "Mine?"})).status_code == 404
    by_mail = await known(agent, emails=[email], name="By mail")
    by_login = await known(agent, logins=[login], notes="Rings often.")
    address = f"/v1/contacts/{by_mail['contact_id']}"
    merged = await agent.post(f"{address}/merge", {"into": by_login["contact_id"]})
    assert merged.status_code == 200, merged.text
    assert merged.json()["contact"] == {
        "name": "By mail",
        "emails": [email],
        "logins": [login],
        "notes": "Rings often.",
    }
    assert (await customer.post(path, {"body": "Mine."})).status_code == 201
    again = await agent.post(f"{address}/merge", {"into": by_login["contact_id"]})
    assert again.json()["version"] == merged.json()["version"]
    changed = await agent.send("PUT", address, {"name": "No"})
    assert changed.status_code == 409
    undone = await agent.post(f"{address}/unmerge")
    assert undone.json()["contact"] == {"name": "By mail", "emails": [email]}
    assert (await customer.post(path, {"body": "Mine?"})).status_code == 404
    assert (await agent.post(f"{address}/unmerge")).status_code == 409


async def test_a_verified_address_opens_what_was_mailed_from_it(desk, agent, issuer, ids):
    login, email = ids
    ticket = (await agent.open(requester={"id": f"mailto:{email}"}))["ticket_id"]
    customer = Caller(desk, issuer.issue(login, Role.CUSTOMER, email=email))
    stranger = Caller(desk, issuer.issue(login, Role.CUSTOMER, email="else@example.org"))
    path = f"/v1/tickets/{ticket}/replies"
    assert (await stranger.post(path, {"body": "Hi"})).status_code == 404
    assert (await customer.post(path, {"body": "Hi"})).status_code == 201


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"phones": ["030 901820"]}, "phones[0]"),
        ({"messengers": ["4711"]}, "messengers[0]"),
        ({"logins": ["mailto:a@b.example"]}, "logins[0]"),
        ({"name": "A", "organization": "no-such"}, "organization"),
        ({}, "name"),
    ],
)
async def test_what_is_no_address_is_refused_by_name(agent, said, field):
    answer = await agent.post("/v1/contacts", said)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field


async def test_an_outdated_version_and_the_wrong_role_change_nothing(agent, customer, ids):
    contact = await known(agent, emails=[ids[1]])
    path = f"/v1/contacts/{contact['contact_id']}"
    body = {"name": "New", "emails": [ids[1]]}
    assert (await agent.send("PUT", path, body, If_Match='"7"')).status_code == 412
    assert (await customer.send("PUT", path, body)).status_code == 403
    assert (await agent.send("PUT", path, body, If_Match='"1"')).json()["version"] == 2
    assert (await agent.send("PUT", path, body)).json()["version"] == 2
    assert (await agent.send("PUT", "/v1/organizations/acme", {"name": "A"})).status_code == 403


async def calls(desk, agent, phone: str):
    """Whose a ticket is that an agent opens for this number."""
    return await requester_of(desk, await agent.open(requester={"phone": phone}))


async def contact_of(desk, identity: str) -> dict[str, Any] | None:
    found = await desk.rows(
        "SELECT c.* FROM contact_identities JOIN contacts AS c USING (contact_id) WHERE identity = %s",
        identity,
    )
    return found[0]["definition"] if found else None


async def test_whose_a_number_is_stands_in_the_contacts_and_the_last_word_counts(
    desk, agent, ids, phone
):
    login, email = ids
    first = {"id": login, "name": "Carla", "phone": phone, "email": email}
    await agent.open(requester=first)
    assert await contact_of(desk, f"tel:{phone}") == {
        "name": "Carla", "emails": [email], "phones": [phone], "logins": [login],
    }  # fmt: skip
    (event,) = await desk.events(str((await calls(desk, agent, phone)).contact_id))
    assert (type(event).__name__, event.actor.id) == ("ContactDefined", "anna")
    await agent.open(requester=first)  # the same again is nothing new
    assert len(await desk.events(str((await calls(desk, agent, phone)).contact_id))) == 1

    await agent.open(requester={"id": f"{login}-b", "name": "Ben", "phone": phone})
    assert ((await calls(desk, agent, phone)).id) == f"{login}-b"
    left = await contact_of(desk, login)
    assert left == {"name": "Carla", "emails": [email], "logins": [login]}


async def test_saying_whose_a_number_is_gives_nobody_the_other_tickets_of_who_had_it(
    desk, agent, caller, ids, phone
):
    login, email = ids
    await known(agent, name="Family", emails=[email], phones=[phone])
    by_mail = (await agent.open(requester={"id": f"mailto:{email}"}))["ticket_id"]
    await agent.open(requester={"id": login, "phone": phone})
    mine = caller(login, Role.CUSTOMER)
    assert (await mine.post(f"/v1/tickets/{by_mail}/replies", {"body": "?"})).status_code == 404
    family = await contact_of(desk, f"mailto:{email}")
    assert family == {"name": "Family", "emails": [email]}


async def test_what_older_versions_knew_of_addresses_becomes_contacts_at_start(
    desk, agent, ids, phone
):
    login, email = ids
    rows = [(f"tel:{phone}", login, "Carla", None), (f"mailto:{email}", login, None, None)]

    def keep(tx):
        tx.cursor.executemany(
            "INSERT INTO person_addresses (address, person_id, name, email, recorded_at)"
            " VALUES (%s, %s, %s, %s, now())",
            rows,
        )

    await asyncio.to_thread(desk.store.transact, keep)
    await PeopleMoved(intake_of(desk)).run()
    assert await desk.rows("SELECT * FROM person_addresses") == []
    assert await contact_of(desk, login) == {
        "name": "Carla", "emails": [email], "phones": [phone], "logins": [login],
    }  # fmt: skip
    assert (await calls(desk, agent, phone)).id == login
