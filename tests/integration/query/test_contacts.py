"""Who the customers are, read: search, history across addresses, and what a customer sees of own tickets."""

import pytest

from services.query.views import contacts
from shared.events.contacts import (
    Contact,
    ContactDefined,
    ContactMerged,
    ContactMergeReceived,
    ContactMergeUndone,
    ContactUnmerged,
    Organization,
    OrganizationDefined,
)
from shared.events.tickets import Person
from shared.identifiers import new_id
from shared.security import Role
from tests.integration.query.stories import Story
from tests.support.events import ANNA, stamp

pytestmark = pytest.mark.integration

MAILED = Contact(name="Carla Voss", emails=("carla@example.org",), organization="acme")
SIGNED_IN = Contact(name="Carla", logins=("c-17",))
BOTH = Contact(name="Carla", emails=("carla@example.org",), logins=("c-17",), organization="acme")


@pytest.fixture
def persons(reader):
    """A ticket by mail and one by login; the two persons are known, and of one is the organisation."""
    mailed, signed_in = new_id(), new_id()
    reader.feed(
        Story(1).opened(requester=Person("mailto:carla@example.org")),
        Story(2).opened(requester=Person("c-17")),
    )
    reader.feed_events(
        [
            OrganizationDefined(
                **stamp(1, actor=ANNA),
                organization_id="acme",
                organization=Organization(name="Acme", tier="gold"),
            ),
            ContactDefined(**stamp(1, actor=ANNA), contact_id=mailed, contact=MAILED),
            ContactDefined(**stamp(1, actor=ANNA), contact_id=signed_in, contact=SIGNED_IN),
        ]
    )
    return mailed, signed_in


def merged(reader, goes, stays):
    reader.feed_events(
        [
            ContactMerged(
                **stamp(2, actor=ANNA), contact_id=goes, into_contact_id=stays, contact=MAILED
            ),
            ContactMergeReceived(
                **stamp(2, actor=ANNA),
                contact_id=stays,
                from_contact_id=goes,
                contact=BOTH,
                previous=SIGNED_IN,
            ),
        ]
    )


async def numbers(reader, **said):
    found = await reader.read("/v1/tickets", **said)
    return sorted(ticket["number"] for ticket in found["tickets"])


async def test_after_a_merge_a_customer_sees_the_tickets_of_all_own_addresses(reader, persons):
    carla = {"role": Role.CUSTOMER, "subject": "c-17"}
    assert await numbers(reader, **carla) == [2]
    assert (await reader.get("/v1/tickets/1", **carla)).status_code == 404
    merged(reader, *persons)
    assert await numbers(reader, **carla) == [1, 2]
    assert (await reader.get("/v1/tickets/1", **carla)).status_code == 200
    assert (await reader.get("/v1/tickets/1", role=Role.CUSTOMER, subject="d")).status_code == 404
    goes, stays = persons
    reader.feed_events(
        [
            ContactMergeUndone(
                **stamp(3, actor=ANNA),
                contact_id=stays,
                other_contact_id=goes,
                contact=SIGNED_IN,
                previous=BOTH,
            ),
            ContactUnmerged(
                **stamp(3, actor=ANNA), contact_id=goes, from_contact_id=stays, contact=MAILED
            ),
        ]
    )
    assert await numbers(reader, **carla) == [2]


async def test_history_is_of_the_person_and_not_of_one_address(reader, persons):
    merged(reader, *persons)
    person = await reader.read("/v1/contacts/behind", requester="mailto:carla@example.org")
    assert person["contact"]["name"] == "Carla"
    assert (person["organization_name"], person["tier"]) == ("Acme", "gold")
    assert sorted(ticket["number"] for ticket in person["tickets"]) == [1, 2]
    assert (person["tickets_total"], person["tickets_open"]) == (2, 2)
    assert await numbers(reader, requester="c-17") == [1, 2]
    one = await reader.read(f"/v1/contacts/{persons[1]}")
    assert [other["name"] for other in one["merged"]] == ["Carla Voss"]


async def test_somebody_unknown_has_a_history_too(reader, persons):
    reader.feed(Story(3).opened(requester=Person("mailto:new@example.org")))
    person = await reader.read("/v1/contacts/behind", requester="mailto:new@example.org")
    assert (person["contact"], person["tickets_total"]) == (None, 1)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("carla", 2),
        ("vos car", 1),
        ("c 17", 1),
        ("example.org", 1),
        ("acme", 1),
        ("x", 0),
        ("&|!", 2),
    ],
)
@pytest.mark.parametrize("walked", [1, 2_000])
async def test_persons_are_found_by_the_beginnings_of_words(
    reader, persons, monkeypatch, words, found, walked
):
    monkeypatch.setattr(contacts, "_WALKED_MAX", walked)
    answer = await reader.read("/v1/contacts", q=words)
    assert len(answer["contacts"]) == found
    assert (await reader.get("/v1/contacts", q=words, role=Role.CUSTOMER)).status_code == 403


async def test_the_first_persons_by_name_are_the_same_wherever_they_are_looked_for(
    reader, persons, monkeypatch
):
    for limit in (1, 2, 3):
        found = []
        for walked in (0, 1, 2_000):
            monkeypatch.setattr(contacts, "_WALKED_MAX", walked)
            answer = await reader.read("/v1/contacts", q="carla", limit=limit)
            found.append([one["contact_id"] for one in answer["contacts"]])
        assert found[0] == found[1] == found[2]
        assert len(found[0]) == min(limit, 2)


async def test_organisations_say_how_many_belong_to_them(reader, persons):
    (acme,) = (await reader.read("/v1/organizations"))["organizations"]
    assert (acme["organization"]["name"], acme["contacts_count"]) == ("Acme", 1)


async def test_the_ticket_page_says_who_asks_and_what_else_they_asked(reader, persons):
    page = (await reader.get("/tickets/1")).text
    assert "Carla Voss" in page
    assert f"/contacts/{persons[0]}" in page
    assert "#2 " not in page
    merged(reader, *persons)
    page = (await reader.get("/tickets/1")).text
    assert f"/contacts/{persons[1]}" in page
    assert 'href="/tickets/2"' in page


async def test_the_pages_of_contacts_find_and_show(reader, persons):
    merged(reader, *persons)
    found = (await reader.get("/contacts", q="carla")).text
    assert f'href="/contacts/{persons[1]}"' in found
    assert f'href="/contacts/{persons[0]}"' not in found
    shown = (await reader.get(f"/contacts/{persons[1]}")).text
    assert "Carla Voss was merged into this one." in shown
    assert f'href="/contacts/{persons[1]}"' in (await reader.get(f"/contacts/{persons[0]}")).text
    assert (await reader.get("/contacts", role=Role.CUSTOMER)).status_code == 403
