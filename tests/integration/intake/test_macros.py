"""Prepared texts and macros: refused when they could never work, filled in, done whole or not at all, taken back."""

import asyncio
from uuid import UUID, uuid4

import pytest

pytestmark = pytest.mark.integration

REFUND = {
    "title": "Refund",
    "actions": {
        "reply": "Dear {{requester.name|customer}}, #{{ticket.number}} is refunded. {{agent.name}}",
        "note": "Refunded.",
        "priority": "high",
        "add_tags": ["refund"],
        "fields": {"amount": 12},
        "resolve": {"summary": "Refunded by {{agent.name}}", "code": "refund"},
        "group": "billing",
    },
}


@pytest.fixture
async def macro(supervisor):
    return await defined(supervisor, "macros", REFUND)


async def defined(supervisor, what, definition):
    name = f"m-{uuid4().hex[:8]}"
    answer = await supervisor.send("PUT", f"/v1/{what}/{name}", definition)
    assert answer.status_code == 200, answer.text
    return name


async def a_ticket(agent, **said):
    return (await agent.open(requester={"id": "ben", "name": "Ben"}, **said))["ticket_id"]


async def test_a_macro_does_all_of_it_as_one_step_and_its_undo_takes_it_back(desk, agent, macro):
    ticket = await a_ticket(agent, tags=["old"])
    answer = await agent.post(f"/v1/tickets/{ticket}/macros/{macro}")
    assert answer.status_code == 200, answer.text
    step = answer.json()
    assert step["category"] == "solved"
    events = (await desk.events(ticket))[1:]
    assert [type(event).__name__ for event in events] == [
        "ActionsApplied",
        "NoteAdded",
        "PriorityChanged",
        "FieldsChanged",
        "TagsChanged",
        "GroupRequested",
        "AgentReplied",
        "TicketResolved",
    ]
    assert (events[0].name, events[0].definition_version) == (macro, 1)
    assert {event.causation_id for event in events[1:]} == {events[0].event_id}
    assert events[6].body == f"Dear Ben, #{step['number']} is refunded. Anna"
    assert events[7].summary == "Refunded by Anna"
    undone = await agent.post(f"/v1/tickets/{ticket}/steps/{step['step_id']}/undo")
    assert undone.status_code == 200, undone.text
    assert sorted(undone.json()["kept"]) == ["group", "note", "reply"]
    now = await as_it_is(desk, ticket)
    assert (now.priority, now.tags, now.fields, now.category) == ("normal", ("old",), {}, "open")
    again = await agent.post(f"/v1/tickets/{ticket}/steps/{step['step_id']}/undo")
    assert again.status_code == 409


async def as_it_is(desk, ticket):
    return await asyncio.to_thread(desk.store.transact, lambda tx: tx.state(UUID(ticket)))


async def test_what_somebody_has_changed_since_stays(desk, agent, macro):
    ticket = await a_ticket(agent)
    step = (await agent.post(f"/v1/tickets/{ticket}/macros/{macro}")).json()
    await agent.post(f"/v1/tickets/{ticket}/reopen")
    await agent.send("PATCH", f"/v1/tickets/{ticket}", {"priority": "urgent"})
    undone = await agent.post(f"/v1/tickets/{ticket}/steps/{step['step_id']}/undo")
    assert sorted(undone.json()["kept"]) == ["group", "note", "priority", "reply", "status"]


async def test_all_or_nothing_when_one_part_is_not_possible(desk, agent, supervisor, macro):
    ticket = await a_ticket(agent)
    await agent.post(f"/v1/tickets/{ticket}/close")
    before = await desk.names(ticket)
    answer = await agent.post(f"/v1/tickets/{ticket}/macros/{macro}")
    assert answer.status_code == 409
    assert await desk.names(ticket) == before
    open_one = await a_ticket(agent)
    many = {"title": "Many", "actions": {"add_tags": [f"t{n}" for n in range(50)]}}
    name = await defined(supervisor, "macros", many)
    await agent.send("PATCH", f"/v1/tickets/{open_one}", {"add_tags": ["one-more"]})
    before = await desk.names(open_one)
    assert (await agent.post(f"/v1/tickets/{open_one}/macros/{name}")).status_code == 409
    assert await desk.names(open_one) == before


