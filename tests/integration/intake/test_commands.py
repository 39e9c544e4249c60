"""Single commands over HTTP: what they answer, what they store, who may give them."""

import asyncio
from uuid import UUID, uuid4

import pytest

from shared.events import ActorKind, Channel
from shared.events import StatusCategory as C
from shared.security import Role

pytestmark = pytest.mark.integration

FOR_BEN = {"requester": {"id": "ben", "name": "Ben"}}


async def test_a_customer_opens_a_ticket_and_it_is_stored_when_the_answer_comes(desk, customer):
    answer = await customer.post(
        "/v1/tickets", {"subject": "Fire", "body": "It burns.", "fields": {"site": "Bonn"}}
    )
    receipt = answer.json()
    assert answer.status_code == 201
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["location"] == f"/v1/tickets/{receipt['ticket_id']}"
    [opened] = await desk.events(receipt["ticket_id"])
    assert UUID(receipt["ticket_id"]).version == 7
    assert (opened.requester.id, opened.requester.name) == ("ben", "Ben")
    assert (opened.number, opened.category, opened.via) == (receipt["number"], C.NEW, Channel.API)
    assert opened.correlation_id == answer.headers["x-correlation-id"]
    assert opened.fields == {"site": "Bonn"}


async def test_an_agent_opens_a_ticket_for_a_customer(desk, agent):
    receipt = await agent.open(**FOR_BEN, priority="high", tags=["fire"], category="open")
    [opened] = await desk.events(receipt["ticket_id"])
    assert (opened.actor.kind, opened.actor.id) == (ActorKind.AGENT, "anna")
    assert (opened.requester.id, opened.category, opened.tags) == ("ben", C.OPEN, ("fire",))


async def test_numbers_grow_without_gaps_while_nothing_crashes(desk, agent):
    receipts = await asyncio.gather(*(agent.open(**FOR_BEN) for _ in range(50)))
    more = await asyncio.gather(*(agent.open(**FOR_BEN) for _ in range(50)))
    numbers = sorted(receipt["number"] for receipt in receipts + more)
    assert numbers == list(range(numbers[0], numbers[0] + 100))
    assert max(r["number"] for r in receipts) < min(r["number"] for r in more)


async def test_two_processes_never_give_the_same_number(agent, caller, second_desk):
    other = caller("anna", Role.AGENT, at=second_desk)
    receipts = await asyncio.gather(
        *(who.open(**FOR_BEN) for who in (agent, other) for _ in range(40))
    )
    assert len({receipt["number"] for receipt in receipts}) == 80


async def test_a_conversation_moves_the_ticket_back_and_forth(desk, agent, customer):
    ticket = (await customer.open())["ticket_id"]
    replied = await agent.post(f"/v1/tickets/{ticket}/replies", {"body": "Use water"})
    assert (replied.status_code, replied.json()["category"]) == (201, "answered")
    back = await customer.post(f"/v1/tickets/{ticket}/replies", {"body": "No water here"})
    assert (back.json()["category"], back.headers["etag"]) == ("open", '"5"')
    solved = await agent.post(
        f"/v1/tickets/{ticket}/replies", {"body": "Sent some", "resolve": {"summary": "Water"}}
    )
    assert solved.json()["category"] == "solved"
    reopened = await customer.post(f"/v1/tickets/{ticket}/reopen")
    assert (reopened.status_code, reopened.json()["category"]) == (200, "open")
    noted = await agent.post(f"/v1/tickets/{ticket}/notes", {"body": "Call him"})
    assert noted.status_code == 201
    closed = await agent.post(f"/v1/tickets/{ticket}/close", {"reason": "confirmed"})
    assert closed.json()["category"] == "closed"
    assert await desk.names(ticket) == [
        "TicketOpened",
        "AgentReplied",
        "StatusChanged",
        "CustomerReplied",
        "StatusChanged",
        "AgentReplied",
        "TicketResolved",
        "TicketReopened",
        "NoteAdded",
        "TicketClosed",
    ]
    events = await desk.events(ticket)
    assert [event.version for event in events] == list(range(1, 11))
    assert replied.json()["message_id"] == str(events[1].message_id)


async def test_a_patch_changes_many_things_or_none(desk, agent):
    ticket = (await agent.open(**FOR_BEN))["ticket_id"]
    said = {
        "priority": "urgent",
        "subject": "Fire in room 7",
        "ticket_type": "incident",
        "fields": {"site": "Bonn"},
        "add_tags": ["fire"],
        "status": {"category": "hold", "label": "Fire brigade"},
    }
    answer = await agent.send("PATCH", f"/v1/tickets/{ticket}", said)
    assert (answer.status_code, answer.headers["etag"]) == (200, '"7"')
    again = await agent.send("PATCH", f"/v1/tickets/{ticket}", said)
    assert (again.status_code, again.headers["etag"]) == (200, '"7"')
    illegal = {"priority": "low", "status": {"category": "new"}}
    refused = await agent.send("PATCH", f"/v1/tickets/{ticket}", illegal)
    assert (refused.status_code, refused.json()["code"]) == (409, "new_never_returns")
    assert len(await desk.events(ticket)) == 7


