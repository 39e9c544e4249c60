"""Operators see what comes and goes by every channel, and what is left lying."""

import asyncio
from typing import Any

import pytest

from services.intake.channels.messengers.sender import MessengerSender
from services.intake.channels.outbox_watch import OutboxWatch
from shared.observability import metrics
from tests.integration.intake.desk import Caller, Desk
from tests.integration.intake_channels.served import visitor
from tests.integration.intake_channels.test_messengers import (
    IDS,
    from_telegram,
    only,
    reply,
    telegram,
)
from tests.integration.intake_channels.vendors import Vendors
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


def value(metric: Any, *labels: str) -> float:
    return metric.labels(*labels)._value.get()


@pytest.fixture
def watch(desk: Desk) -> OutboxWatch:
    """The one that the service itself runs."""
    return desk.running(OutboxWatch)


async def test_what_comes_is_counted_once(desk: Desk, address: str):
    before = [value(metrics.INTAKE_MESSAGES_IN, one) for one in ("messenger", "chat")]
    update = telegram(next(IDS))
    for _ in range(2):
        only(await from_telegram(desk, update))
    async with visitor(address) as (nora, _):
        id_ = await nora.say("Hello")
        await nora.wait("stored")
        await nora.say("Hello", id_)
        await nora.wait("stored")
    after = [value(metrics.INTAKE_MESSAGES_IN, one) for one in ("messenger", "chat")]
    assert [late - early for late, early in zip(after, before, strict=True)] == [1, 1]


async def test_visitors_are_counted_while_they_are_connected(address: str):
    before = value(metrics.INTAKE_CHAT_SOCKETS, "visitor")
    async with visitor(address):
        assert value(metrics.INTAKE_CHAT_SOCKETS, "visitor") == before + 1
    await eventually(lambda: value(metrics.INTAKE_CHAT_SOCKETS, "visitor") == before)


async def test_what_waits_and_what_was_given_up_is_seen(
    desk: Desk, agent: Caller, vendors: Vendors, watch: OutboxWatch, sender: MessengerSender
):
    ticket = only(await from_telegram(desk, telegram(next(IDS))))["ticket_id"]
    await watch.look()
    waited = value(metrics.INTAKE_OUTBOX_WAITING, "messenger")
    died = value(metrics.INTAKE_OUTBOX_DEAD, "messenger")
    vendors.next_answers = [(429, {"ok": False, "parameters": {"retry_after": 3_600}})]
    await reply(agent, ticket, "Hello")
    await eventually(lambda: not vendors.next_answers)
    await watch.look()
    assert value(metrics.INTAKE_OUTBOX_WAITING, "messenger") == waited + 1
    assert value(metrics.INTAKE_OUTBOX_OLDEST_SECONDS, "messenger") > 0
    await asyncio.to_thread(desk.store.transact, lambda tx: aged(tx, ticket, "waiting"))
    await watch.look()
    assert value(metrics.INTAKE_OUTBOX_OLDEST_SECONDS, "messenger") >= 3_600
    assert value(metrics.INTAKE_OUTBOX_OLDEST_SECONDS, "chat") == 0
    await asyncio.to_thread(desk.store.transact, lambda tx: aged(tx, ticket, "dead"))
    await watch.look()
    assert value(metrics.INTAKE_OUTBOX_WAITING, "messenger") == waited
    assert value(metrics.INTAKE_OUTBOX_DEAD, "messenger") == died + 1


def aged(tx: Any, ticket: str, state: str) -> None:
    tx.cursor.execute(
        "UPDATE messenger_outbox SET created_at = created_at - interval '1 hour', state = %s"
        " WHERE ticket_id = %s",
        (state, ticket),
    )


async def test_attempts_are_counted_by_what_came_of_them(
    desk: Desk, agent: Caller, vendors: Vendors, sender: MessengerSender
):
    outcomes = ("sent", "later", "dead")
    before = [value(metrics.INTAKE_MESSAGES_OUT, "messenger", one) for one in outcomes]
    chat = next(IDS)
    ticket = only(await from_telegram(desk, telegram(chat)))["ticket_id"]
    vendors.next_answers = [(500, {})]
    await reply(agent, ticket, "Late")
    await eventually(lambda: vendors.of(str(chat)))
    vendors.next_answers = [(403, {"ok": False, "description": "Forbidden"})]
    await reply(agent, ticket, "Never")

    def gained() -> list[float]:
        after = [value(metrics.INTAKE_MESSAGES_OUT, "messenger", one) for one in outcomes]
        return [late - early for late, early in zip(after, before, strict=True)]

    await eventually(lambda: gained() == [1, 1, 1])
