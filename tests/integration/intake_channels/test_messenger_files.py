"""Pictures and files by messenger: fetched from the messenger's own hosts, kept once, told when they cannot be had."""

import time
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import httpx2
import pytest

from shared.events.messages import AttachedFile
from tests.integration.intake.desk import Caller, Desk
from tests.integration.intake_channels.test_messengers import (
    from_telegram,
    from_whatsapp,
    only,
    telegram,
    whatsapp,
)
from tests.integration.intake_channels.vendors import Vendors

pytestmark = pytest.mark.integration

_CHATS = count(int(time.time()) * 10)
PICTURE = b"\xff\xd8 a picture"
LONG_AGO = int(time.time()) - 3_600


@pytest.fixture
async def house(vendors: Vendors) -> AsyncIterator[Vendors]:
    """The messengers' servers with one picture."""
    vendors.files = {"large": PICTURE}
    vendors.fetched.clear()
    yield vendors
    assert vendors.next_answers == []


def a_photo(caption: str | None = None, **said: Any) -> dict[str, Any]:
    more = {} if caption is None else {"caption": caption}
    sizes = [{"file_id": "small"}, {"file_id": "large", "file_size": len(PICTURE)}]
    return telegram(next(_CHATS), None, photo=sizes, **more, **said)


async def first(desk: Desk, answer: httpx2.Response) -> tuple[str, tuple[AttachedFile, ...]]:
    """Words and files of the message that opened the ticket."""
    opened: Any = (await desk.events(only(answer)["ticket_id"]))[0]
    return opened.body, opened.attachments


async def test_the_largest_size_of_a_photo_is_kept_and_can_be_looked_at(
    desk: Desk, agent: Caller, house: Vendors
):
    update = a_photo("See")
    answer = await from_telegram(desk, update)
    words, (file,) = await first(desk, answer)
    assert words == "See"
    assert (file.name, file.content_type, file.size) == ("large.jpg", "image/jpeg", len(PICTURE))
    ticket = only(answer)["ticket_id"]
    shown = await agent.send("GET", f"/v1/tickets/{ticket}/attachments/{file.id}?inline=true")
    assert (shown.content, shown.headers["content-type"]) == (PICTURE, "image/jpeg")
    assert shown.headers["content-disposition"].startswith("inline")
    assert only(await from_telegram(desk, update))["ticket_id"] == ticket
    assert house.fetched == ["large"]  # the same update again fetches nothing


async def test_a_file_without_words_is_named_by_its_kind_and_follows_in_the_conversation(
    desk: Desk, house: Vendors
):
    chat = next(_CHATS)
    ticket = only(await from_telegram(desk, telegram(chat)))["ticket_id"]
    document = {"file_id": "large", "file_name": "../../Invoice <1>.pdf"}
    await from_telegram(desk, telegram(chat, None, document=document))
    reply: Any = (await desk.events(ticket))[-1]
    assert (reply.body, reply.attachments[0].name) == ("[document]", "Invoice _1_.pdf")


async def test_an_animation_that_comes_as_a_document_once_more_is_one_file(
    desk: Desk, house: Vendors
):
    gif = {"file_id": "large", "file_name": "party.mp4"}
    update = telegram(next(_CHATS), None, animation=gif, document=gif)
    _, files = await first(desk, await from_telegram(desk, update))
    assert [file.name for file in files] == ["party.mp4"]
    assert house.fetched == ["large"]


async def test_whatsapp_is_asked_where_it_is_and_gets_its_token(desk: Desk, house: Vendors):
    image = {"type": "image", "image": {"id": "large", "caption": "Look"}}
    words, (file,) = await first(
        desk, await from_whatsapp(desk, whatsapp(f"49174{next(_CHATS)}", image))
    )
    assert (words, file.name, file.content_type) == ("Look", "image.png", "image/png")


async def test_nothing_is_fetched_from_a_host_that_is_not_the_messengers(
    desk: Desk, house: Vendors
):
    image = {"type": "image", "image": {"id": "elsewhere"}}
    words, (file,) = await first(
        desk, await from_whatsapp(desk, whatsapp(f"49175{next(_CHATS)}", image))
    )
    assert words == "[image]"
    assert file.withheld == "it is kept on stranger.example, which is not the messenger's"
    assert house.fetched == []


async def test_what_the_messenger_will_never_give_is_told_and_the_message_is_there(
    desk: Desk, house: Vendors
):
    video = {"file_id": "huge", "file_size": 10**9}
    words, (file,) = await first(
        desk, await from_telegram(desk, telegram(next(_CHATS), None, video=video))
    )
    assert (words, file.size) == ("[video]", 10**9)
    assert file.withheld == "400: Bad Request: file is too big"
    program = {"file_id": "large", "file_name": "setup.exe"}
    _, (file,) = await first(
        desk, await from_telegram(desk, telegram(next(_CHATS), None, document=program))
    )
    assert file.withheld == "files of type .exe are not kept"


async def test_a_new_message_waits_for_its_file_and_an_old_one_goes_without(
    desk: Desk, house: Vendors
):
    update, away = a_photo(), (502, {"description": "bad gateway"})
    house.next_answers = [away]
    early = await from_telegram(desk, update)
    assert (early.status_code, early.headers["retry-after"]) == (503, "15")
    _, (file,) = await first(desk, await from_telegram(desk, update))
    assert file.withheld is None
    house.next_answers = [away]
    _, (file,) = await first(desk, await from_telegram(desk, a_photo(date=LONG_AGO)))
    assert file.withheld == "it could not be fetched: 502: bad gateway"