async def test_a_refusal_says_which_fact_is_in_the_way(agent):
    ticket = (await agent.open(**FOR_BEN))["ticket_id"]
    await agent.post(f"/v1/tickets/{ticket}/close")
    refused = await agent.post(f"/v1/tickets/{ticket}/replies", {"body": "Hello?"})
    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "ticket_is_closed"


async def test_a_version_that_has_moved_on_is_refused_and_changes_nothing(desk, agent):
    ticket = (await agent.open(**FOR_BEN))["ticket_id"]
    path = f"/v1/tickets/{ticket}"
    first = await agent.send("PATCH", path, {"priority": "high"}, if_match='"1"')
    stale = await agent.send("PATCH", path, {"priority": "low"}, if_match='"1"')
    in_body = await agent.send("PATCH", path, {"priority": "low", "expected_version": 1})
    assert [each.status_code for each in (first, stale, in_body)] == [200, 412, 412]
    assert len(await desk.events(ticket)) == 2
    differs = await agent.send(
        "PATCH", path, {"priority": "low", "expected_version": 1}, if_match='"2"'
    )
    assert differs.status_code == 422


async def test_of_two_who_looked_at_the_same_version_one_wins(desk, agent, caller, second_desk):
    other = caller("otto", Role.AGENT, at=second_desk)
    for _ in range(10):
        ticket = (await agent.open(**FOR_BEN))["ticket_id"]
        answers = await asyncio.gather(
            agent.send("PATCH", f"/v1/tickets/{ticket}", {"priority": "high"}, if_match='"1"'),
            other.send("PATCH", f"/v1/tickets/{ticket}", {"priority": "low"}, if_match='"1"'),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        assert len(await desk.events(ticket)) == 2


async def test_a_customer_meets_other_peoples_tickets_as_if_there_were_none(
    desk, agent, customer, caller
):
    ticket = (await agent.open(requester={"id": "carla"}))["ticket_id"]
    nobodys = uuid4()
    for path in ("replies", "reopen"):
        body = {"body": "Hello"} if path == "replies" else {}
        foreign = await customer.post(f"/v1/tickets/{ticket}/{path}", body)
        missing = await customer.post(f"/v1/tickets/{nobodys}/{path}", body)
        assert foreign.status_code == missing.status_code == 404
        told, untold = foreign.json(), missing.json()
        assert told["detail"].replace(ticket, "") == untold["detail"].replace(str(nobodys), "")
    own = await caller("carla", Role.CUSTOMER).post(
        f"/v1/tickets/{ticket}/replies", {"body": "Mine"}
    )
    assert own.status_code == 201
    assert await desk.names(ticket) == ["TicketOpened", "CustomerReplied"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/notes", {"body": "psst"}),
        ("PATCH", "", {"priority": "urgent"}),
        ("POST", "/resolve", {"summary": "Done"}),
        ("POST", "/close", {}),
        ("POST", "/merge", {"into": str(uuid4())}),
        ("POST", "/links", {"ticket_id": str(uuid4())}),
        ("DELETE", "/links/0193a0b2-7d1c-7c3e-9a00-112233445566", None),
    ],
)
async def test_a_customer_does_not_do_the_work_of_agents(desk, customer, method, path, body):
    ticket = (await customer.open())["ticket_id"]
    answer = await customer.send(method, f"/v1/tickets/{ticket}{path}", body)
    assert answer.status_code == 403
    assert await desk.names(ticket) == ["TicketOpened"]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"requester": {"id": "carla"}}, "requester.id"),
        ({"tags": ["vip"]}, "tags"),
        ({"category": "hold"}, "category"),
        ({"external_id": "X-1"}, "external_id"),
        ({"is_outbound": True}, "is_outbound"),
        ({"via": "import"}, "via"),
        ({"occurred_at": "2020-01-01T00:00:00Z"}, "occurred_at"),
        ({"actor": {"kind": "agent", "id": "anna"}}, "actor"),
    ],
)
async def test_a_customer_says_nothing_that_is_not_theirs_to_say(customer, said, field):
    answer = await customer.post("/v1/tickets", {"subject": "a", "body": "b"} | said)
    assert answer.status_code == 403
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_nobody_without_a_token_gets_in(desk):
    answer = await desk.http.post("/v1/tickets", json={"subject": "a", "body": "b"})
    assert answer.status_code == 401


