"""Robots, bounces, loops and storms: recorded, and nothing else follows."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from shared.events.tickets import MessageRecorded
from tests.integration.intake_mail.post import Post, a_mail, new_address

pytestmark = pytest.mark.integration

SIGNS = {
    "RFC 3834": {"Auto-Submitted": "auto-replied"},
    "an old program": {"Precedence": "auto_reply"},
    "no way back": {"Return-Path": "<>"},
    "a vacation": {"subject": "Out of office: Printer", "X-Auto-Response-Suppress": "All"},
    "an alarm": {"Auto-Submitted": "auto-generated"},
}


@pytest.mark.parametrize("sign", SIGNS)
async def test_an_automatic_reply_is_recorded_and_reopens_nothing(post: Post, sign: str):
    first = a_mail()
    opened = await post.bring(first)
    await post.caller.post(f"/v1/tickets/{opened['ticket_id']}/resolve", {"summary": "New fuse."})
    robot = a_mail(
        "I am away until Monday.",
        **{"from": first["From"], "In-Reply-To": first["Message-ID"], **SIGNS[sign]},
    )
    done = await post.bring(robot)
    assert (done["done"], done["category"]) == ("recorded", "solved")
    recorded = (await post.desk.events(opened["ticket_id"]))[-1]
    assert isinstance(recorded, MessageRecorded)
    assert recorded.body == "I am away until Monday."
    assert recorded.kind == "auto_reply"


async def test_a_bounce_is_recorded_on_the_ticket_whose_mail_came_back(post: Post):
    first = a_mail()
    opened = await post.bring(first)
    raw = f"""From: MAILER-DAEMON@mx.example
To: help@desk.example
Subject: Undelivered Mail Returned to Sender
Message-ID: <{uuid4().hex}@mx.example>
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

It could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; ann@customer.example
Action: failed
Status: 5.1.1

--b
Content-Type: text/rfc822-headers

Message-ID: {first["Message-ID"]}
--b--
""".encode()
    done = await post.bring(raw)
    assert done["done"] == "recorded"
    recorded = (await post.desk.events(opened["ticket_id"]))[-1]
    assert (recorded.kind, recorded.failed_recipients) == ("bounce", ("ann@customer.example",))


async def test_a_robot_without_a_ticket_is_refused_and_the_refusal_can_be_read(post: Post):
    robot = a_mail("Away.", subject="Away", **{"Auto-Submitted": "auto-replied"})
    done = await post.bring(robot)
    assert done["done"] == "refused"
    assert done == await post.bring(robot)  # once
    listed = (await post.caller.send("GET", "/v1/channels/email/refused")).json()["refused"]
    assert [one["id"] for one in listed].count(done["refusal_id"]) == 1
    (kept,) = (one for one in listed if one["id"] == done["refusal_id"])
    assert (kept["kind"], kept["mailbox"], kept["subject"]) == ("auto_reply", "help", "Away")


async def test_an_alarm_of_a_program_opens_a_ticket_that_no_program_may_answer(post: Post):
    done = await post.bring(a_mail("Disk full.", **{"Auto-Submitted": "auto-generated"}))
    assert done["done"] == "opened"
    (opened,) = await post.desk.events(done["ticket_id"])
    assert opened.mail.no_answer_reason == "Auto-Submitted: auto-generated"


async def test_our_own_address_as_sender_is_a_loop(post: Post):
    first = a_mail()
    opened = await post.bring(first)
    ours = {"from": "Desk <support+1@desk.example>"}
    done = await post.bring(a_mail("Hello?", **ours, **{"In-Reply-To": first["Message-ID"]}))
    assert (done["done"], done["category"]) == ("recorded", opened["category"])
    assert (await post.bring(a_mail("Hello?", **ours)))["done"] == "refused"


async def test_a_form_that_writes_as_ourselves_speaks_for_the_visitor(post: Post):
    visitor = new_address()
    done = await post.bring(
        a_mail("Please call me.", **{"from": "help@desk.example", "Reply-To": visitor})
    )
    (opened,) = await post.desk.events(done["ticket_id"])
    assert opened.requester.email == visitor


async def test_two_robots_that_answer_each_other_fall_silent(post: Post):
    """Nothing in their mails gives them away; only their pace does."""
    sender = new_address()
    done = [
        await post.bring(
            a_mail(
                f"Answer {at}", date=datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S +0000"),
                **{"from": sender},
            )
        )
        for at in range(35)
    ]  # fmt: skip
    assert [one["done"] for one in done] == ["opened"] * 30 + ["recorded"] * 5
    assert {one["ticket_id"] for one in done[30:]} == {done[29]["ticket_id"]}
    recorded = (await post.desk.events(done[29]["ticket_id"]))[-1]
    assert recorded.kind == "flood"


async def test_a_person_who_writes_to_a_list_is_heard_and_not_answered(post: Post):
    done = await post.bring(a_mail("Help!", **{"List-Id": "<users.example>"}))
    assert done["done"] == "opened"
    (opened,) = await post.desk.events(done["ticket_id"])
    assert opened.mail.no_answer_reason == "List-Id: <users.example>"
