"""Whoever wrote by chat or messenger is answered, and asked for an opinion, there."""

import asyncio
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest

from shared.events.satisfaction import SatisfactionOffered, SatisfactionRated
from shared.events.tickets import AgentReplied, MessageNotDelivered, MessageSent
from tests.integration.intake.desk import Caller, Desk
from tests.integration.intake.test_life import owned, solved
from tests.integration.intake.test_satisfaction import a_policy, surveys_of, told
from tests.integration.intake_channels.conftest import PUBLIC_URL
from tests.integration.intake_channels.served import visitor
from tests.integration.intake_channels.test_messengers import (
    IDS,
    event_of,
    from_shop,
    from_telegram,
    from_whatsapp,
    only,
    reply,
    telegram,
    whatsapp,
)
from tests.integration.intake_channels.vendors import Vendors
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("sender")]


async def asked(desk: Desk, agent: Caller, supervisor: Caller, ticket: str, **policy) -> None:
    """The ticket is solved and its question due, for two processes at once."""
    await owned(desk, ticket, await a_policy(supervisor, **policy))
    await solved(agent, ticket)
    offer = surveys_of(desk).offer_due
    await asyncio.gather(*(asyncio.to_thread(offer, "c") for _ in range(2)))


async def a_chat_ticket(address: str, agent: Caller, **hello) -> tuple[str, str, str]:
    """The visitor's session, the chat and the ticket that was made of it; the chat has ended."""
    async with visitor(address, **hello) as (nora, welcome):
        await nora.say("My printer smokes")
        chat = (await nora.wait("stored"))["chat"]
        made = await agent.post(f"/v1/channels/chat/{chat}/tickets", {"first": 1, "last": 1})
        await agent.post(f"/v1/channels/chat/{chat}/end")
    return welcome["session"], chat, made.json()["ticket_id"]


async def answered(desk: Desk, words: str) -> None:
    """Press the second link, and the button of its page."""
    link = words.rsplit(maxsplit=1)[-1]
    assert link.startswith(f"{PUBLIC_URL}/survey?token=")
    path = link.removeprefix(PUBLIC_URL)
    page = await desk.http.get(path)
    assert 'value="bad" required checked' in page.text
    sent = await desk.http.post(path, data={"score": "bad"})
    assert sent.status_code == 303, sent.text


async def test_a_telegram_customer_is_asked_once_in_the_words_of_the_group(
    desk: Desk, agent: Caller, supervisor: Caller, vendors: Vendors
):
    chat = str(next(IDS))
    ticket = only(await from_telegram(desk, telegram(int(chat))))["ticket_id"]
    texts = {"question": "Wie war es?", "good": "Gut", "bad": "Schlecht"}
    await asked(desk, agent, supervisor, ticket, texts=texts)
    await eventually(lambda: vendors.of(chat))
    (question,) = vendors.of(chat)
    (offered,) = await told(desk, ticket, SatisfactionOffered)
    lines = question["text"].splitlines()
    assert lines[1] == "Wie war es?"
    assert lines[3].startswith("Gut: ")
    assert lines[4].startswith("Schlecht: ")
    assert offered.leaves_by == "messenger"
    sent = await event_of(desk, ticket, MessageSent)
    assert (sent.kind, sent.message_id, sent.sent_by) == (
        "survey",
        offered.survey_id,
        "messenger",
    )
    await answered(desk, question["text"])
    (answer,) = await told(desk, ticket, SatisfactionRated)
    assert (answer.score, answer.via, answer.actor.id) == ("bad", "messenger", f"telegram:{chat}")


async def test_whatsapp_and_a_webhook_carry_the_question_too(
    desk: Desk, agent: Caller, supervisor: Caller, vendors: Vendors
):
    number, conversation = f"49178{next(IDS)}", f"c{next(IDS)}"
    said = {"type": "text", "text": {"body": "Hello"}}
    by_whatsapp = only(await from_whatsapp(desk, whatsapp(number, said)))["ticket_id"]
    by_shop = only(await from_shop(desk, conversation=conversation))["ticket_id"]
    for ticket in (by_whatsapp, by_shop):
        await asked(desk, agent, supervisor, ticket)
    await eventually(lambda: vendors.of(number) and vendors.of(conversation))
    assert "/survey?token=" in vendors.of(number)[0]["text"]["body"]
    assert b"/survey?token=" in vendors.of(conversation)[0]["raw"]


