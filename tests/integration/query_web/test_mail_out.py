"""What became of a mail stands beside the message it carried, for those who work here."""

from typing import Any
from uuid import UUID

import pytest

from shared.events.tickets import AgentReplied, MessageNotDelivered, MessageSent
from shared.identifiers import new_id
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story

pytestmark = pytest.mark.integration


def a_reply(story: Story, minute: int, leaves_by: str | None = "email") -> UUID:
    message_id = new_id()
    story.tell(AgentReplied, minute, message_id=message_id, body="look", leaves_by=leaves_by)
    return message_id


def sent(story: Story, minute: int, message_id: UUID, *to: str) -> None:
    story.tell(
        MessageSent,
        minute,
        message_id=message_id,
        kind="reply",
        sent_by="email",
        recipients=to,
        mail_id="a@b",
    )


def lost(story: Story, minute: int, message_id: UUID, *to: str) -> None:
    story.tell(
        MessageNotDelivered,
        minute,
        message_id=message_id,
        kind="reply",
        sent_by="email",
        recipients=to,
        cause="bounced",
        reason="550 <i>mailbox</i> full",
    )


async def deliveries(reader: Reader) -> list[dict[str, Any] | None]:
    messages = (await reader.read("/v1/tickets/7"))["ticket"]["messages"]
    return [one["delivery"] for one in messages]


async def test_each_message_says_how_far_it_has_come_and_the_last_word_counts(reader: Reader):
    story = Story(7).opened()
    sent(story, 1, a_reply(story, 1), "ann@x.example", "boss@x.example")
    a_reply(story, 2)
    a_reply(story, 3, leaves_by=None)
    bounced = a_reply(story, 4)
    sent(story, 4, bounced, "Ann@x.example", "boss@x.example")
    lost(story, 5, bounced, "ann@x.example")
    again = a_reply(story, 6)
    lost(story, 6, again, "ann@x.example")
    sent(story, 7, again, "ann@x.example")
    reader.feed(story)
    opened, first, waiting, read_here, failed, retried = await deliveries(reader)
    assert opened is None
    assert read_here is None
    assert first is not None
    assert waiting is not None
    assert failed is not None
    assert retried is not None
    assert (first["state"], first["sent_to"]) == ("sent", ["ann@x.example", "boss@x.example"])
    assert waiting["state"] == "waiting"
    assert (failed["state"], failed["sent_to"]) == ("failed", ["boss@x.example"])
    assert (failed["not_delivered_to"], failed["reason"]) == (
        ["ann@x.example"],
        "550 <i>mailbox</i> full",
    )
    assert (retried["state"], retried["not_delivered_to"]) == ("sent", [])


async def test_the_page_and_the_timeline_tell_it_and_no_customer_reads_it(reader: Reader):
    story = Story(7).opened()
    lost(story, 2, a_reply(story, 1), "ann@x.example")
    reader.feed(story)
    page = (await reader.get("/tickets/7")).text
    assert "not delivered to ann@x.example: 550 &lt;i&gt;mailbox&lt;/i&gt; full" in page
    assert "did not deliver the message to ann@x.example: it came back" in page
    answer = await reader.get("/v1/tickets/7", role=Role.CUSTOMER, subject="carl")
    assert answer.status_code == 200
    assert "mailbox" not in answer.text
    assert "delivery" not in answer.text
