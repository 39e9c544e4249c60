"""Stickiness, rate limits and weights in the live service: kept in the tables, the same for every process."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.routing.app.alarm import Alarm
from services.routing.app.progress import Progress
from services.routing.timers import Sweeper
from shared.events.assignments import TicketAssigned, TicketQueued
from shared.events.tickets import Person, TicketOpened
from tests.integration.routing.office import Office

pytestmark = pytest.mark.integration


async def shares(office: Office, **sharing: Any) -> Any:
    body = {"name": "Support", "strategy": "round_robin", **sharing}
    return await office.done("PUT", "/v1/groups/support", body)


async def opened_by(office: Office, customer: str) -> TicketOpened:
    from msgspec.structs import replace

    event = replace(office.tickets.opened(), requester=Person(customer))
    await office.hear(event)
    return event


async def test_a_group_answers_with_what_was_said(office: Office) -> None:
    await office.ready("ann")
    limit = {"count": 2, "seconds": 60}
    await shares(office, weights={"ann": 2}, sticky_seconds=60, rate_limit=limit)
    profile = (await office.done("GET", "/v1/groups/support"))["profile"]
    assert (profile["weights"], profile["sticky_seconds"], profile["rate_limit"]) == (
        {"ann": 2},
        60,
        limit,
    )


async def test_what_makes_no_sense_is_refused_with_every_field(office: Office) -> None:
    await office.ready("ann")
    body = {
        "name": "Support",
        "weights": {"zoe": 1},
        "sticky_seconds": 0,
        "rate_limit": {"count": 0, "seconds": 60},
    }
    answer = await office.ask("PUT", "/v1/groups/support", body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [
        "weights.zoe",
        "sticky_seconds",
        "rate_limit.count",
    ]
    answer = await office.ask("PUT", "/v1/groups/support", {**body, "rate_limit": {"count": 1}})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "rate_limit.seconds")


async def test_a_customers_last_agent_is_known_to_every_process(
    office: Office, second_office: Office
) -> None:
    await office.ready("ann", "bob")
    await shares(office, sticky_seconds=3_600)
    first = await opened_by(office, "cora")
    assert await office.holder(first.ticket_id) == "ann"
    second = await opened_by(second_office, "cora")
    assert await office.holder(second.ticket_id) == "ann"
    told = (await office.events(second.ticket_id))[-1]
    assert isinstance(told, TicketAssigned)
    assert told.strategy == "sticky"
    third = await opened_by(second_office, "dave")
    assert await office.holder(third.ticket_id) == "bob"


async def test_a_last_agent_of_long_ago_does_not_count_and_is_forgotten(office: Office) -> None:
    await office.ready("ann", "bob")
    await shares(office, sticky_seconds=60)
    await opened_by(office, "cora")
    await opened_by(office, "dave")
    await office.rows(
        "UPDATE customers SET assigned_at = assigned_at - interval '61 s' WHERE requester_id = 'cora'"
    )
    again = await opened_by(office, "cora")
    assert await office.holder(again.ticket_id) == "ann"
    told = (await office.events(again.ticket_id))[-1]
    assert isinstance(told, TicketAssigned)
    assert told.strategy == "round_robin"
    await office.rows(
        "UPDATE customers SET assigned_at = assigned_at - interval '61 s' WHERE requester_id = 'dave'"
    )
    await office.swept()
    assert await office.rows("SELECT requester_id FROM customers") == [{"requester_id": "cora"}]


async def test_without_stickiness_nobody_is_written_down(office: Office) -> None:
    await office.ready("ann", "bob")
    tickets = [await opened_by(office, "cora") for _ in range(2)]
    assert [await office.holder(one.ticket_id) for one in tickets] == ["ann", "bob"]
    assert await office.rows("SELECT 1 FROM customers") == []


async def test_a_rate_limit_holds_over_processes(office: Office, second_office: Office) -> None:
    await office.ready("ann", "bob")
    await shares(office, rate_limit={"count": 2, "seconds": 3_600})
    turns = (office, second_office, office, second_office, office)
    tickets = [await mine.opened() for mine in turns]
    holders = [await office.holder(one) for one in tickets]
    assert holders == ["ann", "bob", "ann", "bob", None]
    told = (await office.events(tickets[-1]))[-1]
    assert isinstance(told, TicketQueued)
    assert told.reasons == {"rate_limited": 2}
    await office.check()


async def test_what_a_limit_held_back_goes_on_when_the_window_has_passed(
    office: Office, second_office: Office
) -> None:
    await office.ready("ann")
    await shares(office, rate_limit={"count": 1, "seconds": 60})
    await office.opened()
    waiting = await office.opened()
    await second_office.swept()
    assert await office.holder(waiting) is None
    await move_pushes(office, seconds=60)
    await second_office.swept()
    assert await office.holder(waiting) == "ann"
    await office.check()


async def test_the_sweeper_comes_at_the_moment_and_not_at_its_next_round(office: Office) -> None:
    await office.ready("ann")
    await shares(office, rate_limit={"count": 1, "seconds": 1})
    nudges, store = Progress(), NoticedStore(office.store)
    alarm = Alarm(nudges.move)
    office.deciding._desks._wake_at = alarm.set
    sweeper = Sweeper(
        store=store,  # type: ignore[arg-type]
        deciding=office.deciding,
        nudges=nudges,
        alarm=alarm,
        sweep_seconds=3_600,
    )
    running = asyncio.create_task(sweeper.run())
    try:
        assert await store.swept.past(0, 10)
        await office.opened()
        waiting = await office.opened()
        for _ in range(10):  # one sweep when the moment becomes known, one when it has come
            seen = store.swept.count
            if await office.holder(waiting) is not None:
                break
            assert await store.swept.past(seen, 10)
    finally:
        running.cancel()
    assert await office.holder(waiting) == "ann"
    told = (await office.events(waiting))[-1]
    assert isinstance(told, TicketAssigned)
    assert told.waited_seconds < 5
    pushes = await office.rows("SELECT pushed_at FROM agents")
    assert datetime.now(UTC) - pushes[0]["pushed_at"][0] < timedelta(seconds=60)


async def test_weights_hold_over_processes_and_restarts(
    office: Office, second_office: Office
) -> None:
    await office.ready("ann", "bob")
    await shares(office, strategy="weighted", weights={"bob": 2})
    turns = (office, second_office, second_office, office, second_office, office)
    tickets = [await mine.opened() for mine in turns]
    assert [await office.holder(one) for one in tickets] == [
        *("bob", "ann", "bob"),
        *("bob", "ann", "bob"),
    ]
    await office.opened()
    assert await office.rows("SELECT saved_turns FROM groups") == [
        {"saved_turns": {"ann": 1, "bob": -1}}
    ]
    assert await office.holder(await second_office.opened()) == "ann"
    await shares(office, strategy="weighted", weights={"ann": 2})
    assert await office.rows("SELECT saved_turns FROM groups") == [{"saved_turns": {}}]
    await office.check()


async def test_most_spare_looks_at_room_in_units(office: Office) -> None:
    await office.group()
    await office.rules()
    await office.agent("ann", capacity=3)
    await office.agent("bob", capacity=8)
    await shares(office, strategy="most_spare")
    tickets = [await office.opened() for _ in range(5)]
    assert {await office.holder(one) for one in tickets} == {"bob"}
    told = (await office.events(tickets[0]))[-1]
    assert isinstance(told, TicketAssigned)
    assert told.strategy == "most_spare"
    assert [(one.agent_id, one.score) for one in told.candidates] == [("bob", 8), ("ann", 3)]


class NoticedStore:
    """Tells when a sweep has been committed."""

    def __init__(self, store: Any) -> None:
        self.swept = Progress()
        self._store = store

    def transact(self, work: Any) -> Any:
        done = self._store.transact(work)
        self.swept.move()
        return done


async def move_pushes(office: Office, *, seconds: int) -> None:
    """As if every push had been so much earlier; every process reads it again."""
    await office.rows(
        "UPDATE agents SET pushed_at = ARRAY(SELECT one - make_interval(secs => %s) FROM unnest(pushed_at) one)",
        seconds,
    )
    await office.rows("UPDATE desk SET stamp = gen_random_uuid()")
