"""Decisions on the real PostgreSQL: tables and log agree, whatever happens in between."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from shared.database import Transaction
from shared.events.assignments import TicketAssigned, TicketQueued
from shared.events.base import Priority, StatusCategory
from tests.integration.routing.office import Office

pytestmark = pytest.mark.integration


async def test_a_batch_is_decided_in_the_order_of_the_queue(office: Office) -> None:
    await office.ready("ann", capacity=2)
    events = [
        office.tickets.opened(priority=priority)
        for priority in (Priority.LOW, Priority.URGENT, Priority.NORMAL, Priority.HIGH)
    ]
    await office.hear(*events)
    assert [await office.holder(one.ticket_id) for one in events] == [None, "ann", None, "ann"]
    waiting = await office.done("GET", "/v1/queue/tickets?group=support")
    assert [one["priority"] for one in waiting["tickets"]] == ["normal", "low"]
    assert waiting["tickets"][0]["reasons"] == ["at_capacity"]
    await office.check()


async def test_capacity_that_returns_drains_the_stored_queue(office: Office) -> None:
    await office.ready("ann", capacity=1)
    tickets = [await office.opened() for _ in range(3)]
    await office.moved(tickets[0], StatusCategory.SOLVED)
    assert [await office.holder(one) for one in tickets] == ["ann", "ann", None]
    assigned = (await office.events(tickets[1]))[-1]
    assert isinstance(assigned, TicketAssigned)
    assert assigned.waited_seconds > 0
    await office.check()


async def test_a_long_queue_is_drained_in_bounded_transactions(office: Office) -> None:
    await office.ready("ann", "bob", presence="offline")
    await office.hear(*(office.tickets.opened() for _ in range(1_200)))
    (queue,) = (await office.done("GET", "/v1/queue"))["queues"]
    assert (queue["waiting"], queue["reasons"]) == (1_200, {"offline": 1_200})
    await office.done("POST", "/v1/agents/ann/presence", {"presence": "online"})
    (first,) = await office.rows("SELECT count(*) AS n FROM tickets WHERE agent_id = 'ann'")
    assert first["n"] == 200
    await office.swept()
    assert not await office.rows("SELECT 1 FROM tickets WHERE lane IS NOT NULL")
    await office.check()


async def test_what_waits_hears_of_new_reasons_once(office: Office) -> None:
    await office.ready("ann", presence="offline")
    ticket = await office.opened()
    await office.swept()
    await office.done("POST", "/v1/agents/ann/presence", {"presence": "busy"})
    await office.swept()
    await office.swept()
    reasons = [one.reasons for one in await office.events(ticket) if isinstance(one, TicketQueued)]
    assert reasons == [{"offline": 1}, {"busy": 1}]


async def test_tickets_of_an_agent_who_leaves_go_back_to_the_queue(office: Office) -> None:
    await office.ready("ann")
    first, resting = await office.opened(), await office.opened()
    await office.moved(resting, StatusCategory.PENDING)
    await office.agent("bob")
    await office.agent("ann", is_active=False)
    await office.swept()
    assert await office.holder(first) == "bob"
    assert await office.holder(resting) == "ann"
    await office.check()


async def test_lanes_made_for_single_tickets_are_forgotten_when_they_are_empty(
    office: Office,
) -> None:
    await office.ready("ann")
    ticket = await office.opened()
    await office.done("POST", f"/v1/tickets/{ticket}/unassign")
    await office.swept()
    lanes = await office.rows("SELECT excluded, waiting FROM lanes")
    assert lanes == [{"excluded": ["ann"], "waiting": 1}]
    await office.done("POST", f"/v1/tickets/{ticket}/assign", {"agent_id": "ann"})
    await office.swept()
    assert await office.rows("SELECT 1 FROM lanes") == []
    other = await office.opened()
    await office.done("POST", f"/v1/tickets/{other}/unassign")
    await office.agent("bob")
    assert await office.holder(other) == "bob"
    await office.check()


async def test_a_rollback_leaves_nothing_behind_not_even_in_memory(office: Office) -> None:
    await office.ready("ann", "bob")
    event = office.tickets.opened()

    class Broken(Exception):
        """The process fails after deciding and before committing."""

    def decide_and_break(tx: Transaction) -> None:
        office._consumer._handler(tx, _received(event))
        raise Broken

    with pytest.raises(Broken):
        await asyncio.to_thread(office.store.transact, decide_and_break)
    assert await office.rows("SELECT 1 FROM tickets") == []
    await office.hear(event)
    assert await office.holder(event.ticket_id) == "ann"
    await office.check()


async def test_a_process_that_starts_later_knows_the_same(
    office: Office, second_office: Office
) -> None:
    await office.ready("ann", "bob")
    tickets = [await office.opened()]
    tickets.append(await second_office.opened())
    tickets.append(await office.opened())
    tickets.append(await second_office.opened())
    assert [await office.holder(one) for one in tickets] == ["ann", "bob", "ann", "bob"]


async def test_two_processes_at_once_never_overfill_anybody_and_share_fairly(
    office: Office, second_office: Office
) -> None:
    await office.ready("ann", "bob", "cyd", capacity=20)
    chance = random.Random(7)
    offices = (office, second_office)

    def work(mine: Office, events: list[Any]) -> None:
        while events:
            size = chance.randint(1, 7)
            mine.hear_now(events[:size])
            del events[:size]

    batches = [[office.tickets.opened() for _ in range(50)] for _ in offices]
    ids = [event.ticket_id for batch in batches for event in batch]
    await asyncio.gather(
        *(
            asyncio.to_thread(work, mine, batch)
            for mine, batch in zip(offices, batches, strict=True)
        )
    )
    rows = await office.rows("SELECT agent_id, lane FROM tickets")
    assert Counter(row["agent_id"] for row in rows) == {"ann": 20, "bob": 20, "cyd": 20, None: 40}
    assert all((row["agent_id"] is None) != (row["lane"] is None) for row in rows)
    await office.check()

    solved = [one for one in ids if await office.holder(one)][:30]
    halves = [
        [office.tickets.moved(one, StatusCategory.SOLVED) for one in solved[n::2]] for n in (0, 1)
    ]
    await asyncio.gather(
        *(asyncio.to_thread(work, mine, half) for mine, half in zip(offices, halves, strict=True))
    )
    loads = await office.rows("SELECT load FROM agents")
    assert [row["load"] for row in loads] == [20, 20, 20]
    await office.check()
    for ticket in ids:
        taken = [one for one in await office.events(ticket) if isinstance(one, TicketAssigned)]
        assert len(taken) <= 1
        assert all(one.load_after <= 20 for one in taken)


async def test_deadlines_of_sla_order_the_queue(office: Office) -> None:
    from tests.integration.routing.promises import due

    await office.ready("ann", presence="offline", capacity=1)
    first, second = await office.opened(), await office.opened()
    await office.hear(due(second, minutes=5))
    await office.done("POST", "/v1/agents/ann/presence", {"presence": "online"})
    assert await office.holder(second) == "ann"
    assert await office.holder(first) is None


async def test_a_deadline_that_comes_before_its_ticket_is_kept(office: Office) -> None:
    from tests.integration.routing.promises import due

    await office.ready("ann", presence="offline", capacity=1)
    first, second = office.tickets.opened(), office.tickets.opened()
    await office.hear(due(second.ticket_id, minutes=5))
    assert (await office.ask("GET", f"/v1/routing/tickets/{second.ticket_id}")).status_code == 404
    await office.hear(first, second)
    waiting = await office.done("GET", "/v1/queue/tickets")
    assert [one["ticket_id"] for one in waiting["tickets"]] == [
        str(second.ticket_id),
        str(first.ticket_id),
    ]


def _received(event: Any) -> list[Any]:
    from shared.messaging import Received
    from shared.topics import topic_of

    return [Received(topic_of(event.wire_type), 0, 0, event, b"")]
