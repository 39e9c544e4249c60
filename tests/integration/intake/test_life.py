"""The life of tickets over HTTP, on a real PostgreSQL: ends and what follows them, undo, families, internal tickets."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from services.intake.configuration import CALENDAR, put
from services.intake.owners import Owner, note_owners
from services.intake.timers import ClosingTimer
from shared.clock import SystemClock
from shared.events import StatusCategory as C
from tests.integration.intake.test_postponements import running

pytestmark = pytest.mark.integration

FOR_BEN = {"requester": {"id": "ben", "name": "Ben"}}
DESK = "life-desk"


def intake_of(desk):
    return desk.service._task_makers[0].__self__._act.__self__


async def in_transaction(desk, work):
    return await asyncio.to_thread(desk.store.transact, work)


async def a_policy(desk, supervisor, group: str = DESK, **policy):
    answer = await supervisor.send("PUT", f"/v1/intake/life/{group}", policy)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def owned(desk, ticket: str, group: str = DESK, agent: str | None = "anna"):
    await in_transaction(desk, lambda tx: note_owners(tx, {UUID(ticket): Owner(group, agent)}))


async def solved(agent, ticket: str, **said):
    answer = await agent.post(f"/v1/tickets/{ticket}/resolve", {"summary": "Done"} | said)
    assert answer.status_code == 200, answer.text


async def solved_long_ago(desk, agent, importer, **said) -> str:
    """Solved thirty days ago, by the rules and not as history."""
    ticket = (await agent.open(**FOR_BEN, **said))["ticket_id"]
    await owned(desk, ticket)
    past = (datetime.now(UTC) - timedelta(days=30)).isoformat()
    await solved(importer, ticket, occurred_at=past)
    return ticket


async def test_after_the_reopen_window_a_reply_opens_a_follow_up_and_both_say_so(
    desk, agent, importer, customer, supervisor
):
    await a_policy(desk, supervisor, reopen_within={"days": 14}, follow_up_owner="keep")
    old = await solved_long_ago(desk, agent, importer, subject="Printer on the third floor")
    answer = await customer.post(f"/v1/tickets/{old}/replies", {"body": "It burns again"})
    assert answer.status_code == 201
    receipt = answer.json()
    assert receipt["ticket_id"] != old
    opened, linked = await desk.events(receipt["ticket_id"])
    before = (await desk.events(old))[0]
    assert receipt["follow_up_of"] == before.number
    assert (opened.body, opened.subject, opened.requester.id) == (
        "It burns again",
        before.subject,
        "ben",
    )
    assert (opened.origin.kind, opened.origin.number) == ("follow_up", before.number)
    assert (opened.origin.keeps_owner, opened.origin.group_id, opened.origin.agent_id) == (
        True,
        DESK,
        "anna",
    )
    assert (linked.relation, linked.other_number) == ("predecessor", before.number)
    assert (await desk.events(old))[-1].relation == "follow_up"
    # The next word goes to the follow-up that stands, whichever of the two it is written to.
    more = (await customer.post(f"/v1/tickets/{old}/replies", {"body": "And smokes"})).json()
    assert (more["ticket_id"], more["category"]) == (receipt["ticket_id"], "new")


async def test_within_the_window_it_is_reopened_and_the_terms_are_on_the_event(
    desk, agent, customer, supervisor
):
    policy = await a_policy(
        desk,
        supervisor,
        reopen_within={"hours": 48},
        close_after={"hours": 72},
        reopen_owner="clear",
    )
    ticket = (await agent.open(**FOR_BEN))["ticket_id"]
    await owned(desk, ticket)
    await solved(agent, ticket)
    event = (await desk.events(ticket))[-1]
    assert event.reopen_until - event.occurred_at == timedelta(hours=48)
    assert event.close_at - event.occurred_at == timedelta(hours=72)
    assert (event.life_group, event.life_version) == (DESK, policy["version"])
    rows = await desk.rows("SELECT until FROM closings WHERE ticket_id = %s", UUID(ticket))
    assert [row["until"] for row in rows] == [event.close_at]
    receipt = (await customer.post(f"/v1/tickets/{ticket}/replies", {"body": "No"})).json()
    assert (receipt["ticket_id"], receipt["category"]) == (ticket, "open")
    reopened = (await desk.events(ticket))[-1]
    assert (type(reopened).__name__, reopened.keeps_owner) == ("TicketReopened", False)
    await solved(agent, ticket)
    await agent.post(f"/v1/tickets/{ticket}/reopen", {})
    assert (await desk.events(ticket))[-1].keeps_owner is False
    await solved(agent, ticket)
    await a_policy(desk, supervisor, reopen_within={"hours": 48})
    await agent.post(f"/v1/tickets/{ticket}/reopen", {})
    assert (await desk.events(ticket))[-1].keeps_owner is True
    assert await desk.rows("SELECT 1 FROM closings WHERE ticket_id = %s", UUID(ticket)) == []


async def test_a_closed_ticket_is_followed_up_even_without_a_policy(desk, agent, customer):
    ticket = (await customer.open())["ticket_id"]
    await agent.post(f"/v1/tickets/{ticket}/close")
    receipt = (await customer.post(f"/v1/tickets/{ticket}/replies", {"body": "Hello?"})).json()
    assert "follow_up_of" in receipt
    refused = await agent.post(f"/v1/tickets/{ticket}/replies", {"body": "Hello"})
    assert (refused.status_code, refused.json()["code"]) == (409, "ticket_is_closed")


async def test_the_timer_closes_after_business_days_once_and_says_by_which_rule(
    desk, agent, importer, supervisor
):
    office = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
    calendar = {"timezone": "Europe/Berlin", "hours": office}
    await in_transaction(desk, lambda tx: put(tx, CALENDAR, "office", 1, calendar))
    policy = await a_policy(desk, supervisor, close_after={"business_days": 3}, calendar="office")
    ticket = await solved_long_ago(desk, agent, importer)
    due = (await desk.events(ticket))[-1].close_at
    assert due is not None
    timer = ClosingTimer(intake_of(desk), SystemClock())
    async with running(timer):
        await _until_closed(desk, ticket)
    closed = (await desk.events(ticket))[-1]
    assert (closed.reason, closed.occurred_at) == ("time_passed", due)
    assert f"group {DESK}, version {policy['version']}" in closed.rule
    assert (due.astimezone(ZoneInfo("Europe/Berlin")).hour, due.minute) == (17, 0)
    again = await asyncio.to_thread(intake_of(desk).close_due, "c-1")
    assert again is None or again > datetime.now(UTC)
    assert (await desk.names(ticket)).count("TicketClosed") == 1


async def _until_closed(desk, ticket: str) -> None:
    loop, committed = asyncio.get_running_loop(), asyncio.Event()
    desk.store.on_commit(
        lambda: None if loop.is_closed() else loop.call_soon_threadsafe(committed.set)
    )
    async with asyncio.timeout(10):
        while (await desk.names(ticket))[-1] != "TicketClosed":
            await committed.wait()
            committed.clear()


async def test_a_policy_that_cannot_be_kept_is_refused_by_field(supervisor, agent):
    for body, field in (
        ({"reopen_within": {"hours": 1, "days": 1}}, "reopen_within"),
        ({"close_after": {"business_days": 2}}, "calendar"),
        ({"close_after": {"business_days": 2}, "calendar": "nowhere"}, "calendar"),
        ({"close_after": {"days": 0}}, "close_after.days"),
        ({"closes": 1}, "closes"),
    ):
        answer = await supervisor.send("PUT", f"/v1/intake/life/{DESK}", body)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"] == field
    assert (await agent.send("PUT", f"/v1/intake/life/{DESK}", {})).status_code == 403


async def test_a_thank_you_is_kept_and_reopens_nothing_until_an_agent_says_so(
    desk, agent, customer
):
    ticket = (await customer.open())["ticket_id"]
    await solved(agent, ticket)
    thanks = (await customer.post(f"/v1/tickets/{ticket}/replies", {"body": "Vielen Dank!"})).json()
    assert thanks["category"] == "solved"
    event = (await desk.events(ticket))[-1]
    assert (event.courtesy.rule, event.courtesy.language) == ("thanks_after_solved", "de")
    back = await agent.post(f"/v1/tickets/{ticket}/reopen")
    assert back.json()["category"] == "open"
    assert (await desk.events(ticket))[-1].cause == "courtesy_overruled"


async def test_thanks_with_more_reopens(desk, agent, customer):
    ticket = (await customer.open())["ticket_id"]
    await solved(agent, ticket)
    said = {"body": "Thanks, but it still fails"}
    assert (await customer.post(f"/v1/tickets/{ticket}/replies", said)).json()["category"] == "open"


async def test_a_thank_you_on_a_closed_ticket_opens_nothing_and_can_be_overruled(
    desk, agent, customer
):
    ticket = (await customer.open())["ticket_id"]
    await agent.post(f"/v1/tickets/{ticket}/close")
    thanks = (await customer.post(f"/v1/tickets/{ticket}/replies", {"body": "👍"})).json()
    assert (thanks["ticket_id"], thanks["category"]) == (ticket, "closed")
    assert (await agent.post(f"/v1/tickets/{ticket}/reopen")).json()["category"] == "open"


async def test_the_customer_confirms_and_it_is_closed(desk, agent, customer):
    ticket = (await customer.open())["ticket_id"]
    early = await customer.post(f"/v1/tickets/{ticket}/confirm")
    assert (early.status_code, early.json()["code"]) == (409, "ticket_is_not_solved")
    await solved(agent, ticket)
    assert (await customer.post(f"/v1/tickets/{ticket}/confirm")).json()["category"] == "closed"
    assert (await desk.events(ticket))[-1].reason == "confirmed_by_customer"
    assert (await customer.post(f"/v1/tickets/{ticket}/confirm")).status_code == 200


async def test_a_merge_is_undone_on_both_and_the_ticket_is_what_it_was(desk, agent, customer):
    first = (await customer.open())["ticket_id"]
    second = (await agent.open(**FOR_BEN))["ticket_id"]
    await agent.post(f"/v1/tickets/{first}/merge", {"into": second})
    followed = (await customer.post(f"/v1/tickets/{first}/replies", {"body": "more"})).json()
    assert followed["ticket_id"] == second
    undone = await agent.post(f"/v1/tickets/{first}/unmerge")
    assert (undone.status_code, undone.json()["category"]) == (200, "new")
    assert (await desk.names(second))[-1] == "MergeUndone"
    again = await agent.post(f"/v1/tickets/{first}/unmerge")
    assert (again.status_code, again.json()["code"]) == (409, "ticket_is_not_merged")
    back = await agent.post(f"/v1/tickets/{second}/merge", {"into": first})
    assert back.status_code == 200
    assert (await customer.post(f"/v1/tickets/{second}/unmerge")).status_code == 403


async def test_chosen_messages_become_a_ticket_and_come_back(desk, agent, customer):
    ticket = (await customer.open())["ticket_id"]
    other = (
        await customer.post(f"/v1/tickets/{ticket}/replies", {"body": "Also the scanner"})
    ).json()
    note = (await agent.post(f"/v1/tickets/{ticket}/notes", {"body": "two matters"})).json()
    chosen = [other["message_id"], note["message_id"]]
    made = await agent.post(
        f"/v1/tickets/{ticket}/split", {"message_ids": chosen, "subject": "Scanner is dead"}
    )
    assert made.status_code == 201, made.text
    new = made.json()["ticket_id"]
    opened, copy = await desk.events(new)
    assert (opened.body, opened.origin.kind, opened.requester.id) == (
        "Also the scanner",
        "split",
        "ben",
    )
    assert (copy.body, copy.copied.author.id, copy.actor.kind) == ("two matters", "anna", "agent")
    split = (await desk.events(ticket))[-1]
    assert [str(one) for one in split.message_ids] == chosen
    back = await agent.post(f"/v1/tickets/{ticket}/unsplit", {"ticket_id": new})
    assert back.status_code == 200, back.text
    assert (await desk.names(ticket))[-2:] == ["SplitUndone", "MergeReceived"]
    assert (await desk.names(new))[-1] == "TicketMerged"
    twice = await agent.post(f"/v1/tickets/{ticket}/unsplit", {"ticket_id": new})
    assert (twice.status_code, twice.json()["code"]) == (409, "nothing_was_split")


async def test_what_cannot_be_split_is_said_and_changes_nothing(desk, agent, customer):
    receipt = await customer.open()
    ticket, first = receipt["ticket_id"], receipt["message_id"]
    note = (await agent.post(f"/v1/tickets/{ticket}/notes", {"body": "n"})).json()["message_id"]
    for chosen, code in (
        ([first, note], "split_leaves_nothing"),
        ([note], "split_needs_a_message"),
        ([str(UUID(int=7))], "message_is_not_here"),
    ):
        refused = await agent.post(
            f"/v1/tickets/{ticket}/split", {"message_ids": chosen, "subject": "New subject"}
        )
        assert (refused.status_code, refused.json()["code"]) == (409, code)
    assert await desk.names(ticket) == ["TicketOpened", "NoteAdded"]


async def test_a_parent_waits_for_its_children_and_tells_them_when_it_ends(desk, agent):
    parent, child = [(await agent.open(**FOR_BEN))["ticket_id"] for _ in range(2)]
    link = {"ticket_id": child, "relation": "child"}
    await agent.post(f"/v1/tickets/{parent}/links", link)
    await agent.send("PUT", f"/v1/tickets/{parent}/family", {"waits_for_children": True})
    refused = await agent.post(f"/v1/tickets/{parent}/resolve", {"summary": "Done"})
    assert (refused.status_code, refused.json()["code"]) == (409, "children_are_open")
    await agent.send("PUT", f"/v1/tickets/{parent}/family", {"waits_for_children": False})
    ended = {
        "summary": "Done",
        "comment_children": {"body": "The network is back", "is_public": True},
    }
    assert (await agent.post(f"/v1/tickets/{parent}/resolve", ended)).status_code == 200
    assert (await desk.names(child))[-2:] == ["AgentReplied", "StatusChanged"]
    assert (await desk.events(child))[-2].body == "The network is back"


async def test_no_customer_ever_sees_an_internal_ticket(desk, agent, customer):
    ticket = (await agent.open(is_internal=True, **FOR_BEN))["ticket_id"]
    for path, body in (("replies", {"body": "x"}), ("reopen", {}), ("confirm", {})):
        assert (await customer.post(f"/v1/tickets/{ticket}/{path}", body)).status_code == 404
    refused = await agent.post(f"/v1/tickets/{ticket}/replies", {"body": "x"})
    assert (refused.status_code, refused.json()["code"]) == (409, "ticket_is_internal")
    assert (await agent.post(f"/v1/tickets/{ticket}/notes", {"body": "x"})).status_code == 201
    alone = await agent.post("/v1/tickets", {"subject": "a b", "body": "c", "is_internal": True})
    assert (await desk.events(alone.json()["ticket_id"]))[0].requester.id == "anna"
    forbidden = await customer.post(
        "/v1/tickets", {"subject": "a", "body": "b", "is_internal": True}
    )
    assert forbidden.status_code == 403


async def test_tasks_and_lists_with_owner_and_date(desk, agent):
    ticket = (await agent.open(**FOR_BEN))["ticket_id"]
    due = "2026-12-24T12:00:00+01:00"
    task = (
        await agent.post(
            f"/v1/tickets/{ticket}/tasks", {"title": "Call", "owner": "ole", "due_at": due}
        )
    ).json()["task_id"]
    done = await agent.send("PATCH", f"/v1/tickets/{ticket}/tasks/{task}", {"is_done": True})
    assert done.status_code == 200
    again = await agent.send("PATCH", f"/v1/tickets/{ticket}/tasks/{task}", {"is_done": True})
    assert again.json()["version"] == done.json()["version"]
    added = await agent.post(
        f"/v1/tickets/{ticket}/checklists", {"name": "Go", "items": ["a", "b"]}
    )
    assert added.status_code == 201
    assert (await agent.send("DELETE", f"/v1/tickets/{ticket}/tasks/{task}")).status_code == 200
    names = ["TaskAdded", "TaskChanged", "TaskAdded", "TaskAdded", "TaskRemoved"]
    assert (await desk.names(ticket))[1:] == names
    events = await desk.events(ticket)
    assert (events[1].owner_id, events[1].due_at) == ("ole", datetime(2026, 12, 24, 11, tzinfo=UTC))
    missing = await agent.send("PATCH", f"/v1/tickets/{ticket}/tasks/{task}", {"title": "x"})
    assert (missing.status_code, missing.json()["code"]) == (409, "no_such_task")
    assert (await agent.send("PATCH", f"/v1/tickets/{ticket}/tasks/{task}", {})).status_code == 422


async def test_participants_come_and_go_once(desk, agent):
    ticket = (await agent.open(**FOR_BEN))["ticket_id"]
    carl = {"person": {"id": "carl@example.com", "email": "carl@example.com"}, "role": "cc"}
    for _ in range(2):
        assert (await agent.post(f"/v1/tickets/{ticket}/participants", carl)).status_code == 201
    gone = f"/v1/tickets/{ticket}/participants/carl@example.com"
    assert (await agent.send("DELETE", gone)).status_code == 200
    assert (await desk.names(ticket))[1:] == ["ParticipantAdded", "ParticipantRemoved"]


async def test_a_quote_must_be_of_this_ticket_and_visible(desk, agent, customer):
    receipt = await customer.open()
    ticket = receipt["ticket_id"]
    note = (await agent.post(f"/v1/tickets/{ticket}/notes", {"body": "n"})).json()["message_id"]
    good = {"body": "about that", "quotes": receipt["message_id"]}
    assert (await agent.post(f"/v1/tickets/{ticket}/replies", good)).status_code == 201
    assert str((await desk.events(ticket))[2].quotes) == receipt["message_id"]
    for who, quoted in ((agent, str(UUID(int=7))), (customer, note)):
        refused = await who.post(f"/v1/tickets/{ticket}/replies", {"body": "x", "quotes": quoted})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (409, "quotes")


async def test_an_agent_is_told_when_a_subject_says_nothing(agent, customer):
    assert "hint" in await agent.open(**FOR_BEN, subject="Help!")
    assert "hint" not in await agent.open(**FOR_BEN, subject="Printer prints every page twice")
    assert "hint" not in await customer.open(subject="Help!")


async def test_snoozed_until_a_minute(desk, agent):
    ticket = (await agent.open(**FOR_BEN))["ticket_id"]
    until = (datetime.now(UTC) + timedelta(days=1)).replace(second=0, microsecond=0)
    answer = await agent.send(
        "PATCH",
        f"/v1/tickets/{ticket}",
        {"status": {"category": "postponed", "until": until.isoformat()}},
    )
    assert (answer.status_code, answer.json()["category"]) == (200, C.POSTPONED)
    assert (await desk.events(ticket))[-1].until == until
