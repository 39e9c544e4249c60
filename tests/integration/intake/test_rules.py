"""Rules on the real PostgreSQL: in one transaction with their cause, once whatever comes again, and at no price."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from shared.events.assignments import GroupChanged
from shared.events.base import Actor, ActorKind, Event, Priority
from shared.events.sla import SlaWarning
from shared.events.steps import RuleApplied, RuleNotApplied
from shared.topics import Topic
from tests.integration.intake.desk import Caller, Desk
from tests.integration.plumbing.readers import Log
from tests.support.events import stamp

pytestmark = pytest.mark.integration

SLA = Actor(kind=ActorKind.SYSTEM, id="sla")
Rules = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def mark() -> str:
    """A tag that only this test's tickets have: the rules are one document for everybody."""
    return f"only-{uuid4().hex[:8]}"


@pytest.fixture
async def rules(desk: Desk, supervisor: Caller, mark: str) -> AsyncIterator[Rules]:
    async def put(*wanted: dict[str, Any]) -> dict[str, Any]:
        whole = [
            {
                "id": f"r{place}",
                "title": f"Rule {place}",
                "when": [{"field": "tags", "op": "contains", "value": mark}],
            }
            | one
            for place, one in enumerate(wanted)
        ]
        answer = await supervisor.send("PUT", "/v1/rules", {"rules": whole})
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    yield put
    await put()


def partition(desk: Desk, topic: Topic) -> Log:
    """Far behind what other tests may have applied of it."""
    return Log(desk.service.settings.topic_prefix, topic, partition=11)


async def heard(desk: Desk, records: list[Any]) -> None:
    (consumer,) = desk.service.consumers
    assert await asyncio.to_thread(consumer._apply_records, records) == {}


def runs(events: list[Event]) -> list[str]:
    return [event.rule for event in events if isinstance(event, RuleApplied)]


async def test_what_rules_do_is_stored_with_its_cause_and_the_receipt_knows_it(
    desk: Desk, agent: Caller, rules: Rules, mark: str
) -> None:
    told = await rules(
        {"events": ["opened"], "actions": {"priority": "high", "note": "#{{ticket.number}}"}},
        {"events": ["priority_changed"], "actions": {"add_tags": ["hot"]}},
    )
    receipt = await agent.open(requester={"id": "ben"}, tags=[mark])
    assert receipt["version"] == 6
    events = await desk.events(receipt["ticket_id"])
    assert [type(event).__name__ for event in events] == [
        "TicketOpened",
        "RuleApplied",
        "NoteAdded",
        "PriorityChanged",
        "RuleApplied",
        "TagsChanged",
    ]
    assert {event.recorded_at for event in events} == {events[0].recorded_at}
    assert {event.correlation_id for event in events} == {events[0].correlation_id}
    assert events[1].actor.id == f"rule:r0@{told['version']}"
    patched = await agent.send(
        "PATCH",
        f"/v1/tickets/{receipt['ticket_id']}",
        {"subject": "Else"},
        If_Match=f'"{receipt["version"]}"',
    )
    assert patched.status_code == 200, patched.text


async def test_a_run_is_taken_back_like_a_macro_and_does_not_come_again(
    desk: Desk, agent: Caller, rules: Rules, mark: str
) -> None:
    await rules({"events": ["opened", "priority_changed"], "actions": {"priority": "urgent"}})
    ticket = (await agent.open(requester={"id": "ben"}, tags=[mark]))["ticket_id"]
    (_, run, _) = await desk.events(ticket)
    assert isinstance(run, RuleApplied)
    undone = await agent.post(f"/v1/tickets/{ticket}/steps/{run.step_id}/undo")
    assert undone.status_code == 200, undone.text
    assert (await desk.names(ticket))[3:] == ["ActionsUndone", "PriorityChanged"]


async def test_a_prepared_text_goes_to_the_customer_and_its_edit_counts_at_once(
    desk: Desk, agent: Caller, supervisor: Caller, rules: Rules, mark: str
) -> None:
    name = f"a-{uuid4().hex[:8]}"
    for body in ("Hello {{requester.name}}", "Good day {{requester.name}}"):
        text = {"title": "Hello", "body": body}
        assert (await supervisor.send("PUT", f"/v1/answers/{name}", text)).status_code == 200
        await rules({"events": ["opened"], "actions": {"answer": name}})
        ticket = (await agent.open(requester={"id": "ben", "name": "Ben"}, tags=[mark]))[
            "ticket_id"
        ]
        _, _, reply = await desk.events(ticket)
        assert (reply.body, reply.is_automatic) == (body.replace("{{requester.name}}", "Ben"), True)


