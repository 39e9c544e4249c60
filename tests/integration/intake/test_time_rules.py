"""Time rules on the real PostgreSQL: at the moment, once whoever dies, called off in time, for older tickets too."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.intake.app import Intake
from services.intake.configuration import CALENDAR, put
from services.intake.time_rules import TimeRules
from shared.events.steps import RuleApplied
from shared.eventstore import GroupCommitter
from tests.integration.intake.desk import Caller, Desk
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


class Died(BaseException):
    """The process is gone."""


def time_rules(desk: Desk) -> TimeRules:
    """The verbs over the desk's store, as another process has them."""
    intake = Intake(desk.store, GroupCommitter(desk.store))
    intake.refresh_configuration()
    return TimeRules(intake, desk.store)


@pytest.fixture
async def rule(
    supervisor: Caller,
) -> AsyncIterator[Callable[..., Awaitable[str]]]:
    async def put(mark: str, seconds: int, **more: Any) -> str:
        one = {
            "id": "slow",
            "title": "Too slow",
            "after": {"since": "created", "seconds": seconds},
            "when": [{"field": "tags", "op": "contains", "value": mark}],
            "actions": {"priority": "urgent"},
        } | more
        answer = await supervisor.send("PUT", "/v1/rules", {"rules": [one]})
        assert answer.status_code == 200, answer.text
        return mark

    yield put
    await supervisor.send("PUT", "/v1/rules", {"rules": []})


async def a_ticket(agent: Caller, mark: str) -> str:
    ticket: str = (await agent.open(requester={"id": "ben"}, tags=[mark]))["ticket_id"]
    return ticket


async def moment(desk: Desk, ticket: str) -> list[dict[str, Any]]:
    return await desk.rows("SELECT until FROM rule_timers WHERE ticket_id = %s", UUID(ticket))


async def is_over(desk: Desk, ticket: str) -> bool:
    """Whether the moment that is kept for the ticket has come."""
    return bool(
        await desk.rows(
            "SELECT 1 FROM rule_timers WHERE ticket_id = %s AND until < now()", UUID(ticket)
        )
    )


async def runs(desk: Desk, ticket: str) -> int:
    return sum(isinstance(event, RuleApplied) for event in await desk.events(ticket))


async def test_the_timer_is_woken_for_a_moment_that_comes_soon(
    desk: Desk, agent: Caller, rule: Callable[..., Awaitable[str]]
) -> None:
    mark = await rule(uuid4().hex, 1)
    timer = next(one for one in desk.service._task_makers if "RuleTimer" in one.__qualname__)
    task = asyncio.create_task(timer())
    try:
        ticket = await a_ticket(agent, mark)
        await eventually(lambda: runs(desk, ticket), what="the rule has run")
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    run = next(one for one in await desk.events(ticket) if isinstance(one, RuleApplied))
    assert run.due_at is not None
    assert (run.due_at - run.anchor_at).total_seconds() == 1  # type: ignore[operator]
    assert run.occurred_at >= run.due_at
    assert await moment(desk, ticket) == []


async def test_several_processes_run_it_once_and_one_that_dies_leaves_nothing_half_done(
    desk: Desk,
    second_desk: Desk,
    agent: Caller,
    rule: Callable[..., Awaitable[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticket = await a_ticket(agent, await rule(uuid4().hex, 1))
    await eventually(lambda: is_over(desk, ticket))
    whole = Intake.store

    def half(*args: Any, **more: Any) -> Any:
        whole(*args, **more)
        raise Died

    dying = time_rules(desk)
    monkeypatch.setattr(Intake, "store", half)
    with pytest.raises(Died):
        dying.run_due("c")
    monkeypatch.undo()
    assert await desk.names(ticket) == ["TicketOpened"]
    assert await is_over(desk, ticket)
    processes = [time_rules(one) for one in (desk, second_desk, desk, second_desk)]
    await asyncio.gather(*(asyncio.to_thread(one.run_due, "c") for one in processes))
    assert await runs(desk, ticket) == 1


async def test_it_is_called_off_when_the_condition_ends(
    desk: Desk, agent: Caller, rule: Callable[..., Awaitable[str]]
) -> None:
    mark = await rule(uuid4().hex, 3_600)
    ticket = await a_ticket(agent, mark)
    assert await moment(desk, ticket)
    patched = await agent.send("PATCH", f"/v1/tickets/{ticket}", {"tags": ["other"]})
    assert patched.status_code == 200, patched.text
    assert await moment(desk, ticket) == []


async def test_a_rule_that_is_made_later_counts_for_tickets_that_were_there(
    desk: Desk, agent: Caller, importer: Caller, rule: Callable[..., Awaitable[str]]
) -> None:
    mark = uuid4().hex
    ticket = await a_ticket(agent, mark)
    history = {"requester": {"id": "ben"}, "via": "import", "occurred_at": "2020-01-01T00:00:00Z"}
    old = (await importer.open(**history, tags=[mark]))["ticket_id"]
    await rule(mark, 3_600)
    arming = time_rules(desk)
    while await asyncio.to_thread(arming.arm_some):
        pass
    assert await moment(desk, ticket)
    assert await moment(desk, old) == []
    assert not arming.arm_some()


async def test_an_edited_calendar_moves_the_moments_of_tickets_that_were_there(
    desk: Desk, agent: Caller, rule: Callable[..., Awaitable[str]]
) -> None:
    name = f"c-{uuid4().hex[:8]}"

    async def opens_on(day: str, version: int) -> None:
        hours = {"timezone": "UTC", "hours": {day: [["00:00", "24:00"]]}}
        await asyncio.to_thread(
            desk.store.transact, lambda tx: put(tx, CALENDAR, name, version, hours)
        )

    await opens_on("mon", 1)
    after = {"since": "created", "hours": 20, "calendar": name}
    ticket = await a_ticket(agent, await rule(uuid4().hex, 1, after=after))
    (first,) = await moment(desk, ticket)
    await opens_on("thu", 2)
    arming = time_rules(desk)
    while await asyncio.to_thread(arming.arm_some):
        pass
    (second,) = await moment(desk, ticket)
    assert (first["until"].strftime("%a"), second["until"].strftime("%a")) == ("Mon", "Thu")
