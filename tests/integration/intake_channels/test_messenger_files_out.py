"""Files out by messenger: in order behind the words, once, as the messenger shows them, else as a link or told."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from services.intake.channels.messengers import telegram as telegram_adapter
from services.intake.channels.messengers import whatsapp as whatsapp_adapter
from services.intake.channels.messengers.sender import MessengerSender
from shared.events.tickets import MessageNotDelivered, MessageSent
from tests.integration.intake.desk import Caller, Desk
from tests.integration.intake_channels.conftest import PUBLIC_URL, WEBHOOK_SECRET
from tests.integration.intake_channels.test_messengers import (
    HOOK,
    IDS,
    event_of,
    from_shop,
    from_telegram,
    from_whatsapp,
    only,
    telegram,
    whatsapp,
)
from tests.integration.intake_channels.vendors import Vendors
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("sender")]

PICTURE, PAPER = b"\x89PNG a picture", b"%PDF a paper"
PNG, PDF = ("plan.png", "image/png", PICTURE), ("Invoice.pdf", "application/pdf", PAPER)


async def reply(agent: Caller, ticket: str, text: str, *files: tuple[str, str, bytes]) -> None:
    ids = []
    for name, kind, content in files:
        kept = await agent.post(f"/v1/attachments?name={name}", content, content_type=kind)
        assert kept.status_code == 201, kept.text
        ids.append(kept.json()["id"])
    said = {"body": text, "attachments": ids}
    answer = await agent.post(f"/v1/tickets/{ticket}/replies", said)
    assert answer.status_code == 201, answer.text


async def a_telegram_ticket(desk: Desk) -> tuple[str, str]:
    chat = next(IDS)
    return str(chat), only(await from_telegram(desk, telegram(chat)))["ticket_id"]


async def a_whatsapp_ticket(desk: Desk) -> tuple[str, str]:
    number = f"49176{next(IDS)}"
    said = {"type": "text", "text": {"body": "Hello"}}
    return number, only(await from_whatsapp(desk, whatsapp(number, said)))["ticket_id"]


async def taken(vendors: Vendors, to: str, count: int) -> list[dict[str, Any]]:
    await eventually(lambda: len(vendors.of(to)) >= count)
    return vendors.of(to)


async def fetched(desk: Desk, words: str) -> bytes:
    """What the link in these words opens, for whoever has it."""
    link = words.rsplit(maxsplit=1)[-1]
    assert link.startswith(f"{PUBLIC_URL}/v1/tickets/")
    parts = urlsplit(link)
    answer = await desk.http.get(f"{parts.path}?{parts.query}")
    assert answer.status_code == 200
    return answer.content


async def test_telegram_gets_words_then_picture_then_document(
    desk: Desk, agent: Caller, vendors: Vendors
):
    chat, ticket = await a_telegram_ticket(desk)
    # What fails for now is tried again, and nothing behind it goes first.
    vendors.next_answers = [(500, {}), (429, {"ok": False, "parameters": {"retry_after": 0}})]
    await reply(agent, ticket, "Here they are", PNG, PDF)
    words, picture, paper = await taken(vendors, chat, 3)
    assert words["text"] == "Here they are"
    assert (picture["kind"], picture["name"], picture["content"]) == ("photo", PNG[0], PICTURE)
    assert (paper["kind"], paper["name"], paper["content"]) == ("document", PDF[0], PAPER)
    assert paper["content_type"] == "application/pdf"
    outbox = f"{HOOK}/outbox?state=sent&ticket_id={ticket}"

    async def all_are_noted() -> bool:
        return len((await agent.send("GET", outbox)).json()["messages"]) == 3

    await eventually(all_are_noted)
    assert len(vendors.of(chat)) == 3
    assert (await desk.names(ticket)).count("MessageSent") == 1


async def test_a_picture_that_telegram_cannot_show_is_a_document(
    desk: Desk, agent: Caller, vendors: Vendors, monkeypatch: pytest.MonkeyPatch
):
    refusal = {"ok": False, "description": "Bad Request: PHOTO_INVALID_DIMENSIONS"}
    monkeypatch.setitem(vendors.refused, "photo", refusal)
    chat, ticket = await a_telegram_ticket(desk)
    await reply(agent, ticket, "A long plan", PNG)
    _, plan = await taken(vendors, chat, 2)
    assert (plan["kind"], plan["content"]) == ("document", PICTURE)


async def test_what_is_too_large_leaves_as_a_link(
    desk: Desk, agent: Caller, vendors: Vendors, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(telegram_adapter, "FILE_BYTES_MAX", 4)
    chat, ticket = await a_telegram_ticket(desk)
    await reply(agent, ticket, "See", PDF)
    _, linked = await taken(vendors, chat, 2)
    assert linked["text"].startswith(f"Invoice.pdf: {PUBLIC_URL}/")
    assert await fetched(desk, linked["text"]) == PAPER


async def test_without_links_what_is_too_large_is_told_and_the_next_file_leaves(
    desk: Desk,
    agent: Caller,
    vendors: Vendors,
    sender: MessengerSender,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(sender._files, "_public_url", None)
    monkeypatch.setattr(telegram_adapter, "FILE_BYTES_MAX", len(PAPER))
    chat, ticket = await a_telegram_ticket(desk)
    large = ("film.bin", "application/octet-stream", b"x" * 100)
    await reply(agent, ticket, "See", large, PDF)
    _, paper = await taken(vendors, chat, 2)
    assert paper["name"] == "Invoice.pdf"
    told = await event_of(desk, ticket, MessageNotDelivered)
    assert told.reason.startswith("film.bin: Telegram takes files of up to ")
    assert "TICKETING_PUBLIC_URL" in told.reason
    assert (await event_of(desk, ticket, MessageSent)).message_id == told.message_id


async def test_whatsapp_gets_an_upload_and_a_message_that_names_it(
    desk: Desk, agent: Caller, vendors: Vendors
):
    number, ticket = await a_whatsapp_ticket(desk)
    await reply(agent, ticket, "Here", PNG, PDF)
    words, picture, paper = await taken(vendors, number, 3)
    assert words["text"]["body"] == "Here"
    assert (picture["type"], picture["content"]) == ("image", PICTURE)
    assert (paper["document"]["filename"], paper["content"]) == ("Invoice.pdf", PAPER)


@pytest.mark.parametrize("why", ["type", "size", "window"])
async def test_whatsapp_takes_some_types_up_to_a_size_within_a_day_and_the_rest_as_links(
    desk: Desk, agent: Caller, vendors: Vendors, monkeypatch: pytest.MonkeyPatch, why: str
):
    limits = dict.fromkeys(whatsapp_adapter.SENT_MB_MAX, 0)
    number, file = f"49177{next(IDS)}", PDF
    said: dict[str, Any] = {"type": "text", "text": {"body": "Hello"}}
    if why == "type":
        file = ("box.zip", "application/zip", PAPER)
    elif why == "size":
        monkeypatch.setattr(whatsapp_adapter, "SENT_MB_MAX", limits)
    else:
        said["timestamp"] = "1"
    body = whatsapp(number, said, number="222")
    ticket = only(await from_whatsapp(desk, body, "templated"))["ticket_id"]
    await reply(agent, ticket, "Here", file)
    _, linked = await taken(vendors, number, 2)
    words = (
        linked["template"]["components"][0]["parameters"][0]["text"]
        if why == "window"
        else linked["text"]["body"]
    )
    assert words.startswith(f"{file[0]}: ")
    assert await fetched(desk, words) == PAPER


async def test_a_webhook_is_told_of_each_file_and_where_it_is(
    desk: Desk, agent: Caller, vendors: Vendors
):
    conversation = f"c{next(IDS)}"
    ticket = only(await from_shop(desk, conversation=conversation))["ticket_id"]
    await reply(agent, ticket, "Here", PDF)
    words, paper = (
        vendors.verify(one, WEBHOOK_SECRET)["data"] for one in await taken(vendors, conversation, 2)
    )
    assert "file" not in words
    assert words["message_id"] == paper["message_id"]
    file = paper["file"]
    assert (file["name"], file["content_type"], file["size"]) == (*PDF[:2], len(PAPER))
    assert paper["text"] == f"Invoice.pdf: {file['url']}"
    assert await fetched(desk, file["url"]) == PAPER


async def test_a_dead_file_that_leaves_after_all_is_told_as_sent(
    desk: Desk,
    agent: Caller,
    supervisor: Caller,
    vendors: Vendors,
    sender: MessengerSender,
    monkeypatch: pytest.MonkeyPatch,
):
    chat, ticket = await a_telegram_ticket(desk)
    with monkeypatch.context() as while_away:
        while_away.setattr(sender._files, "_public_url", None)
        while_away.setitem(vendors.refused, "document", {"ok": False, "description": "Bad file"})
        await reply(agent, ticket, "Words", PDF)
        told = await event_of(desk, ticket, MessageNotDelivered)
    assert told.reason.startswith("Invoice.pdf: 400: Bad file")
    outbox = await agent.send("GET", f"{HOOK}/outbox?state=dead&ticket_id={ticket}")
    (dead,) = outbox.json()["messages"]
    assert (await supervisor.post(f"{HOOK}/outbox/{dead['id']}/retry")).status_code == 204
    await taken(vendors, chat, 2)

    async def last_told() -> bool:
        return (await desk.names(ticket))[-1] == "MessageSent"

    await eventually(last_told)
