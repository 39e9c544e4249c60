"""The same request has one effect and one answer, however often and however close together it comes."""

import asyncio
from uuid import uuid4

import pytest

from shared.security import Role

pytestmark = pytest.mark.integration

SAID = {"subject": "Fire", "body": "It burns.", "requester": {"id": "ben"}}


async def test_a_repetition_gets_the_first_answer(desk, agent):
    key = str(uuid4())
    first = await agent.post("/v1/tickets", SAID, idempotency_key=key)
    again = await agent.post("/v1/tickets", SAID, idempotency_key=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    for header in ("etag", "location"):
        assert again.headers[header] == first.headers[header]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"


async def test_many_at_once_in_two_processes_have_one_effect(desk, agent, caller, second_desk):
    other = caller("anna", Role.AGENT, at=second_desk)
    key = str(uuid4())
    answers = await asyncio.gather(
        *(
            who.post("/v1/tickets", SAID, idempotency_key=key)
            for _ in range(8)
            for who in (agent, other)
        )
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["ticket_id"] for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1


async def test_the_same_key_for_another_request_is_refused(desk, agent):
    key = str(uuid4())
    await agent.post("/v1/tickets", SAID, idempotency_key=key)
    other = await agent.post("/v1/tickets", SAID | {"body": "Still."}, idempotency_key=key)
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")


async def test_a_key_belongs_to_its_caller(agent, caller):
    key = str(uuid4())
    one = await agent.post("/v1/tickets", SAID, idempotency_key=key)
    two = await caller("otto", Role.AGENT).post("/v1/tickets", SAID, idempotency_key=key)
    assert one.json()["ticket_id"] != two.json()["ticket_id"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/replies", {"body": "Use water"}),
        ("POST", "/notes", {"body": "Call him"}),
        ("PATCH", "", {"priority": "urgent"}),
        ("POST", "/resolve", {"summary": "Done"}),
        ("POST", "/close", None),
    ],
)
async def test_every_command_happens_once(desk, agent, method, path, body):
    ticket = (await agent.open(requester={"id": "ben"}))["ticket_id"]
    key = str(uuid4())
    # If-Match would refuse a second effect; the repetition must not even get that far.
    send = [
        await agent.send(
            method, f"/v1/tickets/{ticket}{path}", body, idempotency_key=key, if_match='"1"'
        )
        for _ in range(2)
    ]
    assert send[0].status_code == send[1].status_code < 300
    assert send[0].json() == send[1].json()
    assert len(await desk.events(ticket)) == send[0].json()["version"]


async def test_a_refused_request_leaves_its_key_free(desk, agent):
    ticket = (await agent.open(requester={"id": "ben"}))["ticket_id"]
    key = str(uuid4())
    path = f"/v1/tickets/{ticket}/reopen"
    assert (await agent.post(path, idempotency_key=key)).status_code == 409
    await agent.post(f"/v1/tickets/{ticket}/resolve", {"summary": "Done"})
    assert (await agent.post(path, idempotency_key=key)).status_code == 200


async def test_one_members_refusal_does_not_touch_its_neighbours(desk, agent):
    closed = (await agent.open(requester={"id": "ben"}))["ticket_id"]
    await agent.post(f"/v1/tickets/{closed}/close")
    answers = await asyncio.gather(
        *(
            agent.post("/v1/tickets", SAID)
            if n % 3
            else agent.post(f"/v1/tickets/{closed}/replies", {"body": "Hello"})
            for n in range(30)
        )
    )
    assert [answer.status_code for answer in answers] == [201 if n % 3 else 409 for n in range(30)]
    assert await desk.names(closed) == ["TicketOpened", "TicketClosed"]
