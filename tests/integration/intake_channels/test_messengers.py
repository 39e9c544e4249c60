"""Messengers in and out: signed, once, in the order of the conversation, and told on the ticket."""

import asyncio
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook

from shared.events.base import Owner
from shared.events.operations import IntakeOperation, operations_stream
from shared.events.tickets import AgentReplied, MessageNotDelivered, MessageSent, TicketOpened
from tests.integration.intake.desk import Caller, Desk
from tests.integration.intake_channels.conftest import MESSENGER_SECRET, WEBHOOK_SECRET
from tests.integration.intake_channels.vendors import Vendors
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("sender")]

IDS = count(int(time.time()))
HOOK = "/v1/channels/messengers"


def telegram(chat: int, text: str | None = "Hello", **said: Any) -> dict[str, Any]:
    message = {
        "message_id": next(IDS),
        "date": int(time.time()) - 5,
        "chat": {"id": chat, "type": "private"},
        "from": {"id": chat, "is_bot": False, "first_name": "Nora", "last_name": "N."},
    }
    if text is not None:
        message["text"] = text
    return {"update_id": next(IDS), "message": message | said}


async def from_telegram(desk: Desk, update: Any, secret: str = MESSENGER_SECRET) -> httpx2.Response:
    headers = {"X-Telegram-Bot-Api-Secret-Token": secret}
    content = json.dumps(update)
    return await desk.http.post(f"{HOOK}/telegram/support", content=content, headers=headers)


def whatsapp(sender: str, *messages: dict[str, Any], number: str = "106540352242922", **value: Any):
    said = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": number},
        "contacts": [{"profile": {"name": "Nora"}, "wa_id": sender}],
        "messages": [
            {"from": sender, "id": f"wamid.in{next(IDS)}", "timestamp": str(int(time.time()) - 5)}
            | one
            for one in messages
        ],
    } | value
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": "messages", "value": said}]}],
    }


async def from_whatsapp(
    desk: Desk, body: Any, name: str = "main", **headers: str
) -> httpx2.Response:
    raw = json.dumps(body).encode()
    signed = hmac.new(MESSENGER_SECRET.encode(), raw, hashlib.sha256).hexdigest()
    said = {"X-Hub-Signature-256": f"sha256={signed}", **headers}
    return await desk.http.post(f"{HOOK}/whatsapp/{name}", content=raw, headers=said)


async def from_shop(desk: Desk, secret: str = WEBHOOK_SECRET, **data: Any) -> httpx2.Response:
    said = {"id": f"m{next(IDS)}", "conversation": "c1", "person": {"id": "7"}, "text": "Hello"}
    raw = json.dumps({"type": "message.created", "data": said | data})
    now, id_ = datetime.now(UTC), f"msg_{next(IDS)}"
    headers = {
        "webhook-id": id_,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(id_, now, raw),
        "content-type": "application/json",
    }
    return await desk.http.post(f"{HOOK}/webhook/shop", content=raw, headers=headers)