async def test_a_question_that_does_not_arrive_is_told_as_one(
    desk: Desk, agent: Caller, supervisor: Caller, vendors: Vendors
):
    ticket = only(await from_telegram(desk, telegram(next(IDS))))["ticket_id"]
    vendors.next_answers = [(403, {"ok": False, "description": "Forbidden: bot was blocked"})]
    await asked(desk, agent, supervisor, ticket)
    refused = await event_of(desk, ticket, MessageNotDelivered)
    (offered,) = await told(desk, ticket, SatisfactionOffered)
    assert (refused.kind, refused.message_id) == ("survey", offered.survey_id)


async def test_a_group_that_asks_by_mail_only_does_not_write_to_messengers(
    desk: Desk, agent: Caller, supervisor: Caller, vendors: Vendors
):
    chat = next(IDS)
    ticket = only(await from_telegram(desk, telegram(chat)))["ticket_id"]
    await asked(desk, agent, supervisor, ticket, channels=["email"])
    assert await told(desk, ticket, SatisfactionOffered) == []
    assert vendors.of(str(chat)) == []


async def test_a_reply_after_the_chat_is_there_when_the_visitor_comes_back(
    desk: Desk, address: str, agent: Caller
):
    session, chat, ticket = await a_chat_ticket(address, agent)
    paper = await agent.post(
        "/v1/attachments?name=Fix.pdf", b"%PDF how", content_type="application/pdf"
    )
    said = {"body": "It is repaired", "attachments": [paper.json()["id"]]}
    assert (await agent.post(f"/v1/tickets/{ticket}/replies", said)).status_code == 201
    sent = await event_of(desk, ticket, MessageSent)
    replied = await event_of(desk, ticket, AgentReplied)
    assert (replied.leaves_by, sent.sent_by, sent.message_id) == (
        "chat",
        "chat",
        replied.message_id,
    )
    async with visitor(address, session=session) as (nora, welcome):
        assert (welcome["chat"], welcome["state"]) == (chat, "ended")
        words = await nora.wait("message", side="agent")
        assert (words["text"], words["author"]) == ("It is repaired", "Anna")
        file = await nora.wait("message", side="agent")
        link = urlsplit(file["text"].removeprefix("Fix.pdf: "))
        fetched = await desk.http.get(f"{link.path}?{link.query}")
        assert fetched.content == b"%PDF how"
        # Whoever answers begins another chat: this one is over.
        await nora.say("Thank you")
        assert (await nora.wait("stored"))["chat"] != chat
    async with visitor(address, session=session) as (_, welcome):
        assert welcome["state"] == "waiting"


async def test_a_reply_on_the_ticket_stands_in_a_chat_that_runs(
    desk: Desk, address: str, agent: Caller
):
    async with visitor(address) as (nora, _):
        await nora.say("Hello?")
        chat = (await nora.wait("stored"))["chat"]
        made = await agent.post(f"/v1/channels/chat/{chat}/tickets", {"first": 1, "last": 1})
        await reply(agent, made.json()["ticket_id"], "Good morning")
        assert (await nora.wait("message", side="agent"))["text"] == "Good morning"


async def test_the_question_stands_in_the_chat(
    desk: Desk, address: str, agent: Caller, supervisor: Caller
):
    session, chat, ticket = await a_chat_ticket(address, agent)
    await asked(desk, agent, supervisor, ticket)
    await event_of(desk, ticket, MessageSent)
    async with visitor(address, session=session) as (nora, welcome):
        assert welcome["chat"] == chat
        texts = [text for _, text in await nora.texts(welcome["last"])]
    (question,) = [one for one in texts if "/survey?token=" in one]
    await answered(desk, question)
    (answer,) = await told(desk, ticket, SatisfactionRated)
    assert (answer.score, answer.via) == ("bad", "chat")


async def test_an_ended_chat_without_news_is_not_shown_again(address: str, agent: Caller):
    session, _, _ = await a_chat_ticket(address, agent)
    async with visitor(address, session=session) as (_, welcome):
        assert welcome["chat"] is None


async def test_tickets_of_somebody_elses_chat_are_read_where_they_were_opened(
    desk: Desk, agent: Caller, importer: Caller
):
    said = {"via": "chat", "requester": {"id": f"visitor-{uuid4()}"}}
    ticket = (await importer.open(**said))["ticket_id"]
    await reply(agent, ticket, "Hello")
    replied = await event_of(desk, ticket, AgentReplied)
    assert (replied.via, replied.leaves_by) == ("agent", None)
    rows = await desk.rows("SELECT id FROM messenger_outbox WHERE ticket_id = %s", UUID(ticket))
    assert rows == []
