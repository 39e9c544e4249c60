"""The files of a conversation: listed with links, and not more than the reader may see."""

from typing import Any
from uuid import UUID

import pytest

from shared.events import Actor, ActorKind
from shared.events.messages import AttachedFile
from shared.events.tickets import CustomerReplied, MessageRecorded, NoteAdded
from shared.identifiers import new_id
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story

pytestmark = pytest.mark.integration

EVE = Actor(ActorKind.CUSTOMER, "mailto:eve@other.example", "Eve")


def a_file(name: str, **said: Any) -> AttachedFile:
    return AttachedFile(new_id(), name, "text/plain", 2_048, "ab" * 32, **said)


def with_files(reader: Reader) -> UUID:
    original = a_file("original.eml", is_original=True)
    story = Story(7).opened(attachments=(a_file("<b>fire</b>.png"), original))
    story.tell(NoteAdded, 1, message_id=new_id(), body="see", attachments=(a_file("secret.txt"),))
    story.tell(
        CustomerReplied,
        2,
        by=EVE,
        message_id=new_id(),
        body="me too",
        is_third_party=True,
        attachments=(a_file("x.exe", withheld="files of type .exe are not kept"),),
    )
    story.tell(
        MessageRecorded,
        3,
        by=EVE,
        message_id=new_id(),
        body="I am away.",
        kind="auto_reply",
        reason="Auto-Submitted: auto-replied",
    )
    reader.feed(story)
    return story.ticket_id


async def test_an_agent_sees_every_file_and_what_was_only_recorded(reader: Reader):
    ticket_id = with_files(reader)
    page = (await reader.get("/tickets/7")).text
    assert f'href="/v1/tickets/{ticket_id}/attachments/' in page
    assert "&lt;b&gt;fire&lt;/b&gt;.png" in page
    assert "<b>fire</b>" not in page
    for said in ("secret.txt", "original.eml", "third party", "I am away.", "are not kept"):
        assert said in page
    assert "sent an automatic reply; recorded, nothing else follows" in page


async def test_a_customer_sees_neither_a_notes_files_nor_the_original_nor_what_was_recorded(
    reader: Reader,
):
    with_files(reader)
    answer = await reader.get("/v1/tickets/7", role=Role.CUSTOMER, subject="carl")
    messages = answer.json()["ticket"]["messages"]
    assert [one["name"] for message in messages for one in message["attachments"]] == [
        "<b>fire</b>.png",
        "x.exe",
    ]
    for hidden in ("secret.txt", "original.eml", "I am away."):
        assert hidden not in answer.text


async def test_what_was_recorded_moves_no_figure(reader: Reader):
    with_files(reader)
    ticket = (await reader.read("/v1/tickets/7"))["ticket"]
    assert (ticket["status"], ticket["customer_message_count"], ticket["note_count"]) == (
        "new",
        2,
        1,
    )
