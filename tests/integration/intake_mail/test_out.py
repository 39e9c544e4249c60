"""A ticket's mails reach a real SMTP server and come back: round trip, recipients, refusals, robots, bounces."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from services.intake.channels.mail.out.sender import MailSender
from services.intake.channels.mail.threading import read_own_message_id
from shared.events.base import Owner
from shared.events.operations import IntakeOperation, operations_stream
from shared.events.tickets import AgentReplied, MessageNotDelivered, MessageSent
from shared.security import Role
from shared.security.issuer import LocalIssuer
from tests.integration.intake.desk import Caller, Desk
from tests.integration.intake_mail.outside import Outside, a_sender, an_answer, drained
from tests.integration.intake_mail.post import Post, a_mail, new_address, open_post
from tests.support.database import Database
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

MAILBOXES = """
mailboxes:
  - name: help
    addresses: [help@desk.example]
    group: first-line
    brand: Desk
    sender_name: "{{agent}} at {{brand}}"
    signature: "{{brand}}, ticket {{ticket}}"
    acknowledgement:
      text: |
        Hello {{requester}},

        your message is ticket {{ticket}}.
  - name: quiet
    addresses: [quiet@desk.example]
    quote: none
    subject_token: false
"""


@pytest.fixture(scope="module")
async def house(
    database: Database, issuer: LocalIssuer, boxes: Path, folder: Path
) -> AsyncIterator[Desk]:
    more: dict[str, Any] = {"mail_out_host": "127.0.0.1", "mail_out_security": "none"}
    async with open_post(database, issuer, boxes, folder, **more) as opened:
        yield opened


@pytest.fixture
def sender(house: Desk, outside, folder: Path, boxes: Path) -> MailSender:
    return a_sender(house, outside.port, folder, boxes)


@pytest.fixture
def anna(house: Desk, issuer: LocalIssuer) -> Caller:
    return Caller(house, issuer.issue("anna", Role.AGENT, name="Anna Berg"))


@pytest.fixture
def lena(house: Desk, issuer: LocalIssuer) -> Caller:
    return Caller(house, issuer.issue("lena", Role.SUPERVISOR, name="Lena"))


@pytest.fixture
def mails(house: Desk, anna: Caller) -> Post:
    return Post(house, anna)


async def reply(anna: Caller, ticket: str, body: str = "We look at it.", **more: Any) -> str:
    answer = await anna.post(f"/v1/tickets/{ticket}/replies", {"body": body} | more)
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()["message_id"]


async def events(house: Desk, ticket: str, kind: type) -> list[Any]:
    return [one for one in await house.events(ticket) if isinstance(one, kind)]


async def operations(house: Desk, ticket: str) -> list[IntakeOperation]:
    return await events(house, str(operations_stream(Owner.INTAKE, ticket)), IntakeOperation)


def words(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return body.get_content().replace("\r\n", "\n")


async def test_a_mail_its_reply_and_the_answer_to_that_are_one_thread_and_one_ticket(
    house: Desk, mails: Post, anna: Caller, outside: Outside, sender: MailSender
):
    ann = new_address()
    mail = a_mail("The printer is on fire.", **{"from": f"Ann Lee <{ann}>"})
    opened = await mails.bring(mail)
    ticket = opened["ticket_id"]
    await drained(sender)
    message_id = await reply(anna, ticket, "Use water.\n\nSee https://desk.example/fire?a=1&b=<2>.")
    await drained(sender)
    acknowledgement, answered = outside.mails(ann)
    token = await mails.token(opened["number"])

    assert acknowledgement["Auto-Submitted"] == "auto-replied"
    assert (
        words(acknowledgement) == f"Hello Ann Lee,\n\nyour message is ticket #{opened['number']}.\n"
    )
    assert acknowledgement["In-Reply-To"] == mail["Message-ID"]

    assert answered["From"] == "Anna Berg at Desk <help@desk.example>"
    assert answered["To"] == f"Ann Lee <{ann}>"
    assert answered["Reply-To"] == f"help+{token}@desk.example"
    assert answered["Subject"] == f"Re: Printer [#{token}]"
    assert answered["In-Reply-To"] == mail["Message-ID"]
    assert answered["References"].split() == [acknowledgement["Message-ID"], mail["Message-ID"]]
    assert answered["Auto-Submitted"] is None
    own = answered["Message-ID"].strip("<>")
    assert read_own_message_id(await mails.key(), own) is not None
    said = words(answered)
    assert said.startswith("Use water.\n\nSee https://desk.example/fire")
    assert f"-- \nDesk, ticket #{opened['number']}" in said
    assert said.endswith("Ann Lee wrote:\n> The printer is on fire.\n")
    html = answered.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert '<a href="https://desk.example/fire?a=1&amp;b=">' in html
    assert "b=<2>" not in html

    back = await mails.bring(an_answer(answered, "It burns still."))
    assert (back["done"], back["ticket_id"]) == ("replied", ticket)
    (replied,) = [
        one
        for one in await house.events(ticket)
        if one.wire_type.startswith("ticket.customer_replied")
    ]
    assert replied.body == "It burns still."  # type: ignore[attr-defined]
    stripped = an_answer(answered, "And now the curtain.")
    for name in ("In-Reply-To", "References", "Subject"):
        del stripped[name]  # only the plus-address is left
    assert (await mails.bring(stripped))["ticket_id"] == ticket

    await reply(anna, ticket, "Out of the house!")
    await drained(sender)
    last = outside.mails(ann)[-1]
    assert last["In-Reply-To"] == stripped["Message-ID"]
    assert answered["Message-ID"] in last["References"]
    (first_sent, second_sent, _) = await events(house, ticket, MessageSent)
    assert (first_sent.kind, second_sent.kind) == ("acknowledgement", "reply")
    assert (str(second_sent.message_id), second_sent.recipients) == (message_id, (ann,))
    assert second_sent.mail_id == own


async def test_that_an_answer_has_left_outdates_no_page_and_what_somebody_says_does(
    house: Desk, mails: Post, anna: Caller, lena: Caller, sender: MailSender
):
    opened = await mails.bring(a_mail("Fire", **{"from": new_address()}))
    ticket = f"/v1/tickets/{opened['ticket_id']}"
    await drained(sender)  # the acknowledgement
    written = await anna.post(f"{ticket}/replies", {"body": "Use water."})
    seen = written.json()["version"]
    await drained(sender)
    *_, sent = await house.events(opened["ticket_id"])
    assert (type(sent), sent.version > seen) == (MessageSent, True)
    early = await anna.send("PATCH", ticket, {"priority": "high"}, if_match=f'"{seen - 1}"')
    assert (early.status_code, early.json()["code"]) == (412, "conflict")
    kept = await anna.send("PATCH", ticket, {"priority": "high"}, if_match=f'"{seen}"')
    assert kept.status_code == 200, kept.text
    late = await lena.send("PATCH", ticket, {"priority": "low"}, if_match=f'"{sent.version}"')
    assert late.status_code == 412


async def test_robots_lists_and_storms_get_no_acknowledgement(
    house: Desk, mails: Post, outside: Outside, sender: MailSender
):
    quiet = [
        a_mail(precedence="bulk"),
        a_mail(auto_submitted="auto-generated"),
        a_mail(list_id="<l.example>"),
        a_mail(**{"from": f"noreply-{new_address()}"}),
        a_mail(to="quiet@desk.example"),
    ]
    for mail in quiet:
        done = await mails.bring(mail)
        assert done["done"] == "opened", done
        rows = await house.rows(
            "SELECT kind FROM mail_outbox WHERE ticket_id = %s", done["ticket_id"]
        )
        assert rows == []
    eager = new_address()
    for _ in range(5):
        assert (await mails.bring(a_mail(**{"from": eager})))["done"] == "opened"
    await drained(sender)
    assert len(outside.mails(eager)) == 3
    # The same mail again, to another mailbox: one ticket, one acknowledgement.
    twice = a_mail(**{"from": (calm := new_address())})
    for _ in range(2):
        await mails.bring(twice)
    await drained(sender)
    assert len(outside.mails(calm)) == 1


async def test_a_person_gets_an_agents_answer_even_where_no_program_may(
    mails: Post, anna: Caller, outside: Outside, sender: MailSender, house: Desk
):
    done = await mails.bring(a_mail(**{"from": (ann := new_address()), "precedence": "bulk"}))
    await reply(anna, done["ticket_id"])
    await reply(anna, done["ticket_id"], "Are you there?", is_automatic=True)
    await drained(sender)
    assert [words(one).splitlines()[0] for one in outside.mails(ann)] == ["We look at it."]
    (withheld,) = await events(house, done["ticket_id"], MessageNotDelivered)
    assert (withheld.cause, "Precedence: bulk" in withheld.reason) == ("withheld", True)


async def test_trusted_participants_get_a_copy_and_third_parties_do_not(
    mails: Post, anna: Caller, outside: Outside, sender: MailSender
):
    ann, boss, stranger = new_address(), new_address(), new_address()
    done = await mails.bring(a_mail(**{"from": ann}))
    ticket = done["ticket_id"]
    person = {"id": f"mailto:{boss}", "name": "Boss", "email": boss}
    added = await anna.post(f"/v1/tickets/{ticket}/participants", {"person": person, "role": "cc"})
    assert added.status_code in {200, 201}, added.text
    await drained(sender)
    forwarded = an_answer(outside.mails(ann)[0], "Me too!")
    forwarded.replace_header("From", stranger)
    assert (await mails.bring(forwarded))["done"] == "replied"
    await reply(anna, ticket)
    await drained(sender)
    assert outside.mails(stranger) == []
    (copy,) = outside.mails(boss)
    assert copy["Cc"] == boss
    assert "Me too!" not in words(copy)


async def test_who_is_in_copy_of_the_opening_mail_gets_the_replies_and_nobody_adds_themselves_later(
    mails: Post, anna: Caller, outside: Outside, sender: MailSender
):
    ann, boss, thief = new_address(), new_address(), new_address()
    mail = a_mail(**{"from": ann, "cc": f"Boss <{boss}>, help@desk.example, {ann}"})
    done = await mails.bring(mail)
    await drained(sender)
    assert outside.mails(boss) == []  # the acknowledgement is for who wrote
    forged = an_answer(outside.mails(ann)[0], "Please send it all.")
    forged["Cc"] = thief
    assert (await mails.bring(forged))["done"] == "replied"
    await reply(anna, done["ticket_id"])
    await drained(sender)
    (copy,) = outside.mails(boss)
    assert copy["Cc"] == boss
    assert outside.mails(thief) == []


async def test_attachments_travel_whole_and_a_quiet_mailbox_adds_nothing(
    mails: Post, anna: Caller, outside: Outside, sender: MailSender, folder: Path, house, boxes
):
    ann, blob = new_address(), bytes(range(256)) * 40
    done = await mails.bring(a_mail(**{"from": ann, "to": "quiet@desk.example"}))
    sent = await anna.post(
        "/v1/attachments?name=Übersicht.bin", blob, content_type="application/octet-stream"
    )
    assert sent.status_code == 201, sent.text
    mail = await anna.post(
        "/v1/attachments?name=old.eml", b"Subject: x\n\ny", content_type="message/rfc822"
    )
    await reply(anna, done["ticket_id"], attachments=[sent.json()["id"], mail.json()["id"]])
    await drained(sender)
    (out,) = outside.mails(ann)
    assert out["Subject"] == "Re: Printer"
    assert words(out) == "We look at it.\n"
    first, second = out.iter_attachments()
    assert first.get_filename() == "Übersicht.bin"
    assert hashlib.sha256(first.get_content()).digest() == hashlib.sha256(blob).digest()
    assert (second.get_content_type(), second.get_content()) == (
        "application/octet-stream",
        b"Subject: x\n\ny",
    )
    small = a_sender(house, outside.port, folder, boxes, mail_out_bytes_max=100)
    await reply(anna, done["ticket_id"], attachments=[sent.json()["id"]])
    await drained(small)
    assert "Too large for a mail, and not attached: Übersicht.bin" in words(outside.mails(ann)[-1])


async def test_headers_cannot_be_injected(
    mails: Post, anna: Caller, outside: Outside, sender: MailSender
):
    ann = new_address()
    raw = (
        f"From: =?utf-8?q?A=0D=0ABcc=3A_evil=40x.example?= <{ann}>\r\nTo: help@desk.example\r\n"
        "Subject: =?utf-8?q?x=0D=0ABcc=3A_evil=40x.example=0D=0A=0D=0Abody?=\r\n"
        "Message-ID: <a@b>\r\nReferences: <x y@z> <ok@z>\r\n\r\nhello\r\n"
    ).encode()
    done = await mails.bring(raw)
    await reply(anna, done["ticket_id"])
    await drained(sender)
    for mail in outside.mails(ann):
        assert mail["Bcc"] is None
        assert all("\n" not in value for value in mail.values())
    assert not any("evil@x.example" in to for _, to, _ in outside.taken)


async def test_only_those_who_live_by_mail_are_written_to(
    house: Desk, anna: Caller, outside: Outside, sender: MailSender, issuer: LocalIssuer
):
    mira = Caller(house, issuer.issue("mira", Role.CUSTOMER, email="mira@customer.example"))
    opened = await mira.open()
    await reply(anna, opened["ticket_id"])
    (said,) = await events(house, opened["ticket_id"], AgentReplied)
    assert said.leaves_by is None
    first = new_address()
    person = {"id": "someone", "name": "Some One", "email": first}
    outbound = await anna.open(requester=person, is_outbound=True, subject="Your contract")
    await drained(sender)
    (mail,) = outside.mails(first)
    assert mail["Subject"].startswith("Your contract [#")
    back = await Post(house, anna).bring(an_answer(mail, "Thank you, but no."))
    assert (back["done"], back["ticket_id"]) == ("replied", outbound["ticket_id"])


@pytest.mark.parametrize("where", ["rcpt", "data"])
async def test_what_the_server_refuses_for_good_is_dead_and_the_ticket_says_so(
    mails: Post,
    anna: Caller,
    lena: Caller,
    outside: Outside,
    sender: MailSender,
    house: Desk,
    where: str,
):
    ann = new_address()
    done = await mails.bring(a_mail(**{"from": ann, "to": "quiet@desk.example"}))
    if where == "rcpt":
        outside.rcpt[ann] = "550 5.1.1 no such mailbox here"
    else:
        outside.data = ["550 5.1.1 no such mailbox here"]
    await reply(anna, done["ticket_id"])
    await drained(sender)
    (lost,) = await events(house, done["ticket_id"], MessageNotDelivered)
    assert (lost.cause, lost.recipients, lost.code) == ("refused", (ann,), 550)
    assert "no such mailbox here" in lost.reason
    listed = (
        await anna.send("GET", f"/v1/channels/email/outbox?ticket_id={done['ticket_id']}")
    ).json()
    (row,) = listed["mails"]
    assert (row["state"], row["failed"], row["attempts"]) == ("dead", [ann], 1)
    assert (await anna.post(f"/v1/channels/email/outbox/{row['id']}/retry")).status_code == 403
    outside.rcpt.clear()
    again = await lena.post(f"/v1/channels/email/outbox/{row['id']}/retry")
    assert (again.status_code, again.json()["state"]) == (200, "waiting")
    await drained(sender)
    assert len(outside.mails(ann)) == 1
    refused = await lena.post(f"/v1/channels/email/outbox/{row['id']}/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "mail_is_not_dead")
    shown = (await lena.send("GET", f"/v1/channels/email/outbox/{row['id']}")).json()
    assert (shown["state"], shown["reached"], shown["decided_by"]) == ("sent", [ann], "lena")
    (noted,) = await operations(house, done["ticket_id"])
    assert (noted.what, noted.about, noted.actor.id) == ("mail.retry", row["id"], "lena")
    assert noted.changes == {"state": ("dead", "waiting")}


async def test_what_fails_for_now_is_tried_again_for_those_alone_who_have_not_got_it(
    mails: Post, anna: Caller, outside: Outside, sender: MailSender, house: Desk
):
    ann, boss = new_address(), new_address()
    done = await mails.bring(a_mail(**{"from": ann, "to": "quiet@desk.example"}))
    person = {"id": f"mailto:{boss}", "email": boss}
    await anna.post(
        f"/v1/tickets/{done['ticket_id']}/participants", {"person": person, "role": "cc"}
    )
    outside.rcpt[boss] = "450 4.2.1 greylisted"
    await reply(anna, done["ticket_id"])
    await drained(sender)
    (row,) = await house.rows(
        "SELECT state, reached, last_code FROM mail_outbox WHERE ticket_id = %s", done["ticket_id"]
    )
    assert row == {"state": "waiting", "reached": [ann], "last_code": 450}
    del outside.rcpt[boss]

    async def arrived() -> bool:
        await drained(sender)
        return bool(outside.mails(boss))

    await eventually(arrived, what="the second attempt")
    assert len(outside.mails(ann)) == 1
    assert [one.recipients for one in await events(house, done["ticket_id"], MessageSent)] == [
        (ann,),
        (boss,),
    ]
    assert await events(house, done["ticket_id"], MessageNotDelivered) == []


async def test_what_fails_for_too_long_is_given_up(
    mails: Post, anna: Caller, outside: Outside, house: Desk, folder: Path, boxes: Path
):
    ann = new_address()
    done = await mails.bring(a_mail(**{"from": ann, "to": "quiet@desk.example"}))
    outside.rcpt[ann] = "451 4.3.0 busy"
    await reply(anna, done["ticket_id"])
    hasty = a_sender(house, outside.port, folder, boxes, mail_out_give_up_seconds=0.001)
    await drained(hasty)
    (lost,) = await events(house, done["ticket_id"], MessageNotDelivered)
    assert (lost.cause, lost.code) == ("given_up", 451)


async def test_a_bounce_is_told_of_the_message_that_came_back(
    mails: Post, anna: Caller, outside: Outside, sender: MailSender, house: Desk
):
    ann = new_address()
    done = await mails.bring(a_mail(**{"from": ann, "to": "quiet@desk.example"}))
    first = await reply(anna, done["ticket_id"], "One")
    await reply(anna, done["ticket_id"], "Two")
    await drained(sender)
    one, _two = outside.mails(ann)
    envelope = outside.taken[-1][0]
    assert envelope.startswith("quiet+")
    answer = await mails.bring(a_bounce(one, ann), f"?recipient={envelope.replace('+', '%2B')}")
    assert answer["done"] == "recorded"
    (lost,) = await events(house, done["ticket_id"], MessageNotDelivered)
    assert (str(lost.message_id), lost.cause, lost.recipients) == (first, "bounced", (ann,))
    assert lost.reason == "550 5.2.2 mailbox full"
    rows = await house.rows(
        "SELECT state, reached, failed FROM mail_outbox WHERE message_id = %s", first
    )
    assert rows == [{"state": "dead", "reached": [], "failed": [ann]}]
    assert outside.mails(ann)[2:] == []  # nobody answers a bounce


def a_bounce(mail: EmailMessage, failed: str) -> bytes:
    return (
        f"From: MAILER-DAEMON@mx.example\nTo: {mail['Reply-To']}\nSubject: Undelivered Mail Returned to Sender\n"
        'MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nI am sorry.\n"
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
        f"Final-Recipient: rfc822; {failed}\nAction: failed\nStatus: 5.2.2\n"
        "Diagnostic-Code: smtp; 550 5.2.2 mailbox full\n"
        f"--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: {mail['Message-ID']}\nSubject: x\n\n--b--\n"
    ).encode()


async def test_a_waiting_mail_is_discarded_and_the_ticket_says_by_whom(
    mails: Post, anna: Caller, lena: Caller, house: Desk, outside: Outside, sender: MailSender
):
    ann = new_address()
    done = await mails.bring(a_mail(**{"from": ann, "to": "quiet@desk.example"}))
    await reply(anna, done["ticket_id"])
    path = f"/v1/channels/email/outbox?state=waiting&ticket_id={done['ticket_id']}"
    (row,) = (await lena.send("GET", path)).json()["mails"]
    for _ in range(2):
        gone = await lena.post(f"/v1/channels/email/outbox/{row['id']}/discard")
        assert (gone.status_code, gone.json()["state"]) == (200, "discarded")
    (lost,) = await events(house, done["ticket_id"], MessageNotDelivered)
    assert (lost.cause, lost.actor.id) == ("discarded", "lena")
    (noted,) = await operations(house, done["ticket_id"])  # the second time changed nothing
    assert (noted.what, noted.changes) == ("mail.discard", {"state": ("waiting", "discarded")})
    assert lost.actor.ip == noted.actor.ip is not None
    await drained(sender)
    assert outside.mails(ann) == []
    bad = await lena.send("GET", "/v1/channels/email/outbox?state=lost")
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "query state")


async def test_a_refused_mail_is_opened_by_one_call_and_once(
    house: Desk, mails: Post, anna: Caller, issuer: LocalIssuer
):
    ann = new_address()
    done = await mails.bring(
        a_mail("I am away.", **{"from": ann, "auto_submitted": "auto-replied"})
    )
    assert done["done"] == "refused"
    path = f"/v1/channels/email/refused/{done['refusal_id']}/open"
    assert (await Caller(house, issuer.issue("mira", Role.CUSTOMER)).post(path)).status_code == 403
    first, second = await asyncio.gather(anna.post(path), anna.post(path))
    assert (first.status_code, second.status_code) == (201, 201)
    ticket = first.json()["ticket_id"]
    assert second.json()["ticket_id"] == ticket
    opened, note = await house.events(ticket)
    assert (opened.body, opened.requester.email) == ("I am away.", ann)  # type: ignore[attr-defined]
    assert "Auto-Submitted" in note.body  # type: ignore[attr-defined]
    assert note.actor.id == "anna"
    listed = (await anna.send("GET", "/v1/channels/email/refused")).json()["refused"]
    assert [one["ticket_id"] for one in listed if one["id"] == done["refusal_id"]] == [ticket]
    assert await house.rows("SELECT 1 FROM mail_outbox WHERE ticket_id = %s", ticket) == []
    unknown = await anna.post(
        "/v1/channels/email/refused/00000000-0000-7000-8000-000000000000/open"
    )
    assert unknown.status_code == 404
