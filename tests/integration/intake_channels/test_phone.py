"""Calls in: each becomes a ticket, a message, a note or a line in the log, by the rule of its line, once."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from shared.events.tickets import NoteAdded, TicketOpened
from shared.security import Role
from tests.integration.intake.desk import Caller, Desk

pytestmark = pytest.mark.integration

_NUMBERS = count(1000)


@pytest.fixture
def exchange(caller: Callable[..., Caller]) -> Caller:
    return caller("exchange", Role.SERVICE)


def a_number() -> str:
    return f"+49 171 555{next(_NUMBERS)}"


def a_call(number: str | None = None, *, answered: bool = True, **said: Any) -> dict[str, Any]:
    number = number or a_number()
    start = datetime.now(UTC) - timedelta(minutes=5)
    call = {
        "call_id": f"call {number} {said.get('started_at', start)}",
        "direction": "inbound",
        "caller": number,
        "callee": "+49 30 1000",
        "started_at": start.isoformat(),
        "ended_at": (start + timedelta(minutes=3)).isoformat(),
    }
    if answered:
        call["answered_at"] = (start + timedelta(seconds=12)).isoformat()
    return call | said


async def report(who: Caller, call: dict[str, Any]) -> dict[str, Any]:
    answer = await who.post("/v1/channels/phone/calls", call)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_call_becomes_a_ticket_with_what_happened_and_a_note_for_us(exchange, desk: Desk):
    number = a_number()
    agent = {"id": "anna", "name": "Anna"}
    recording = "https://pbx.example/r/1"
    done = await report(exchange, a_call(number, agent=agent, recording_url=recording))
    opened, note = await desk.events(done["ticket_id"])
    assert isinstance(opened, TicketOpened)
    assert isinstance(note, NoteAdded)
    assert (opened.via, opened.tags, opened.fields["group"]) == ("phone", ("phone",), "first-line")
    assert opened.fields["phone_wait_seconds"] == 12
    assert opened.requester.id == "tel:" + number.replace(" ", "")
    assert "was answered by Anna and lasted 2 min 48 s" in opened.body
    assert recording not in opened.body
    assert recording in note.body
    assert note.actor.id == "anna"


async def test_the_next_call_of_the_same_number_belongs_to_the_open_ticket(exchange, desk: Desk):
    number = a_number()
    first = await report(exchange, a_call(number))
    answered = await report(exchange, a_call(number, call_id=f"{number} 2"))
    missed = await report(exchange, a_call(number, call_id=f"{number} 3", answered=False))
    assert first["ticket_id"] == answered["ticket_id"] == missed["ticket_id"]
    assert [first["done"], answered["done"], missed["done"]] == ["opened", "noted", "replied"]
    names = await desk.names(first["ticket_id"])
    assert names[:3] == ["TicketOpened", "NoteAdded", "CustomerReplied"]


async def test_when_the_ticket_has_ended_the_next_call_opens_another(exchange, agent):
    number = a_number()
    first = await report(exchange, a_call(number))
    solved = await agent.post(f"/v1/tickets/{first['ticket_id']}/resolve", {"summary": "Done."})
    assert solved.status_code == 200
    second = await report(exchange, a_call(number, call_id=f"{number} 2"))
    assert second["done"] == "opened"
    assert second["ticket_id"] != first["ticket_id"]


@pytest.mark.parametrize(
    ("said", "answered", "done"),
    [
        ({"callee": "+49 30 2000"}, True, "kept"),
        ({"callee": "+49 30 2000"}, False, "opened"),
        ({"callee": "030 3000"}, False, "kept"),
    ],
)
async def test_the_line_says_what_calls_open(exchange, said, answered, done):
    assert (await report(exchange, a_call(answered=answered, **said)))["done"] == done


async def test_calls_out_are_noted_on_the_open_ticket_or_kept_in_the_log(exchange, agent):
    number = a_number()
    out = {"direction": "outbound", "caller": "+49 30 1000", "callee": number}
    kept = await report(exchange, a_call(number, **out))
    assert kept["done"] == "kept"
    opened = await report(exchange, a_call(number, call_id=f"{number} in"))
    noted = await report(
        agent, a_call(number, **out, call_id=f"{number} out", summary="Told them.")
    )
    assert (noted["done"], noted["ticket_id"]) == ("noted", opened["ticket_id"])
    log = await agent.send("GET", f"/v1/channels/phone/calls?number={number.replace('+', '%2B')}")
    assert [one["done"] for one in log.json()["calls"]] == ["noted", "opened", "kept"]
    of_ticket = f"/v1/channels/phone/calls?ticket_id={opened['ticket_id']}"
    assert len((await agent.send("GET", of_ticket)).json()["calls"]) == 2


async def test_a_call_out_may_open_a_ticket_that_waits_for_nobody(exchange, desk: Desk):
    number = a_number()
    said = {"direction": "outbound", "caller": "+49 30 3000", "callee": number}
    done = await report(exchange, a_call(number, **said, agent={"id": "anna"}))
    (opened, *_) = await desk.events(done["ticket_id"])
    assert isinstance(opened, TicketOpened)
    assert opened.is_outbound
    assert (opened.actor.kind, opened.category) == ("agent", "answered")


async def test_the_same_call_from_two_processes_at_once_is_one_ticket(
    exchange, caller, second_desk, desk: Desk
):
    call = a_call()
    other = caller("exchange", Role.SERVICE, at=second_desk)
    answers = await asyncio.gather(*(report(who, call) for who in (exchange, other) * 5))
    assert len({one["ticket_id"] for one in answers}) == 1
    assert (await desk.names(answers[0]["ticket_id"])).count("TicketOpened") == 1


async def test_two_calls_of_one_number_at_once_are_one_ticket(exchange, caller, second_desk):
    number = a_number()
    other = caller("exchange", Role.SERVICE, at=second_desk)
    answers = await asyncio.gather(
        *(
            report(who, a_call(number, call_id=f"{number} {place}"))
            for place, who in enumerate((exchange, other) * 4)
        )
    )
    assert len({one["ticket_id"] for one in answers}) == 1


async def test_another_call_under_the_same_id_is_refused(exchange):
    call = a_call()
    await report(exchange, call)
    answer = await exchange.post("/v1/channels/phone/calls", call | {"direction": "outbound"})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"caller": "12"}, "caller"),
        ({"caller": "no number"}, "caller"),
        ({"ended_at": "2001-01-01T00:00:00Z"}, "ended_at"),
        ({"ended_at": "2101-01-01T00:00:00Z"}, "ended_at"),
        ({"direction": "sideways"}, "direction"),
        ({"recording_url": "javascript:alert(1)"}, "recording_url"),
    ],
)
async def test_bad_input_names_the_field(exchange, said, field):
    answer = await exchange.post("/v1/channels/phone/calls", a_call("+49 171 5550001") | said)
    assert answer.status_code == 422, answer.text
    assert field in [one["field"] for one in answer.json()["errors"]]


async def test_customers_report_no_calls_and_agents_name_no_others(agent, caller):
    assert (
        await caller("ben", Role.CUSTOMER).post("/v1/channels/phone/calls", a_call())
    ).status_code == 403
    answer = await agent.post("/v1/channels/phone/calls", a_call(agent={"id": "bob"}))
    assert answer.json()["errors"][0]["field"] == "agent.id"


async def test_a_number_that_was_introduced_finds_its_person(exchange, agent, desk: Desk):
    number = a_number()
    person = {"id": f"cust {number}", "name": "Carla", "phone": number, "email": "carla@x.example"}
    await agent.open(requester=person)
    by_phone = await agent.open(requester={"phone": number.replace(" ", "-")})
    by_mail = await agent.open(requester={"email": "Carla@X.example"})
    called = await report(exchange, a_call(number))
    for one in (by_phone, by_mail, called):
        (opened, *_) = await desk.events(one["ticket_id"])
        assert isinstance(opened, TicketOpened)
        assert (opened.requester.id, opened.requester.name) == (person["id"], "Carla")


async def test_a_stranger_gets_an_id_from_the_address_and_nobody_at_all_is_refused(
    agent, desk: Desk
):
    done = await agent.open(requester={"email": "New@X.example", "name": "New"})
    (opened, *_) = await desk.events(done["ticket_id"])
    assert isinstance(opened, TicketOpened)
    assert opened.requester.id == "mailto:new@x.example"
    answer = await agent.post(
        "/v1/tickets", {"subject": "s", "body": "b", "requester": {"name": "Who?"}}
    )
    assert answer.json()["errors"][0]["field"] == "requester"