async def test_a_faulty_set_is_refused_whole_with_every_fault_named(supervisor: Caller) -> None:
    faulty = [
        {
            "id": "a",
            "title": "A",
            "events": ["opened"],
            "when": [{"field": "prioritty", "op": "is", "value": "high"}],
            "actions": {"reply": "{{nobody}}"},
        },
        {
            "id": "a",
            "title": "B",
            "after": {"since": "created", "hours": 1, "calendar": "none"},
            "when": [
                {"field": "status", "op": "is", "value": "open"},
                {"field": "status", "op": "is", "value": "hold"},
            ],
            "actions": {"answer": "gone"},
        },
        {
            "id": "c",
            "title": "C",
            "after": {"since": "created", "hours": 1, "days": 2},
            "when": [{"field": "body", "op": "contains", "value": "x"}],
            "actions": {"status": "open", "postpone": {"hours": 1}},
        },
    ]
    answer = await supervisor.send("PUT", "/v1/rules", {"rules": faulty})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [
        "rules[0].when[0].field",
        "rules[0].actions.reply",
        "rules[1].id",
        "rules[1].after.calendar",
        "rules[1].when",
        "rules[1].actions.answer",
        "rules[2].after",
        "rules[2].when[0]",
        "rules[2].actions.postpone",
    ]
    unknown = await supervisor.send("PUT", "/v1/rules", {"rules": [faulty[0] | {"whn": []}]})
    assert (unknown.status_code, "whn" in unknown.text) == (422, True)


async def test_every_version_is_kept_with_who_changed_what(
    agent: Caller, supervisor: Caller, rules: Rules
) -> None:
    one, two = ({"events": ["opened"], "actions": {"note": text}} for text in ("One", "Two"))
    first = (await rules(one | {"id": "a"}, two | {"id": "b"}))["version"]
    second = (await rules(two | {"id": "b"}, one | {"id": "a", "title": "New"}))["version"]
    told = (await agent.send("GET", "/v1/rules/history")).json()["versions"][:2]
    assert [one["version"] for one in told] == [second, first]
    assert (told[0]["by"], told[0]["moved"]) == ("Sue", ["b", "a"])
    assert told[0]["changed"] == ["b", "a"]
    assert told[1]["added"] == ["a", "b"]
    then = (await agent.send("GET", f"/v1/rules/versions/{first}")).json()
    assert [rule["id"] for rule in then["rules"]] == ["a", "b"]
    assert (await agent.send("GET", f"/v1/rules/versions/{second + 9}")).status_code == 404
    stale = await supervisor.send("PUT", "/v1/rules", {"rules": []}, If_Match=f'"{first}"')
    assert stale.status_code == 412


async def test_agents_read_rules_and_do_not_make_them(agent: Caller, customer: Caller) -> None:
    assert (await agent.send("GET", "/v1/rules")).status_code == 200
    assert (await agent.send("PUT", "/v1/rules", {"rules": []})).status_code == 403
    assert (await customer.send("GET", "/v1/rules")).status_code == 403


async def test_what_sla_and_routing_say_starts_a_rule_once_whatever_is_delivered_again(
    desk: Desk, agent: Caller, rules: Rules, mark: str
) -> None:
    await rules(
        {"events": ["sla_warning"], "actions": {"priority": "urgent"}},
        {
            "events": ["group_changed"],
            "when": [{"field": "group", "op": "is", "value": "billing"}],
            "actions": {"note": "Now with billing."},
        },
    )
    ticket = UUID((await agent.open(requester={"id": "ben"}, tags=[mark]))["ticket_id"])
    now = datetime.now(UTC)
    warning = SlaWarning(
        **stamp(3, now, SLA),
        ticket_id=ticket,
        metric="first_reply",
        cycle=1,
        policy_id="gold",
        policy_version=1,
        priority=Priority.NORMAL,
        target_seconds=60,
        threshold="90",
        due_at=now,
        elapsed_seconds=54,
        remaining_seconds=6,
        detected_at=now,
    )
    moved = GroupChanged(
        **stamp(1, now, SLA),
        ticket_id=ticket,
        group_id="billing",
        previous_group_id=None,
        mode="manual",
        why="",
    )
    records = [
        partition(desk, Topic.SLA).put(warning),
        partition(desk, Topic.ASSIGNMENTS).put(moved),
    ]
    for _ in range(2):
        await heard(desk, records)
    events = await desk.events(str(ticket))
    assert runs(events) == ["r0", "r1"]
    first = next(event for event in events if isinstance(event, RuleApplied))
    assert (first.cause, first.causation_id) == ("sla_warning", warning.event_id)
    assert events[-1].body == "Now with billing."