def only(answer: httpx2.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    (message,) = answer.json()["messages"]
    return message


async def reply(agent: Caller, ticket_id: str, text: str) -> None:
    answer = await agent.post(f"/v1/tickets/{ticket_id}/replies", {"body": text})
    assert answer.status_code == 201, answer.text


async def event_of(desk: Desk, ticket_id: str, kind: type) -> Any:
    async def found() -> Any:
        return next((e for e in await desk.events(ticket_id) if isinstance(e, kind)), None)

    return await eventually(found)


async def test_telegram_there_and_back(desk: Desk, agent: Caller, vendors: Vendors):
    chat = next(IDS)
    opened = only(await from_telegram(desk, telegram(chat, "My order\nis late")))
    first = (await desk.events(opened["ticket_id"]))[0]
    assert isinstance(first, TicketOpened)
    assert (first.via, first.subject, first.body) == (
        "messenger",
        "My order is late",
        "My order\nis late",
    )
    assert (first.requester.id, first.requester.name) == (f"telegram:{chat}", "Nora N.")
    assert first.fields == {"group": "first-line", "messenger": "telegram:support"}
    again = only(await from_telegram(desk, telegram(chat, "Hello?")))
    assert (again["done"], again["ticket_id"]) == ("replied", opened["ticket_id"])
    await reply(agent, opened["ticket_id"], "It comes tomorrow.")
    sent = await event_of(desk, opened["ticket_id"], MessageSent)
    replied = await event_of(desk, opened["ticket_id"], AgentReplied)
    assert replied.leaves_by == "messenger"
    assert (sent.message_id, sent.sent_by) == (replied.message_id, "messenger")
    assert [one["text"] for one in vendors.of(str(chat))] == ["It comes tomorrow."]


async def test_the_same_update_again_and_by_two_processes_at_once_is_one(
    desk: Desk, second_desk: Desk
):
    update = telegram(next(IDS))
    answers = await asyncio.gather(*(from_telegram(one, update) for one in (desk, second_desk) * 5))
    assert len({only(one)["message_id"] for one in answers}) == 1
    assert await desk.names(only(answers[0])["ticket_id"]) == ["TicketOpened"]


async def test_replies_leave_in_the_order_in_which_they_were_written(
    desk: Desk, agent: Caller, vendors: Vendors
):
    chat = next(IDS)
    ticket = only(await from_telegram(desk, telegram(chat)))["ticket_id"]
    vendors.next_answers = [
        (500, {}),
        (429, {"ok": False, "parameters": {"retry_after": 0}}),
    ]
    words = [*map(str, range(5)), "long " * 1_500]
    for text in words:
        await reply(agent, ticket, text)
    await eventually(lambda: len(vendors.of(str(chat))) == 7)
    texts = [one["text"] for one in vendors.of(str(chat))]
    assert texts[:5] == words[:5]
    assert " ".join(texts[5:]) == words[5].strip()


async def test_a_customer_who_has_blocked_the_bot_is_told_on_the_ticket(
    desk: Desk, agent: Caller, vendors: Vendors
):
    ticket = only(await from_telegram(desk, telegram(next(IDS))))["ticket_id"]
    refusal = {
        "ok": False,
        "error_code": 403,
        "description": "Forbidden: bot was blocked by the user",
    }
    vendors.next_answers = [(403, refusal)]
    await reply(agent, ticket, "Hello")
    told = await event_of(desk, ticket, MessageNotDelivered)
    assert (told.cause, told.reason) == ("refused", "403: Forbidden: bot was blocked by the user")
    outbox = await agent.send("GET", f"{HOOK}/outbox?state=dead&ticket_id={ticket}")
    (dead,) = outbox.json()["messages"]
    assert "blocked" in dead["last_error"]


async def test_a_dead_message_is_tried_again_when_a_supervisor_says_so(
    desk: Desk, agent: Caller, supervisor: Caller, vendors: Vendors
):
    chat = next(IDS)
    ticket = only(await from_telegram(desk, telegram(chat)))["ticket_id"]
    vendors.next_answers = [(400, {"ok": False, "description": "Bad Request"})]
    await reply(agent, ticket, "Hello")
    await event_of(desk, ticket, MessageNotDelivered)
    outbox = await agent.send("GET", f"{HOOK}/outbox?state=dead&ticket_id={ticket}")
    id_ = outbox.json()["messages"][0]["id"]
    assert (await agent.post(f"{HOOK}/outbox/{id_}/retry")).status_code == 403
    assert (await supervisor.post(f"{HOOK}/outbox/{id_}/retry")).status_code == 204
    (noted,) = await desk.events(str(operations_stream(Owner.INTAKE, ticket)))
    assert isinstance(noted, IntakeOperation)
    assert (noted.what, noted.changes) == ("message.retry", {"state": ("dead", "waiting")})
    await eventually(lambda: vendors.of(str(chat)))


async def test_places_and_contacts_of_telegram_are_words_and_bots_are_passed_over(desk: Desk):
    where = {"latitude": 52.5, "longitude": 13.4}
    ticket = only(
        await from_telegram(desk, telegram(next(IDS), None, caption="Here", location=where))
    )
    (first,) = await desk.events(ticket["ticket_id"])
    assert isinstance(first, TicketOpened)
    assert first.body == "Here\n[location: 52.5, 13.4]"
    robot = telegram(1, **{"from": {"id": 1, "is_bot": True, "first_name": "B"}})
    for update in (robot, {"update_id": next(IDS), "poll": {"id": "1"}}):
        answer = await from_telegram(desk, update)
        assert answer.json() == {"messages": [], "told": 0, "passed_over": 1}


async def test_whatsapp_there_and_back_with_what_became_of_it(
    desk: Desk, agent: Caller, vendors: Vendors
):
    number = f"49171{next(IDS)}"
    said = {"type": "text", "text": {"body": "Hello"}}
    ticket = only(await from_whatsapp(desk, whatsapp(number, said)))["ticket_id"]
    first = (await desk.events(ticket))[0]
    assert isinstance(first, TicketOpened)
    assert (first.requester.id, first.requester.name) == (f"whatsapp:{number}", "Nora")
    await reply(agent, ticket, "Good morning")
    await event_of(desk, ticket, MessageSent)
    (sent,) = vendors.of(number)
    assert sent["text"]["body"] == "Good morning"
    for state in ("delivered", "read", "delivered"):
        status = {"id": sent["id"], "status": state, "timestamp": "1", "recipient_id": number}
        answer = await from_whatsapp(desk, whatsapp(number, messages=[], statuses=[status]))
        assert answer.json()["told"] == 1
    (row,) = (await agent.send("GET", f"{HOOK}/outbox?ticket_id={ticket}")).json()["messages"]
    assert (row["state"], row["delivery"]) == ("sent", "read")
    errors = [{"code": 131026, "title": "Message undeliverable"}]
    status = {"id": sent["id"], "status": "failed", "errors": errors}
    for _ in range(2):
        await from_whatsapp(desk, whatsapp(number, messages=[], statuses=[status]))
    names = await desk.names(ticket)
    assert names.count("MessageNotDelivered") == 1
    told = await event_of(desk, ticket, MessageNotDelivered)
    assert (told.cause, told.reason) == ("bounced", "131026 Message undeliverable")


@pytest.mark.parametrize("name", ["main", "templated"])
async def test_after_24_hours_whatsapp_takes_a_template_or_nothing(
    desk: Desk, agent: Caller, vendors: Vendors, name: str
):
    number, ours = f"49172{next(IDS)}", {"main": "106540352242922", "templated": "222"}[name]
    long_ago = str(int((datetime.now(UTC) - timedelta(hours=25)).timestamp()))
    said = {"type": "text", "text": {"body": "Hello"}, "timestamp": long_ago}
    ticket = only(await from_whatsapp(desk, whatsapp(number, said, number=ours), name))["ticket_id"]
    await reply(agent, ticket, "Good\nmorning")
    if name == "main":
        told = await event_of(desk, ticket, MessageNotDelivered)
        assert "24 hours" in told.reason
        assert vendors.of(number) == []
    else:
        await event_of(desk, ticket, MessageSent)
        (sent,) = vendors.of(number)
        assert sent["template"]["name"] == "support_reply"
        assert sent["template"]["components"][0]["parameters"][0]["text"] == "Good morning"


async def test_whatsapp_places_buttons_and_other_numbers(desk: Desk):
    number = f"49173{next(IDS)}"
    place = {"type": "location", "location": {"latitude": 52.5, "longitude": 13.4}}
    button = {
        "type": "interactive",
        "interactive": {"type": "button_reply", "button_reply": {"id": "1", "title": "Yes"}},
    }
    thumb = {"type": "reaction", "reaction": {"emoji": "👍"}}
    answer = (await from_whatsapp(desk, whatsapp(number, place, button, thumb))).json()
    assert [one["done"] for one in answer["messages"]] == ["opened", "replied"]
    assert answer["passed_over"] == 1
    opened, replied = await desk.events(answer["messages"][0]["ticket_id"])
    assert (opened.body, replied.body) == ("[location: 52.5, 13.4]", "Yes")
    other = whatsapp(number, place, number="1")
    assert (await from_whatsapp(desk, other)).json()["passed_over"] == 1


async def test_meta_confirms_the_address_with_our_token_only(desk: Desk):
    path = f"{HOOK}/whatsapp/main?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
    confirmed = await desk.http.get(path + MESSENGER_SECRET)
    assert (confirmed.status_code, confirmed.text) == (200, "1158201444")
    assert (await desk.http.get(path + "guess")).status_code == 401


async def test_any_system_by_signed_webhook_there_and_back(
    desk: Desk, agent: Caller, vendors: Vendors
):
    conversation = f"c{next(IDS)}"
    person = {"id": "7", "name": "Nora", "email": "nora@x.example"}
    said = {"conversation": conversation, "person": person, "subject": "Order 12"}
    ticket = only(await from_shop(desk, **said))["ticket_id"]
    first = (await desk.events(ticket))[0]
    assert isinstance(first, TicketOpened)
    assert (first.subject, first.requester.id, first.tags) == ("Order 12", "shop:7", ("shop",))
    vendors.next_answers = [(503, {})]
    await reply(agent, ticket, "On its way")
    await event_of(desk, ticket, MessageSent)
    (sent,) = vendors.of(conversation)
    content = vendors.verify(sent, WEBHOOK_SECRET)
    assert content["type"] == "reply.created"
    assert (content["data"]["text"], content["data"]["author"]) == ("On its way", "Anna")


async def test_what_is_not_signed_as_agreed_is_refused(desk: Desk):
    other = "whsec_" + "AAAA" * 8
    assert (await from_shop(desk, other)).status_code == 401
    assert (await desk.http.post(f"{HOOK}/webhook/shop", content=b"{}")).status_code == 401
    odd = {"webhook-id": "1", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1"}
    answer = await desk.http.post(f"{HOOK}/webhook/shop", content=b"{}", headers=odd)
    assert answer.status_code == 401
    assert (await from_telegram(desk, telegram(1), "guess")).status_code == 401
    forged = await from_whatsapp(desk, whatsapp("1"), **{"X-Hub-Signature-256": "sha256=00"})
    assert forged.status_code == 401
    assert forged.json()["errors"][0]["field"] == "header X-Hub-Signature-256"


@pytest.mark.parametrize(
    ("said", "field"),
    [({"text": ""}, "data.text"), ({"person": {}}, "data.person.id"), ({"id": 1}, "data.id")],
)
async def test_bad_input_names_the_field(desk: Desk, said: dict[str, Any], field: str):
    answer = await from_shop(desk, **said)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


async def test_what_is_not_switched_on_is_not_there(desk: Desk):
    assert (await desk.http.post(f"{HOOK}/telegram/other", json={})).status_code == 404
    assert (await desk.http.post(f"{HOOK}/signal/support", json={})).status_code == 404


async def test_a_contact_is_known_by_the_number_that_whatsapp_names(desk: Desk, agent: Caller):
    number, said = f"4930{next(IDS)}", {"type": "text", "text": {"body": "Hello"}}
    before = only(await from_whatsapp(desk, whatsapp(number, said)))["ticket_id"]
    known = {"name": "Nora Known", "phones": [f"+{number}"], "tier": "gold"}
    contact = (await agent.post("/v1/contacts", known)).json()["contact_id"]
    again = only(await from_whatsapp(desk, whatsapp(number, said)))
    assert again["ticket_id"] == before
    reply: Any = (await desk.events(before))[-1]
    assert (reply.body, reply.is_third_party) == ("Hello", False)

    elsewhere = await from_whatsapp(desk, whatsapp(number, said, number="222"), "templated")
    opened: Any = (await desk.events(only(elsewhere)["ticket_id"]))[0]
    person = opened.requester
    assert (person.id, str(person.contact_id)) == (f"tel:+{number}", contact)
    assert (person.name, person.tier) == ("Nora Known", "gold")