async def test_a_machine_tells_history_in_its_own_time_and_in_others_names(desk, importer):
    receipt = await importer.open(
        via="import",
        occurred_at="2016-02-29T01:16:00+01:00",
        requester={"id": "caller-7"},
        actor={"kind": "customer", "id": "caller-7"},
        external_id=f"INC-{uuid4()}",
    )
    [opened] = await desk.events(receipt["ticket_id"])
    assert opened.occurred_at.isoformat() == "2016-02-29T00:16:00+00:00"
    assert opened.recorded_at > opened.occurred_at
    assert (opened.via, opened.actor.kind, opened.actor.id) == (
        Channel.IMPORT,
        ActorKind.CUSTOMER,
        "caller-7",
    )


async def test_a_merge_is_written_on_both_tickets_and_leads_on_through_chains(desk, agent):
    first, second, third = [(await agent.open(**FOR_BEN)) for _ in range(3)]
    a, b, c = first["ticket_id"], second["ticket_id"], third["ticket_id"]
    assert (await agent.post(f"/v1/tickets/{a}/merge", {"into": b})).json()["category"] == "closed"
    again = await agent.post(f"/v1/tickets/{a}/merge", {"into": b})
    assert (again.status_code, again.json()["version"]) == (200, 2)
    assert (await agent.post(f"/v1/tickets/{b}/merge", {"into": c})).status_code == 200
    assert await desk.names(a) == ["TicketOpened", "TicketMerged"]
    assert await desk.names(b) == ["TicketOpened", "MergeReceived", "TicketMerged"]
    assert await desk.names(c) == ["TicketOpened", "MergeReceived"]
    ring = await agent.post(f"/v1/tickets/{c}/merge", {"into": a})
    assert (ring.status_code, ring.json()["code"]) == (409, "ticket_meets_itself")
    assert len(await desk.events(c)) == 2
    said = (await agent.post(f"/v1/tickets/{a}/replies", {"body": "Hello"})).json()
    assert (said["ticket_id"], said["written_to"]) == (c, first["number"])
    assert (await desk.events(c))[-2].written_to == first["number"]


async def test_a_merge_into_what_is_not_there_changes_nothing(desk, agent):
    ticket = (await agent.open(**FOR_BEN))["ticket_id"]
    answer = await agent.post(f"/v1/tickets/{ticket}/merge", {"into": str(uuid4())})
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["field"] == "into"
    closed = (await agent.open(**FOR_BEN))["ticket_id"]
    await agent.post(f"/v1/tickets/{closed}/close")
    refused = await agent.post(f"/v1/tickets/{ticket}/merge", {"into": closed})
    assert (refused.status_code, refused.json()["code"]) == (409, "ticket_is_closed")
    assert await desk.names(ticket) == ["TicketOpened"]


async def test_links_stand_and_fall_on_both_tickets(desk, agent):
    one, two, three = [(await agent.open(**FOR_BEN))["ticket_id"] for _ in range(3)]
    linked = await agent.post(f"/v1/tickets/{one}/links", {"ticket_id": two, "relation": "parent"})
    assert linked.status_code == 200
    assert (await desk.events(one))[-1].relation == "parent"
    assert (await desk.events(two))[-1].relation == "child"
    up = await agent.post(f"/v1/tickets/{two}/links", {"ticket_id": three, "relation": "parent"})
    assert up.status_code == 200
    ring = await agent.post(f"/v1/tickets/{three}/links", {"ticket_id": one, "relation": "parent"})
    assert (ring.status_code, ring.json()["code"]) == (409, "ticket_meets_itself")
    second = await agent.post(
        f"/v1/tickets/{one}/links", {"ticket_id": three, "relation": "parent"}
    )
    assert (second.status_code, second.json()["code"]) == (409, "ticket_has_a_parent")
    assert (await agent.send("DELETE", f"/v1/tickets/{one}/links/{two}")).status_code == 200
    assert (await desk.names(one))[-1] == (await desk.names(two))[-1] == "TicketUnlinked"


async def test_an_event_says_from_which_address_its_command_came(desk, agent):
    """Behind the front door it is the address that the front door saw; a hop before it may say anything."""
    through = {"x_forwarded_for": "6.6.6.6, 198.51.100.7"}
    opened = await agent.post(
        "/v1/tickets", {"subject": "Fire", "body": "It burns.", **FOR_BEN}, **through
    )
    ticket_id = opened.json()["ticket_id"]
    await agent.post(f"/v1/tickets/{ticket_id}/notes", {"body": "x"}, **through)
    await agent.post(f"/v1/tickets/{ticket_id}/notes", {"body": "y"})
    addresses = [event.actor.ip for event in await desk.events(ticket_id)]
    assert addresses == ["198.51.100.7", "198.51.100.7", "127.0.0.1"]
