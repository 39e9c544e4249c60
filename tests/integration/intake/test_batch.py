"""Batches: many commands, one answer each, in order, and each for itself."""

import asyncio
import json
from uuid import uuid4

import psycopg
import pytest

from shared.events import Channel
from shared.security import Role

pytestmark = pytest.mark.integration


def history(external_id: str) -> list[dict]:
    """A small past, as an importer tells it."""
    common = {"via": "import"}
    ticket = {"ticket": {"external_id": external_id}}
    customer = {"kind": "customer", "id": "caller-7"}
    worker = {"kind": "agent", "id": "resolver-1"}
    return [
        {
            "op": "open",
            "key": f"{external_id}:0",
            "external_id": external_id,
            "subject": "Mail is down",
            "body": "Since nine.",
            "requester": {"id": "caller-7"},
            "actor": customer,
            "occurred_at": "2016-02-29T01:16:00Z",
            **common,
        },
        {
            "op": "patch",
            "key": f"{external_id}:1",
            **ticket,
            "priority": "high",
            "status": {"category": "pending", "label": "Awaiting User Info"},
            "actor": worker,
            "occurred_at": "2016-02-29T01:20:00Z",
            **common,
        },
        {
            "op": "reply",
            "key": f"{external_id}:2",
            **ticket,
            "body": "Here you are",
            "actor": customer,
            "occurred_at": "2016-02-29T01:30:00Z",
            **common,
        },
        {
            "op": "resolve",
            "key": f"{external_id}:3",
            **ticket,
            "summary": "Restarted",
            "code": "code 6",
            "actor": worker,
            "occurred_at": "2016-02-29T02:00:00Z",
            **common,
        },
        {
            "op": "close",
            "key": f"{external_id}:4",
            **ticket,
            "reason": "imported",
            "occurred_at": "2016-03-05T12:00:00Z",
            **common,
        },
        {
            "op": "reopen",
            "key": f"{external_id}:5",
            **ticket,
            "category": "open",
            "occurred_at": "2016-03-06T12:00:00Z",
            **common,
        },
    ]


STORY = [
    "TicketOpened",
    "PriorityChanged",
    "StatusChanged",
    "CustomerReplied",
    "StatusChanged",
    "TicketResolved",
    "TicketClosed",
    "TicketReopened",
]


async def test_later_lines_speak_of_a_ticket_by_the_id_it_was_opened_with(desk, importer):
    external_id = f"INC-{uuid4()}"
    answers = await importer.batch(*history(external_id))
    assert [answer["status"] for answer in answers] == [201, 200, 201, 200, 200, 200]
    assert [answer["index"] for answer in answers] == list(range(6))
    assert [answer["version"] for answer in answers] == [1, 3, 5, 6, 7, 8]
    [ticket] = {answer["ticket_id"] for answer in answers}
    assert await desk.names(ticket) == STORY
    events = await desk.events(ticket)
    moments = [event.occurred_at.isoformat() for event in events]
    assert moments == sorted(moments)
    assert moments[0] == "2016-02-29T01:16:00+00:00"
    assert {event.via for event in events} == {Channel.IMPORT}


async def test_a_second_run_changes_nothing(desk, importer):
    lines = history(f"INC-{uuid4()}")
    first = await importer.batch(*lines)
    second = await importer.batch(*lines)
    assert [answer.pop("replayed") for answer in second] == [True] * 6
    assert second == first
    assert await desk.names(first[0]["ticket_id"]) == STORY


async def test_a_batch_that_broke_off_goes_on_in_another_process(importer, caller, second_desk):
    lines = history(f"INC-{uuid4()}")
    first = await importer.batch(*lines[:3])
    other = caller("importer", Role.SERVICE, at=second_desk)
    second = await other.batch(*lines)
    assert [answer.get("replayed", False) for answer in second] == [True] * 3 + [False] * 3
    assert await second_desk.names(first[0]["ticket_id"]) == STORY


async def test_two_batches_about_the_same_tickets_at_once_have_one_effect(
    importer, caller, second_desk
):
    ids = [f"INC-{uuid4()}" for _ in range(20)]
    lines = [line for external_id in ids for line in history(external_id)]
    other = caller("importer", Role.SERVICE, at=second_desk)
    one, two = await asyncio.gather(importer.batch(*lines), other.batch(*lines))
    assert {answer["status"] for answer in one + two} == {200, 201}
    tickets = {answer["ticket_id"] for answer in one + two}
    assert len(tickets) == 20
    for ticket in tickets:
        assert await second_desk.names(ticket) == STORY


async def test_an_external_id_belongs_to_one_ticket(importer, caller, second_desk):
    external_id = f"INC-{uuid4()}"
    opening = {
        "op": "open",
        "external_id": external_id,
        "subject": "a",
        "body": "b",
        "requester": {"id": "ben"},
    }
    other = caller("importer", Role.SERVICE, at=second_desk)
    [first, second], [third] = await asyncio.gather(
        importer.batch(opening, opening), other.batch(opening)
    )
    answers = [first, second, third]
    assert sorted(answer["status"] for answer in answers) == [201, 409, 409]
    [opened] = [answer for answer in answers if answer["status"] == 201]
    refused = [answer["problem"] for answer in answers if answer["status"] == 409]
    assert {problem["code"] for problem in refused} == {"external_id_is_taken"}
    assert all(opened["ticket_id"] in problem["detail"] for problem in refused)
    note = {"op": "note", "ticket": {"external_id": external_id}, "body": "found"}
    [by_one], [by_other] = await importer.batch(note), await other.batch(note)
    assert by_one["ticket_id"] == by_other["ticket_id"] == opened["ticket_id"]


