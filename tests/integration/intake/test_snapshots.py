"""States of long tickets are kept: a copy that is what the events say, read by a process that has not seen them."""

import asyncio
from collections.abc import Callable
from functools import reduce
from typing import Any, cast
from uuid import UUID

import psycopg
import pytest

from services.intake.domain import Ticket, evolve
from shared.eventstore import store as eventstore
from shared.eventstore.snapshots import EVERY
from shared.security import Role
from tests.integration.intake.desk import Caller, Desk

pytestmark = pytest.mark.integration

_OF_OTHER_CODE = "UPDATE snapshots SET schema = 'of other code', state = 'no state of ours'"


async def long_ticket(agent: Caller, notes: int) -> str:
    """With something of everything a state is made of, and so many notes after it."""
    ticket = cast(str, (await agent.open(requester={"id": "ben"}, tags=["old"]))["ticket_id"])
    for path, said in (
        ("tasks", {"title": "Look", "owner": "anna", "due_at": "2030-01-01T10:00:00.5Z"}),
        ("participants", {"person": {"id": "carl"}}),
        ("replies", {"body": "We are on it."}),
        ("resolve", {"summary": "Done"}),
        ("reopen", {}),
    ):
        answer = await agent.post(f"/v1/tickets/{ticket}/{path}", said)
        assert answer.is_success, f"{path}: {answer.text}"
    await write_notes(agent, ticket, notes)
    return ticket


async def write_notes(agent: Caller, ticket: str, count: int) -> None:
    note = {"op": "note", "ticket": {"id": ticket}, "body": "Nothing new."}
    assert all("error" not in answer for answer in await agent.batch(*[note] * count))


async def kept(desk: Desk, ticket: str) -> list[dict[str, Any]]:
    return await desk.rows("SELECT version, schema FROM snapshots WHERE stream_id = %s", ticket)


async def state_of(desk: Desk, ticket: str) -> Ticket:
    found = await asyncio.to_thread(desk.store.transact, lambda tx: tx.state(UUID(ticket)))
    assert found is not None
    return cast(Ticket, found)


async def replayed(desk: Desk, ticket: str) -> Ticket:
    state: Ticket | None = reduce(evolve, cast(Any, await desk.events(ticket)), None)
    assert state is not None
    return state


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The types of all events that states are made of from now on."""
    types: list[str] = []
    decode = eventstore.decode

    def counted(wire_type: str, data: bytes) -> Any:
        types.append(wire_type)
        return decode(wire_type, data)

    monkeypatch.setattr(eventstore, "decode", counted)
    return types


async def test_a_process_that_has_not_seen_a_long_ticket_reads_what_came_after_its_snapshot(
    desk: Desk, second_desk: Desk, agent: Caller, read: list[str]
) -> None:
    ticket = await long_ticket(agent, notes=EVERY)
    (snapshot,) = await kept(desk, ticket)
    await write_notes(agent, ticket, 3)
    length = len(await desk.events(ticket))
    read.clear()
    state = await state_of(second_desk, ticket)
    assert len(read) == length - snapshot["version"] < EVERY
    assert state == await state_of(desk, ticket) == await replayed(desk, ticket)


async def test_a_short_ticket_has_no_snapshot(desk: Desk, agent: Caller) -> None:
    ticket = await long_ticket(agent, notes=EVERY // 2)
    assert await kept(desk, ticket) == []


@pytest.mark.parametrize("lost", ["DELETE FROM snapshots", _OF_OTHER_CODE])
async def test_without_a_snapshot_of_this_code_the_events_are_read_and_it_is_made_anew(
    desk: Desk,
    second_desk: Desk,
    agent: Caller,
    caller: Callable[..., Caller],
    read: list[str],
    lost: str,
) -> None:
    ticket = await long_ticket(agent, notes=EVERY)
    (before,) = await kept(desk, ticket)
    length = len(await desk.events(ticket))
    await asyncio.to_thread(desk.store.transact, lambda tx: tx.cursor.execute(lost))
    read.clear()
    answer = await caller("anna", Role.AGENT, at=second_desk).post(
        f"/v1/tickets/{ticket}/replies", {"body": "Still there?"}
    )
    assert answer.is_success, answer.text
    assert len(read) == length
    assert await state_of(second_desk, ticket) == await replayed(desk, ticket)
    newest = len(await desk.events(ticket))
    assert await kept(desk, ticket) == [{"version": newest, "schema": before["schema"]}]


async def test_a_new_ticket_and_a_reply_on_one_in_memory_ask_nothing_of_snapshots(
    agent: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    execute = psycopg.Cursor.execute

    def heard(cursor: Any, query: Any, *args: Any, **named: Any) -> Any:
        said.append(query if isinstance(query, str) else str(query))
        return execute(cursor, query, *args, **named)

    monkeypatch.setattr(psycopg.Cursor, "execute", heard)
    ticket = (await agent.open(requester={"id": "ben"}))["ticket_id"]
    answer = await agent.post(f"/v1/tickets/{ticket}/replies", {"body": "We are on it."})
    assert answer.is_success, answer.text
    assert any("intake_events" in one for one in said), "statements are heard"
    assert [one for one in said if "snapshots" in one] == []