async def test_what_a_rule_may_not_do_stands_on_the_ticket_and_the_caller_is_not_troubled(
    desk: Desk, agent: Caller, rules: Rules, mark: str
) -> None:
    await rules({"events": ["closed"], "actions": {"priority": "low"}})
    ticket = (await agent.open(requester={"id": "ben"}, tags=[mark]))["ticket_id"]
    assert (await agent.post(f"/v1/tickets/{ticket}/close")).status_code == 200
    last = (await desk.events(ticket))[-1]
    assert isinstance(last, RuleNotApplied)
    assert (last.why, "closed" in last.reason) == ("refused", True)


async def test_matching_costs_no_statement(
    desk: Desk, agent: Caller, rules: Rules, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    execute = psycopg.Cursor.execute

    def counted(self: Any, query: Any, *args: Any, **more: Any) -> Any:
        said.append(str(query))
        return execute(self, query, *args, **more)

    async def statements(**more: Any) -> int:
        await agent.open(requester={"id": "ben"})  # what is asked once is asked now
        said.clear()
        await agent.open(requester={"id": "ben"}, **more)
        return len(said)

    monkeypatch.setattr(psycopg.Cursor, "execute", counted)
    await rules()
    without = await statements()
    await rules(*({"events": ["opened"], "actions": {"priority": "high"}} for _ in range(50)))
    assert await statements() == without
    assert await statements(tags=[mark]) == without  # and what a rule did is stored with the rest


async def test_a_dry_run_tells_what_would_happen_and_changes_nothing(
    desk: Desk, agent: Caller, supervisor: Caller, rules: Rules, mark: str
) -> None:
    ticket = (await agent.open(requester={"id": "ben"}, tags=[mark]))["ticket_id"]
    await agent.send("PATCH", f"/v1/tickets/{ticket}", {"priority": "urgent"})
    wanted = {
        "id": "calm",
        "title": "Calm down",
        "events": ["priority_changed"],
        "when": [{"field": "tags", "op": "contains", "value": mark}],
        "actions": {"priority": "normal", "note": "No."},
    }
    before = await desk.names(ticket)
    for asked in ({"ticket_id": ticket}, {"recent": 50}):
        answer = await supervisor.post("/v1/rules/dry-run", {"rules": [wanted]} | asked)
        assert answer.status_code == 200, answer.text
        (told,) = [one for one in answer.json()["tickets"] if one["ticket_id"] == ticket]
        (run,) = told["runs"]
        assert (run["rule"], run["cause"], run["outcome"]) == (
            "calm",
            "priority_changed",
            "applied",
        )
        assert run["conditions"][0]["saw"] == {"tags": [mark]}
        assert [one["what"] for one in run["changes"]] == ["note", "priority"]
        assert answer.json()["by_rule"]["calm"] == 1
    assert await desk.names(ticket) == before
    in_force = await supervisor.post("/v1/rules/dry-run", {"ticket_id": ticket})
    assert in_force.json()["tickets"] == []
    faulty = {"rules": [wanted | {"events": []}], "ticket_id": ticket}
    assert (await supervisor.post("/v1/rules/dry-run", faulty)).status_code == 422
    missing = {"rules": [wanted], "ticket_id": str(uuid4())}
    assert (await supervisor.post("/v1/rules/dry-run", missing)).status_code == 404
    assert (await agent.post("/v1/rules/dry-run", {"ticket_id": ticket})).status_code == 403
