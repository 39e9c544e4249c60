"""Several processes empty the outbox of messengers: each message once, conversations in order, also after a death."""

import asyncio
from typing import Any

import pytest

from services.intake.channels.messengers.sender import MessengerSender
from tests.integration.intake.desk import Caller, Desk
from tests.integration.intake_channels.test_messengers import (
    IDS,
    from_telegram,
    only,
    reply,
    telegram,
)
from tests.integration.intake_channels.vendors import Vendors
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("sender")]


async def test_two_senders_at_once_send_each_message_once_and_in_order(
    desk: Desk, second_desk: Desk, agent: Caller, vendors: Vendors
):
    chats = [next(IDS) for _ in range(4)]
    tickets = [only(await from_telegram(desk, telegram(chat)))["ticket_id"] for chat in chats]
    words = [f"{at}" for at in range(6)]
    other = asyncio.create_task(second_desk.running(MessengerSender).run())
    try:
        for text in words:
            await asyncio.gather(*(reply(agent, ticket, text) for ticket in tickets))
        await eventually(lambda: all(len(vendors.of(str(chat))) >= 6 for chat in chats))
        await eventually(lambda: all_are_noted(desk, tickets))
    finally:
        other.cancel()
        await asyncio.wait([other])
    for chat in chats:
        assert [one["text"] for one in vendors.of(str(chat))] == words


async def all_are_noted(desk: Desk, tickets: list[str]) -> bool:
    rows = await desk.rows(
        "SELECT state FROM messenger_outbox WHERE ticket_id = ANY(%s::uuid[])", tickets
    )
    return {row["state"] for row in rows} == {"sent"}


async def test_what_a_process_had_in_hand_when_it_died_is_sent_by_another(
    desk: Desk, agent: Caller, vendors: Vendors
):
    chat = next(IDS)
    ticket = only(await from_telegram(desk, telegram(chat)))["ticket_id"]
    vendors.next_answers = [(429, {"ok": False, "parameters": {"retry_after": 3_600}})]
    await reply(agent, ticket, "Hello")
    await eventually(lambda: not vendors.next_answers)
    await eventually(lambda: is_waiting(desk, ticket))

    def in_the_hands_of_the_dead(tx: Any) -> None:
        tx.cursor.execute(
            "UPDATE messenger_outbox SET state = 'claimed', claimed_until = now() + interval '1 second'"
            " WHERE ticket_id = %s",
            (ticket,),
        )

    await asyncio.to_thread(desk.store.transact, in_the_hands_of_the_dead)
    await eventually(lambda: vendors.of(str(chat)))
    assert [one["text"] for one in vendors.of(str(chat))] == ["Hello"]


async def is_waiting(desk: Desk, ticket: str) -> bool:
    rows = await desk.rows("SELECT state FROM messenger_outbox WHERE ticket_id = %s::uuid", ticket)
    return [row["state"] for row in rows] == ["waiting"]