async def test_a_dry_run_tells_what_would_happen_and_does_nothing(desk, agent, macro):
    ticket = await a_ticket(agent)
    told = (await agent.post(f"/v1/tickets/{ticket}/macros/{macro}?dry_run=true")).json()
    assert "step_id" not in told
    assert {"what": "priority", "before": "normal", "after": "high"} in told["changes"]
    assert {"what": "group", "before": None, "after": "billing"} in told["changes"]
    assert await desk.names(ticket) == ["TicketOpened"]


async def test_a_repeated_request_happens_once(desk, agent, macro):
    ticket = await a_ticket(agent)
    key = uuid4().hex
    path = f"/v1/tickets/{ticket}/macros/{macro}"
    first, second = [await agent.post(path, {}, Idempotency_Key=key) for _ in range(2)]
    assert first.json() == second.json()
    assert (await desk.names(ticket)).count("ActionsApplied") == 1


async def test_a_macro_that_changes_nothing_leaves_no_trace(desk, agent, supervisor):
    ticket = await a_ticket(agent)
    name = await defined(supervisor, "macros", {"title": "N", "actions": {"priority": "normal"}})
    answer = await agent.post(f"/v1/tickets/{ticket}/macros/{name}")
    assert answer.json().get("changes", []) == []
    assert await desk.names(ticket) == ["TicketOpened"]


async def test_macros_are_for_those_who_work_here(agent, customer, macro):
    ticket = await a_ticket(agent)
    assert (await customer.post(f"/v1/tickets/{ticket}/macros/{macro}")).status_code == 403
    assert (await customer.send("GET", f"/v1/tickets/{ticket}/toolbox")).status_code == 403
    assert (await agent.post(f"/v1/tickets/{ticket}/macros/none")).status_code == 404
    assert (await agent.send("PUT", "/v1/macros/mine", REFUND)).status_code == 403


@pytest.mark.parametrize(
    ("what", "said", "field"),
    [
        ("answers", {"title": "A", "body": "Dear {{requester.age}}"}, "body"),
        ("answers", {"title": "A", "body": "{{field.no-such}}"}, "body"),
        ("macros", {"title": "A", "actions": {"reply": "{{x}}"}}, "actions.reply"),
        ("macros", {"title": "A", "actions": {"status": "closed"}}, "actions.status"),
        ("macros", {"title": "A", "actions": {"label": "x"}}, "actions.label"),
        ("macros", {"title": "A", "actions": {}}, "actions"),
    ],
)
async def test_what_could_never_work_is_refused_by_name(supervisor, what, said, field):
    answer = await supervisor.send("PUT", f"/v1/{what}/wrong", said)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_prepared_texts_come_filled_in_the_best_match_first(agent, supervisor):
    mark = uuid4().hex[:8]
    short = {"title": f"{mark} greeting", "shortcut": f"hi{mark}", "body": "Hi {{requester.name}}"}
    await defined(supervisor, "answers", {"title": f"{mark} long", "body": f"hi{mark} inside"})
    await defined(supervisor, "answers", short)
    await defined(
        supervisor, "answers", {"title": f"{mark} theirs", "body": "x", "groups": ["elsewhere"]}
    )
    ticket = await agent.open(requester={"id": "c", "name": "{{agent.name}}"})
    path = f"/v1/tickets/{ticket['ticket_id']}/toolbox"
    found = (await agent.send("GET", f"{path}?q=hi{mark}")).json()["answers"]
    assert [one["text"] for one in found] == ["Hi {{agent.name}}", f"hi{mark} inside"]
    everything = (await agent.send("GET", f"{path}?q={mark}")).json()["answers"]
    assert len(everything) == 2
    nameless = await agent.open(requester={"id": "nobody"})
    path = f"/v1/tickets/{nameless['ticket_id']}/toolbox"
    (one,) = (await agent.send("GET", f"{path}?q={mark} greeting")).json()["answers"]
    assert (one["text"], one["missing"]) == ("Hi ", ["requester.name"])


