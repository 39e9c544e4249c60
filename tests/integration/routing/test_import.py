"""The import's front door: lines in the past, once each, in order, waiting for tickets that are on their way."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.events.agents import AgentDefined, agent_stream, group_stream
from shared.events.assignments import GroupChanged, TicketAssigned
from shared.events.base import Channel, Owner, StatusCategory
from shared.events.operations import RoutingOperation, operations_stream
from tests.integration.routing.office import Office

pytestmark = pytest.mark.integration

PAST = "2016-03-01T10:00:00Z"


def line(op: str, ticket: str, key: str, **more: Any) -> dict[str, Any]:
    return {"op": op, "ticket": {"external_id": ticket}, "key": key, "occurred_at": PAST, **more}


async def an_imported_ticket(office: Office, name: str = "INC1", **said: Any) -> Any:
    return await office.opened(via=Channel.IMPORT, external_id=name, **said)


async def test_lines_tell_of_the_past_and_add_who_is_unknown(office: Office) -> None:
    ticket = await an_imported_ticket(office)
    results = await office.imported(
        line("group", "INC1", "1", group_id="group-70", group_name="Group 70"),
        line("assign", "INC1", "2", agent_id="resolver-13"),
        line("group", "INC1", "3", group_id="group-24"),
        line("unassign", "INC1", "4"),
    )
    assert [(one["index"], one["status"], one.get("version")) for one in results] == [
        (0, 200, 1),
        (1, 200, 2),
        (2, 200, 3),
        (3, 200, 4),
    ]
    assert {one["ticket_id"] for one in results} == {str(ticket)}
    group, assigned, *_ = await office.events(ticket)
    assert isinstance(group, GroupChanged)
    assert isinstance(assigned, TicketAssigned)
    assert assigned.mode == "import"
    assert assigned.via is Channel.IMPORT
    assert assigned.occurred_at == datetime(2016, 3, 1, 10, tzinfo=UTC)
    (defined,) = await office.events(agent_stream("resolver-13"))
    assert isinstance(defined, AgentDefined)
    assert (defined.profile.name, defined.via) == ("resolver-13", Channel.IMPORT)
    (defined_group,) = await office.events(group_stream("group-70"))
    assert defined_group.profile.name == "Group 70"  # type: ignore[attr-defined]
    await office.check()


async def test_a_second_run_changes_nothing_and_another_line_under_the_key_is_refused(
    office: Office,
) -> None:
    ticket = await an_imported_ticket(office)
    lines = [
        line("group", "INC1", "1", group_id="g1"),
        line("assign", "INC1", "2", agent_id="a1"),
    ]
    first = await office.imported(*lines)
    assert not any("replayed" in one for one in first)
    assert await office.imported(*lines) == [{**one, "replayed": True} for one in first]
    assert await office.names(ticket) == ["GroupChanged", "TicketAssigned"]
    (reused,) = await office.imported(line("assign", "INC1", "2", agent_id="a2"))
    assert (reused["status"], reused["problem"]["code"]) == (422, "key_reused")


async def test_a_line_waits_for_its_ticket_and_those_behind_it_keep_the_order(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await an_imported_ticket(office, "INC1")
    late = office.tickets.opened(via=Channel.IMPORT, external_id="INC2")
    waits = asyncio.Event()
    past = type(office.heard).past

    async def noticed(progress, seen, _seconds):
        waits.set()
        return await past(progress, seen, 30)

    monkeypatch.setattr(type(office.heard), "past", noticed)
    sending = asyncio.create_task(
        office.imported(
            line("group", "INC2", "1", group_id="g1"),
            line("group", "INC1", "2", group_id="g1"),
            line("group", "INC2", "3", group_id="g2"),
        )
    )
    await waits.wait()
    await office.hear(late)
    assert [one["status"] for one in await sending] == [200, 200, 200]
    groups = [one.group_id for one in await office.events(late.ticket_id)]  # type: ignore[attr-defined]
    assert groups == ["g1", "g2"]


async def test_a_line_whose_ticket_does_not_come_is_not_yet_and_can_be_sent_again(
    office: Office,
) -> None:
    late = office.tickets.opened(via=Channel.IMPORT, external_id="INC2")
    early = line("group", "INC2", "1", group_id="g1")
    (result,) = await office.imported(early)
    assert (result["status"], result["problem"]["code"]) == (503, "not_yet")
    await office.hear(late)
    (result,) = await office.imported(early)
    assert result["status"] == 200


async def test_a_line_with_a_fault_is_refused_alone(office: Office) -> None:
    ticket = await an_imported_ticket(office)
    good = line("group", "INC1", "good", group_id="g1")
    results = await office.imported(
        b"{nonsense",
        {**good, "key": "a", "op": "explode"},
        {**good, "key": "b", "ticket": {}},
        {**good, "key": "c", "occurred_at": "2016-03-01T10:00:00"},
        {**good, "key": "d", "occurred_at": "2999-01-01T00:00:00Z"},
        {**good, "key": "e", "group_id": "No Slug"},
        {**good, "key": "f", "group_id": None},
        {**good, "key": ""},
        good,
    )
    assert [one["status"] for one in results] == [400, 422, 422, 422, 422, 422, 422, 422, 200]
    fields = [one["problem"].get("errors", [{}])[0].get("field") for one in results[1:-1]]
    assert fields == [
        "op",
        "ticket",
        "occurred_at",
        "occurred_at",
        "path group_id",
        "group_id",
        "key",
    ]
    assert await office.names(ticket) == ["GroupChanged"]


async def test_open_imported_tickets_join_after_the_end_and_closed_ones_never_count(
    office: Office,
) -> None:
    await office.ready("ann")
    await office.done("POST", "/v1/routing/import/start")
    (begun,) = await office.events(operations_stream(Owner.ROUTING, "import"))
    assert isinstance(begun, RoutingOperation)
    assert begun.what == "import.start"
    closed, held, free = [await an_imported_ticket(office, f"INC{n}") for n in (1, 2, 3)]
    await office.imported(
        line("assign", "INC1", "1", agent_id="ann"), line("assign", "INC2", "2", agent_id="ann")
    )
    await office.moved(closed, StatusCategory.CLOSED)
    await office.swept()
    assert await office.holder(free) is None
    (ann,) = (await office.done("GET", "/v1/agents"))["agents"]
    assert ann["load"] == 0
    await office.done("POST", "/v1/routing/import/end")
    await office.swept()
    assert await office.holder(free) == "ann"
    assert await office.holder(held) == "ann"
    (ann,) = (await office.done("GET", "/v1/agents"))["agents"]
    assert ann["load"] == 2
    await office.check()


async def test_while_any_imported_ticket_is_still_heard_of_none_is_taken_up(
    office: Office,
) -> None:
    await office.ready("ann")
    ticket = await an_imported_ticket(office)
    deciding = office.deciding
    deciding._quiet_seconds = 60
    await office.rows("UPDATE tickets SET touched_at = now() - interval '1 hour'")
    late = await an_imported_ticket(office, "INC2")
    await office.swept()
    assert await office.holder(ticket) is None
    await office.rows("UPDATE tickets SET touched_at = now() - interval '1 hour'")
    await office.swept()
    assert [await office.holder(one) for one in (ticket, late)] == ["ann", "ann"]
