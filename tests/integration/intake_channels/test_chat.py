"""The chat over real sockets: stored before acknowledged, resumed without loss, tickets of stretches."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import jwt
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from services.intake.channels.chat.desk import ChatDesk
from services.intake.channels.chat.idle import SilenceWatch
from shared.events.base import Owner
from shared.events.operations import IntakeOperation, operations_stream
from shared.events.tickets import TicketOpened
from shared.security import Role
from shared.security.issuer import LocalIssuer
from tests.integration.intake.desk import Caller, Desk
from tests.integration.intake_channels.conftest import IDENTITY_SECRET
from tests.integration.intake_channels.served import agent_at, served, visitor

pytestmark = pytest.mark.integration


@pytest.fixture(scope="session")
async def other_address(second_desk: Desk) -> AsyncIterator[str]:
    async with served(second_desk) as at:
        yield at


@pytest.fixture
def token(issuer: LocalIssuer) -> str:
    return issuer.issue("anna", Role.AGENT, name="Anna")


def a_token(**said) -> str:
    claims = {"sub": f"shop-{uuid4()}", "name": "Nora", "exp": int(time.time()) + 600} | said
    return jwt.encode(claims, IDENTITY_SECRET, algorithm="HS256")


async def test_a_message_is_stored_when_it_is_acknowledged_and_the_agent_answers(
    address: str, desk: Desk, agent: Caller, token: str
):
    async with visitor(address, name="Nora", email="nora@x.example") as (nora, welcome):
        assert welcome["chat"] is None
        id_ = await nora.say("Hello?")
        stored = await nora.wait("stored", id=id_)
        rows = await desk.rows("SELECT text FROM chat_messages WHERE id = %s", UUID(id_))
        assert rows == [{"text": "Hello?"}]
        chat = stored["chat"]
        waiting = (await agent.send("GET", "/v1/channels/chat?state=waiting")).json()["chats"]
        assert chat in [one["id"] for one in waiting]
        assert (await agent.post(f"/v1/channels/chat/{chat}/join")).json()["state"] == "open"
        async with agent_at(address, chat, token) as anna:
            assert (await anna.texts(1))[0] == (1, "Hello?")
            await anna.send(type="typing")
            assert (await nora.wait("typing"))["name"] == "Anna"
            await anna.say("Good morning")
            assert (await nora.wait("message", side="agent"))["text"] == "Good morning"
            assert (await nora.wait("state", state="open"))["agent"] == "Anna"


async def test_a_broken_line_loses_nothing_and_doubles_nothing(address: str, token: str):
    async with visitor(address) as (nora, welcome):
        session, id_ = welcome["session"], str(uuid4())
        await nora.say("one", id_)
        chat = (await nora.wait("stored"))["chat"]
    async with agent_at(address, chat, token) as anna:
        await anna.say("while you were away")
        await anna.wait("stored")
    async with visitor(address, session=session, after=1) as (nora, welcome):
        assert (welcome["chat"], welcome["last"]) == (chat, 2)
        assert await nora.texts(1) == [(2, "while you were away")]
        again = await nora.say("one", id_)
        assert (await nora.wait("stored", id=again))["sequence"] == 1
        await nora.say("two")
        assert await nora.texts(1) == [(3, "two")]


async def test_two_processes_number_the_messages_of_one_chat_without_gap(
    address: str, other_address: str, desk: Desk, token: str
):
    async with visitor(address) as (nora, _):
        await nora.say("0")
        chat = (await nora.wait("stored"))["chat"]
        async with agent_at(other_address, chat, token) as anna:
            for number in range(15):
                await nora.say(f"n{number}")
                await anna.say(f"a{number}")
            seen_here, seen_there = await nora.texts(31), await anna.texts(31)
    assert [sequence for sequence, _ in seen_here] == list(range(1, 32))
    assert seen_here == seen_there
    rows = await desk.rows(
        "SELECT count(*) AS count FROM chat_messages WHERE conversation_id = %s", UUID(chat)
    )
    assert rows[0]["count"] == 31


async def test_the_same_message_by_two_processes_at_once_is_one(
    address: str, other_address: str, desk: Desk
):
    identity = a_token(sub=f"twice-{uuid4()}")
    async with (
        visitor(address, identity=identity) as (here, _),
        visitor(other_address, identity=identity) as (there, _),
    ):
        ids = [str(uuid4()) for _ in range(10)]
        for id_ in ids:
            await asyncio.gather(here.say("once", id_), there.say("once", id_))
        answers = [(await one.wait("stored", id=id_)) for id_ in ids for one in (here, there)]
    assert len({one["chat"] for one in answers}) == 1
    assert sorted({one["sequence"] for one in answers}) == list(range(1, 11))


async def test_a_stretch_becomes_a_ticket_and_another_one_another(
    address: str, desk: Desk, agent: Caller
):
    async with visitor(address, name="Nora", email="nora@x.example") as (nora, _):
        for text in ("My printer smokes", "It is in room 12", "And my chair is broken"):
            await nora.say(text)
            stored = await nora.wait("stored")
        chat = stored["chat"]
        path = f"/v1/channels/chat/{chat}/tickets"
        printer = await agent.post(path, {"first": 1, "last": 2, "tags": ["printer"]})
        assert printer.status_code == 201, printer.text
        again = await agent.post(path, {"first": 1, "last": 2, "tags": ["printer"]})
        assert again.json() == printer.json()
        chair = await agent.post(path, {"first": 3, "last": 3, "subject": "Chair"})
        told = await nora.wait("message", side="system")
        assert f"#{printer.json()['number']}" in told["text"]
    (opened, *_) = await desk.events(printer.json()["ticket_id"])
    assert isinstance(opened, TicketOpened)
    assert (opened.subject, opened.via, opened.actor.id) == ("My printer smokes", "chat", "anna")
    assert "Nora: It is in room 12" in opened.body
    assert "chair" not in opened.body
    assert opened.requester.email == "nora@x.example"
    transcript = (await agent.send("GET", f"/v1/channels/chat/{chat}")).json()
    linked = {
        one["number"]: (one["first_sequence"], one["last_sequence"])
        for one in transcript["tickets"]
    }
    assert linked == {printer.json()["number"]: (1, 2), chair.json()["number"]: (3, 3)}
    of_ticket = await agent.send("GET", f"/v1/channels/chat?ticket_id={chair.json()['ticket_id']}")
    assert [one["id"] for one in of_ticket.json()["chats"]] == [chat]


async def test_what_a_visitor_says_of_itself_is_where_the_answer_goes_and_proves_nothing(
    address: str, desk: Desk, agent: Caller
):
    async with visitor(address) as (nora, _):
        await nora.say("Call me back")
        chat = (await nora.wait("stored"))["chat"]
        await nora.send(type="about", name="Nora", email="Nora@x.example")
        await nora.say("Please")
        await nora.wait("message", text="Please")
        made = await agent.post(f"/v1/channels/chat/{chat}/tickets", {"first": 1, "last": 2})
    (opened, *_) = await desk.events(made.json()["ticket_id"])
    assert isinstance(opened, TicketOpened)
    assert (opened.requester.id, opened.requester.name) == ("mailto:nora@x.example", "Nora")


async def test_an_answered_chat_may_end_without_a_ticket(
    address: str, desk: Desk, agent: Caller, token: str
):
    async with visitor(address) as (nora, _):
        await nora.say("Are you open?")
        chat = (await nora.wait("stored"))["chat"]
        await agent.post(f"/v1/channels/chat/{chat}/join")
        await agent.post(f"/v1/channels/chat/{chat}/join")  # who has it takes nothing
        ended = await agent.post(f"/v1/channels/chat/{chat}/end")
        assert (ended.json()["state"], ended.json()["ended_by"]) == ("ended", "anna")
        await nora.wait("state", state="ended")
        async with agent_at(address, chat, token) as anna:
            await anna.say("Too late")
            assert (await anna.wait("error"))["code"] == "chat_has_ended"
        await nora.say("One more thing")  # which begins another chat
        assert (await nora.wait("stored"))["chat"] != chat
    assert (await agent.send("GET", f"/v1/channels/chat/{chat}")).json()["tickets"] == []
    # No ticket tells of it, so the audit does.
    told = await desk.events(str(operations_stream(Owner.INTAKE, chat)))
    assert [
        (one.what, one.actor.id, one.changes) for one in told if isinstance(one, IntakeOperation)
    ] == [
        ("chat.join", "anna", {"agent": (None, "anna")}),
        ("chat.end", "anna", {}),
    ]


async def test_who_reads_the_chat_of_a_sensitive_ticket_is_in_the_audit(
    address: str, desk: Desk, agent: Caller, token: str
):
    async with visitor(address) as (nora, _):
        await nora.say("My salary is wrong")
        chat = (await nora.wait("stored"))["chat"]
    path = f"/v1/channels/chat/{chat}"
    await agent.send("GET", path)
    stretch = {"first": 1, "last": 1}
    made = await agent.post(f"{path}/tickets", {**stretch, "tags": ["confidential"]})
    ticket = made.json()["ticket_id"]
    stream = operations_stream(Owner.INTAKE, UUID(ticket))
    assert await desk.events(str(stream)) == [], "before, it was no ticket's"
    await agent.send("GET", path)
    async with agent_at(address, chat, token) as anna:
        assert (await anna.texts(1))[0] == (1, "My salary is wrong")
    told = await desk.events(str(stream))
    assert [
        (one.what, one.actor.id, one.changes) for one in told if isinstance(one, IntakeOperation)
    ] == [("chat.read", "anna", {"reasons": (None, "tag:confidential")})] * 2


async def test_a_chat_that_nobody_answered_becomes_a_ticket_when_it_falls_silent(
    address: str, desk: Desk, agent: Caller
):
    async with visitor(address, name="Nora") as (nora, _):
        await nora.say("Is anybody there?")
        chat = (await nora.wait("stored"))["chat"]
        pool = await desk.store.pool()
        async with pool.connection() as connection:
            await connection.execute(
                "UPDATE chat_conversations SET heard_at = heard_at - %s WHERE id = %s",
                (timedelta(hours=1), UUID(chat)),
            )
        watch = desk.running(SilenceWatch)
        chat_desk: ChatDesk = watch._desk
        assert await chat_desk.end_silent() >= 1
        await nora.wait("state", state="ended")
    transcript = (await agent.send("GET", f"/v1/channels/chat/{chat}")).json()
    assert transcript["chat"]["ended_by"] == "silence"
    (made,) = transcript["tickets"]
    (opened, *_) = await desk.events(made["ticket_id"])
    assert isinstance(opened, TicketOpened)
    assert (opened.subject, opened.actor.kind) == ("Is anybody there?", "customer")


async def test_a_signed_visitor_is_who_the_site_says_and_finds_the_chat_again(address: str):
    identity = a_token()
    async with visitor(address, identity=identity) as (nora, welcome):
        assert (welcome["session"], welcome["name"]) == (None, "Nora")
        await nora.say("Hello")
        chat = (await nora.wait("stored"))["chat"]
    async with visitor(address, identity=identity) as (nora, welcome):
        assert welcome["chat"] == chat
        assert await nora.texts(1) == [(1, "Hello")]


@pytest.mark.parametrize(
    ("hello", "field"),
    [
        ({"identity": a_token(exp=1)}, "identity"),
        ({"identity": "nonsense"}, "identity"),
        ({"session": "visitor.somebody.00112233445566778899aabbccddeeff"}, "session"),
        ({"session": "no session"}, "session"),
    ],
)
async def test_what_claims_to_be_somebody_and_proves_nothing_is_turned_away(address, hello, field):
    async with connect(f"ws://{address}/chat/socket", proxy=None) as socket:
        await socket.send(json.dumps({"type": "hello", **hello}))
        refusal = json.loads(await socket.recv())
        assert refusal["field"] == field
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


@pytest.mark.parametrize(
    "frame",
    ['{"type":"message"}', "[]", "no json", '{"type":"fly"}', '{"type":"message","id":"x","text":"a"}',
     json.dumps({"type": "message", "id": str(uuid4()), "text": "x" * 4_001}),
     '{"type":"message","id":"0198d2a0-0000-7000-8000-000000000000","text":"a\\u0000"}',
     '{"type":"hello"}', b"\x00\x01"],
)  # fmt: skip
async def test_bad_frames_are_told_and_the_socket_lives_on(address: str, frame: str | bytes):
    async with visitor(address) as (nora, _):
        await nora.socket.send(frame)
        assert (await nora.wait("error"))["detail"]
        await nora.say("Still here")
        await nora.wait("stored")


async def test_who_writes_faster_than_anybody_is_told_to_wait(address: str):
    async with visitor(address) as (nora, _):
        for number in range(25):
            await nora.say(str(number))
        refused = await nora.wait("error")
        assert refused["code"] == "too_fast"
        assert refused["id"]


async def test_agents_sides_are_for_agents(address: str, desk: Desk, caller, issuer: LocalIssuer):
    async with visitor(address) as (nora, _):
        await nora.say("Hello")
        chat = (await nora.wait("stored"))["chat"]
    ben = caller("ben", Role.CUSTOMER)
    for path in ("", f"/{chat}"):
        assert (await ben.send("GET", f"/v1/channels/chat{path}")).status_code == 403
    for path in ("join", "end", "tickets"):
        body = {"first": 1, "last": 1}
        assert (await ben.post(f"/v1/channels/chat/{chat}/{path}", body)).status_code == 403
    customers = issuer.issue("ben", Role.CUSTOMER)
    async with agent_at(address, chat, customers) as socket:
        assert (await socket.wait("error"))["code"] == "not_for_customers"
        with pytest.raises(ConnectionClosed):
            await socket.socket.recv()
    cookie = {"Cookie": f"ticketing_session={issuer.issue('anna', Role.AGENT)}"}
    url = f"ws://{address}/v1/channels/chat/{chat}/socket"
    evil = {**cookie, "Origin": "https://evil.example"}
    async with connect(url, additional_headers=evil, proxy=None) as socket:
        assert json.loads(await socket.recv())["code"] == "unauthorized"


async def test_the_pages_run_nothing_inline_and_stand_where_they_may(desk: Desk):
    frame = await desk.http.get("/chat/frame")
    assert "frame-ancestors https://shop.example" in frame.headers["content-security-policy"]
    assert "unsafe" not in frame.headers["content-security-policy"]
    page = await desk.http.get("/chat/desk")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    for name in ("widget.js", "frame.js", "desk.js", "chat.css"):
        assert (await desk.http.get(f"/chat/static/{name}")).status_code == 200
    assert (await desk.http.get("/chat/static/secrets")).status_code == 404