async def test_a_macro_adds_people_postpones_and_sends_a_prepared_text_and_all_but_the_text_is_undone(
    desk, agent, supervisor
):
    text = await defined(supervisor, "answers", {"title": "Soon", "body": "Soon, {{agent.name}}"})
    dora = {"id": "dora@example.org", "email": "dora@example.org", "role": "cc"}
    actions = {"answer": text, "add_participants": [dora], "postpone": {"days": 2}}
    name = await defined(supervisor, "macros", {"title": "Later", "actions": actions})
    ticket = await a_ticket(agent)
    step = (await agent.post(f"/v1/tickets/{ticket}/macros/{name}")).json()
    assert step["category"] == "postponed"
    assert [one["what"] for one in step["changes"]] == ["participants", "reply", "status"]
    assert step["changes"][1]["after"] == "Soon, Anna"
    undone = (await agent.post(f"/v1/tickets/{ticket}/steps/{step['step_id']}/undo")).json()
    assert (undone["category"], undone["kept"]) == ("open", ["reply"])
    now = await asyncio.to_thread(desk.store.transact, lambda tx: tx.state(UUID(ticket)))
    assert now.participants == ()
    wrong = {"answer": text, "reply": "x", "postpone": {"days": 2}, "status": "open"}
    refused = await supervisor.send("PUT", f"/v1/macros/{name}", {"title": "No", "actions": wrong})
    assert [one["field"] for one in refused.json()["errors"]] == [
        "actions.answer",
        "actions.postpone",
    ]
    gone = {"title": "Gone", "actions": {"answer": "no-such-text"}}
    name = await defined(supervisor, "macros", gone)
    assert (await agent.post(f"/v1/tickets/{ticket}/macros/{name}")).status_code == 404


async def uploaded(who, name: str) -> str:
    answer = await who.post(
        f"/v1/attachments?name={name}", name.encode(), content_type="text/plain"
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def test_a_prepared_text_has_files_that_go_out_with_it_by_hand_and_by_macro(
    desk, agent, supervisor, customer
):
    sent = await uploaded(supervisor, "terms.txt")
    text = {"title": "Terms", "body": "Ours.", "files": [{"id": sent, "name": "lie.exe"}]}
    name = await defined(supervisor, "answers", text)
    kept = (await agent.send("GET", f"/v1/answers/{name}")).json()
    (file,) = kept["definition"]["files"]
    assert (file["id"], file["name"], file["size"]) == (sent, "terms.txt", 9)
    again = await supervisor.send("PUT", f"/v1/answers/{name}", kept["definition"])
    assert again.json()["version"] == 1, "what was read can be written"
    # The upload itself is forgotten after a day; the file stays with the text.
    await asyncio.to_thread(
        desk.store.transact,
        lambda tx: tx.cursor.execute("DELETE FROM uploads WHERE id = %s", (sent,)),
    )

    ticket = await a_ticket(agent)
    offered = (await agent.send("GET", f"/v1/tickets/{ticket}/toolbox?q={name}")).json()
    assert [one["id"] for one in offered["answers"][0]["files"]] == [sent]
    reply = {"body": "Ours.", "attachments": [sent]}
    assert (await agent.post(f"/v1/tickets/{ticket}/replies", reply)).status_code == 201
    macro = await defined(supervisor, "macros", {"title": "T", "actions": {"answer": name}})
    assert (await agent.post(f"/v1/tickets/{ticket}/macros/{macro}")).status_code == 200
    by_hand, by_macro = [one for one in await desk.events(ticket) if hasattr(one, "sources")]
    for event in (by_hand, by_macro):
        assert [(one.name, one.sha256) for one in event.attachments] == [
            ("terms.txt", file["sha256"])
        ]
    assert by_hand.attachments[0].id != by_macro.attachments[0].id
    listed = (await customer.send("GET", f"/v1/tickets/{ticket}/attachments")).json()
    assert [one["name"] for one in listed["attachments"]] == ["terms.txt"] * 2
    content = await desk.http.get(listed["attachments"][1]["url"])
    assert content.content == b"terms.txt"
    theirs = await customer.post(f"/v1/tickets/{ticket}/replies", reply)
    assert theirs.json()["errors"][0]["field"] == "attachments[0]", "files of ours are not for them"


async def test_a_prepared_text_names_only_files_that_were_sent(agent, supervisor):
    others = await uploaded(agent, "mine.txt")
    for one in (others, str(uuid4())):
        said = {"title": "T", "body": "b", "files": [{"id": one}]}
        answer = await supervisor.send("PUT", f"/v1/answers/none-{uuid4().hex[:8]}", said)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "files[0]")