async def test_a_line_that_is_refused_or_malformed_stands_alone(desk, agent):
    mine = {"requester": {"id": "ben"}, "subject": "a", "body": "b"}
    answers = await agent.batch(
        {"op": "open", **mine},
        b"{not json",
        {"op": "open", **mine, "subject": ""},
        {"op": "dance"},
        {"op": "close", "ticket": {"external_id": f"nobody-{uuid4()}"}},
        {"op": "close", "ticket": {}},
        {"op": "close", "ticket": {"id": str(uuid4()), "external_id": "x"}},
        {"op": "open", **mine, "via": "import"},
        {"op": "open", **mine, "category": "solved"},
        {"op": "open", **mine},
    )
    assert [answer["status"] for answer in answers] == [
        201, 400, 422, 422, 404, 422, 422, 403, 409, 201,
    ]  # fmt: skip
    assert [answer["index"] for answer in answers] == list(range(10))
    fields = [
        [error["field"] for error in answer.get("problem", {}).get("errors", ())]
        for answer in answers
    ]
    assert fields[2] == ["subject"]
    assert fields[3] == ["op"]
    assert fields[5] == fields[6] == ["ticket"]
    assert fields[7] == ["via"]
    assert answers[9]["number"] == answers[0]["number"] + 1


async def test_a_refused_opening_does_not_keep_its_external_id(agent):
    external_id = f"INC-{uuid4()}"
    opening = {
        "op": "open",
        "external_id": external_id,
        "subject": "a",
        "body": "b",
        "requester": {"id": "ben"},
    }
    note = {"op": "note", "ticket": {"external_id": external_id}, "body": "c"}
    answers = await agent.batch(opening | {"category": "closed"}, note, opening, note)
    assert [answer["status"] for answer in answers] == [409, 404, 201, 201]


async def test_merges_and_links_speak_of_tickets_by_external_id_too(desk, agent):
    one, two = f"A-{uuid4()}", f"B-{uuid4()}"
    opening = {"op": "open", "subject": "a", "body": "b", "requester": {"id": "ben"}}
    first, second = {"external_id": one}, {"external_id": two}
    answers = await agent.batch(
        opening | {"external_id": one},
        opening | {"external_id": two},
        {"op": "link", "ticket": first, "other": second, "relation": "duplicate"},
        {"op": "unlink", "ticket": second, "other": first},
        {"op": "merge", "ticket": first, "into": second},
    )
    assert [answer["status"] for answer in answers] == [201, 201, 200, 200, 200]
    assert await desk.names(answers[1]["ticket_id"]) == [
        "TicketOpened",
        "TicketLinked",
        "TicketUnlinked",
        "MergeReceived",
    ]


async def test_a_batch_that_is_too_long_is_refused_whole(desk, agent):
    external_id = f"INC-{uuid4()}"
    opening = {
        "op": "open",
        "external_id": external_id,
        "subject": "a",
        "body": "b",
        "requester": {"id": "ben"},
    }
    body = json.dumps(opening).encode() + b"\n" + b"{}\n" * 10_000
    answer = await agent.post("/v1/tickets/batch", body, content_type="application/x-ndjson")
    assert answer.status_code == 413
    rows = await desk.rows("SELECT 1 FROM external_ids WHERE external_id = %s", external_id)
    assert rows == []


async def test_customers_send_no_batches(customer):
    answer = await customer.post(
        "/v1/tickets/batch", b'{"op":"open"}', content_type="application/x-ndjson"
    )
    assert answer.status_code == 403


async def test_when_the_store_fails_nothing_overtakes_what_failed(desk, importer, monkeypatch):
    lines = [line for _ in range(3) for line in history(f"INC-{uuid4()}")]
    committer = desk.service._committers[0]
    whole, submitted = committer.submit, 0

    async def submit_but_fail_in_the_middle(*args, **options):
        nonlocal submitted
        submitted += 1
        if submitted == 5:  # each ticket has its first line stored, the first one a second, then:
            await asyncio.gather(whole(*args, **options))
            raise psycopg.OperationalError("the connection broke")
        return await whole(*args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(committer, "submit", submit_but_fail_in_the_middle)
        answers = await importer.batch(*lines)
    assert {answer["status"] for answer in answers} == {200, 201, 503}
    for ticket in range(3):
        outcomes = [answer["status"] for answer in answers[ticket * 6 : ticket * 6 + 6]]
        first_failure = outcomes.index(503)
        assert set(outcomes[first_failure:]) == {503}
    again = await importer.batch(*lines)
    assert {answer["status"] for answer in again} == {200, 201}
    for ticket in {answer["ticket_id"] for answer in again}:
        assert await desk.names(ticket) == STORY


async def test_a_mistake_of_ours_on_one_line_does_not_stop_the_others(desk, agent, monkeypatch):
    opening = {"op": "open", "subject": "a", "body": "b", "requester": {"id": "ben"}}
    committer = desk.service._committers[0]
    whole, submitted = committer.submit, 0

    async def submit_with_a_bug(*args, **options):
        nonlocal submitted
        submitted += 1
        if submitted == 2:
            raise ValueError("a bug")
        return await whole(*args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(committer, "submit", submit_with_a_bug)
        answers = await agent.batch(opening, opening, opening)
    assert [answer["status"] for answer in answers] == [201, 500, 201]
    assert "a bug" not in json.dumps(answers)
