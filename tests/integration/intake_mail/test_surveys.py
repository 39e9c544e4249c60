"""The question by mail: its links, the page behind them, and that looking at it counts nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx2
import pytest

from services.intake.channels.mail.out.sender import MailSender
from shared.events.satisfaction import SatisfactionOffered, SatisfactionRated
from shared.events.steps import NoticeRequested
from shared.events.tickets import MessageNotDelivered, MessageSent
from shared.security import Role
from shared.security.issuer import LocalIssuer
from tests.integration.intake.desk import Caller, Desk
from tests.integration.intake.test_life import owned, solved
from tests.integration.intake.test_satisfaction import a_policy, surveys_of, told
from tests.integration.intake_mail.outside import Outside, a_sender, drained
from tests.integration.intake_mail.post import Post, a_mail, new_address, open_post
from tests.support.database import Database

pytestmark = pytest.mark.integration

URL = "https://desk.example/"
MAILBOXES = """
mailboxes:
  - name: help
    addresses: [help@desk.example]
    signature: "The desk"
  - name: hilfe
    addresses: [hilfe@desk.example]
    survey:
      subject: "Wie war es, {{requester}}? {{ticket}}"
      text: "Gut: {{good}} Schlecht: {{bad}}"
      good: Gut
      bad: "Schlecht <b>"
"""


@pytest.fixture(scope="module")
async def house(
    database: Database, issuer: LocalIssuer, boxes: Path, folder: Path
) -> AsyncIterator[Desk]:
    async with open_post(
        database, issuer, boxes, folder,
        mail_out_host="127.0.0.1", mail_out_security="none", public_url=URL,
    ) as opened:  # fmt: skip
        yield opened


@pytest.fixture
def sender(house: Desk, outside, folder: Path, boxes: Path) -> MailSender:
    return a_sender(house, outside.port, folder, boxes, public_url=URL)


@pytest.fixture
async def rule(lena: Caller) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """Puts one rule in force; none when the test is over."""

    async def put(*rules: dict[str, Any]) -> None:
        answer = await lena.send("PUT", "/v1/rules", {"rules": rules})
        assert answer.status_code == 200, answer.text

    yield put
    await put()


@pytest.fixture
def anna(house: Desk, issuer: LocalIssuer) -> Caller:
    return Caller(house, issuer.issue("anna", Role.AGENT, name="Anna"))


@pytest.fixture
def lena(house: Desk, issuer: LocalIssuer) -> Caller:
    return Caller(house, issuer.issue("lena", Role.SUPERVISOR))


async def solved_by_mail(house: Desk, anna: Caller, lena: Caller, mail: EmailMessage) -> str:
    """A ticket that came by this mail, was solved, and about which the question is due."""
    ticket = (await Post(house, anna).bring(mail))["ticket_id"]
    await owned(house, ticket, await a_policy(lena))
    await solved(anna, ticket)
    await asyncio.to_thread(surveys_of(house).offer_due, "c")
    return ticket


def link_of(mail: EmailMessage, score: str) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    (found,) = [word for word in body.get_content().split() if word.endswith(f"&score={score}")]
    assert found.startswith(f"{URL}survey?token=")
    parts = urlsplit(found)
    return f"{parts.path}?{parts.query}"


def body_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return " ".join(body.get_content().split())


async def answer(house: Desk, link: str, **said: str) -> httpx2.Response:
    return await house.http.post(link, data=said)


async def test_the_mail_asks_and_only_the_button_counts(
    house: Desk, anna: Caller, lena: Caller, outside: Outside, sender: MailSender
):
    ann = new_address()
    mail = a_mail(**{"from": f"Ann Lee <{ann}>"})
    ticket = await solved_by_mail(house, anna, lena, mail)
    await drained(sender)
    (question,) = outside.mails(ann)
    assert question["Auto-Submitted"] == "auto-generated"
    assert question["In-Reply-To"] == mail["Message-ID"]
    html = question.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert ">It was good</a>" in html
    assert "The desk" in html
    (sent,) = await told(house, ticket, MessageSent)
    (offered,) = await told(house, ticket, SatisfactionOffered)
    assert (sent.kind, sent.message_id, sent.recipients) == ("survey", offered.survey_id, (ann,))

    good = link_of(question, "good")
    for _ in range(2):  # a scanner of mails
        page = await house.http.get(good)
        assert (page.status_code, page.headers["referrer-policy"]) == (200, "no-referrer")
        assert 'value="good" required checked' in page.text
    assert await told(house, ticket, SatisfactionRated) == []

    done = await answer(house, good, score="good", comment="Thank you <3")
    assert done.status_code == 303
    thanks = await house.http.get(done.headers["location"])
    assert "we have noted it" in thanks.text
    assert "Thank you &lt;3" in thanks.text
    await answer(house, good, score="bad", reason="Not solved")
    first, second = await told(house, ticket, SatisfactionRated)
    assert (first.score, first.comment, first.via) == ("good", "Thank you <3", "email")
    assert (second.score, second.previous_score, second.reason) == ("bad", "good", "Not solved")
    assert second.actor.id == f"mailto:{ann}"


async def test_each_mailbox_asks_in_its_own_words(
    house: Desk, anna: Caller, lena: Caller, outside: Outside, sender: MailSender
):
    ann = new_address()
    mail = a_mail(**{"from": f"Ann Lee <{ann}>", "to": "hilfe@desk.example"})
    await solved_by_mail(house, anna, lena, mail)
    await drained(sender)
    (question,) = outside.mails(ann)
    assert question["Subject"].startswith("Wie war es, Ann Lee? #")
    html = question.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert ">Gut</a>" in html
    assert ">Schlecht &lt;b&gt;</a>" in html


async def test_programs_are_not_asked(
    house: Desk, anna: Caller, lena: Caller, outside: Outside, sender: MailSender
):
    ann = new_address()
    mail = a_mail("Disk full.", **{"from": ann, "precedence": "bulk"})
    ticket = await solved_by_mail(house, anna, lena, mail)
    await drained(sender)
    assert outside.mails(ann) == []
    assert await told(house, ticket, SatisfactionOffered) == []


async def test_a_link_that_we_did_not_make_opens_nothing(
    house: Desk, anna: Caller, lena: Caller, outside: Outside, sender: MailSender
):
    ann = new_address()
    ticket = await solved_by_mail(house, anna, lena, a_mail(**{"from": ann}))
    await drained(sender)
    link = link_of(outside.mails(ann)[0], "good").partition("&")[0]
    forged = link[:-1] + ("A" if link[-1] != "A" else "B")
    for wrong in (forged, f"/survey?token={'A' * 64}", f"/survey?token={'%F0%9F%90%80' * 64}"):
        assert (await house.http.get(wrong)).status_code == 404, wrong
        assert (await answer(house, wrong, score="good")).status_code == 404, wrong
    assert (await house.http.get("/survey?token=short")).status_code == 422
    assert await told(house, ticket, SatisfactionRated) == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "choose good or bad"),
        ({"score": "fine"}, "choose good or bad"),
        ({"score": "bad", "reason": "Weather"}, "none of those that are offered"),
        ({"score": "bad", "comment": "x" * 5_001}, "at most 5000 characters"),
        ({"score": "bad", "comment": "\0"}, "NUL"),
    ],
)
async def test_a_wrong_answer_brings_the_page_again_and_says_why(
    house: Desk, anna: Caller, lena: Caller, outside: Outside, sender: MailSender, said, words
):
    ann = new_address()
    ticket = await solved_by_mail(house, anna, lena, a_mail(**{"from": ann}))
    await drained(sender)
    page = await answer(house, link_of(outside.mails(ann)[0], "bad"), **said)
    assert page.status_code == 422
    assert words in page.text
    assert "<form" in page.text
    assert await told(house, ticket, SatisfactionRated) == []


async def test_a_bad_word_reopens_the_ticket_and_tells_people_once_each(
    house: Desk, anna: Caller, lena: Caller, outside: Outside, sender: MailSender, rule
):
    ann, lead, away = new_address(), new_address(), new_address()
    login = f"Agent {ann}"
    await rule(
        {
            "id": "bad-word",
            "title": "Not happy",
            "events": ["rated"],
            "when": [
                {"field": "score", "op": "is", "value": "bad"},
                {"field": "requester.email", "op": "is", "value": ann},
            ],
            "actions": {
                "reopen": True,
                "add_tags": ["unhappy"],
                "notify": {
                    "to": [lead, away, "agent", "help@desk.example"],
                    "text": "{{requester.name}} is not happy with #{{ticket.number}}.",
                },
            },
        }
    )
    ticket = await solved_by_mail(house, anna, lena, a_mail(**{"from": f"Ann Lee <{ann}>"}))
    await owned(house, ticket, agent=login)
    await drained(sender)
    outside.rcpt[away] = "550 no such user"
    link = link_of(outside.mails(ann)[0], "bad")
    await answer(house, link, score="bad")
    await drained(sender)

    state = await asyncio.to_thread(house.store.transact, lambda tx: tx.state(UUID(ticket)))
    assert (state.category, state.tags) == ("open", ("unhappy",))
    (notice,) = await told(house, ticket, NoticeRequested)
    assert (notice.to[2], notice.leaves_by) == (f"agent:{login}", "email")
    mail = outside.mails(lead)[0]
    assert mail["Subject"].startswith(f"#{state.number}: Not happy")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert body_of(mail) == f"Ann Lee is not happy with #{state.number}. {URL}tickets/{ticket}"
    assert len(outside.mails(lead)) == 1
    assert len(outside.mails(ann)) == 1, "the customer hears nothing of it"
    failed = {
        one.recipients: (one.kind, one.cause, one.reason)
        for one in await told(house, ticket, MessageNotDelivered)
        if one.message_id == notice.notice_id
    }
    assert failed[(away,)][:2] == ("notice", "refused")
    assert failed[("help@desk.example",)][1:] == (
        "withheld",
        "help@desk.example is a mailbox of ours",
    )
    assert failed[(f"agent:{login}",)][1] == "withheld"

    # Once somebody has said how the agent is reached, the mail that was withheld finds them.
    mine = new_address()
    await anna.post("/v1/contacts", {"name": "Anna", "logins": [login], "emails": [mine]})
    listed = await lena.send("GET", f"/v1/channels/email/outbox?ticket_id={ticket}")
    (withheld,) = [
        one["id"] for one in listed.json()["mails"] if one["recipient"] == f"agent:{login}"
    ]
    await lena.post(f"/v1/channels/email/outbox/{withheld}/retry")
    await drained(sender)
    assert len(outside.mails(mine)) == 1


async def test_a_notice_that_does_not_leave_keeps_no_customer_waiting(
    house: Desk, anna: Caller, lena: Caller, outside: Outside, sender: MailSender, rule
):
    ann, away = new_address(), new_address()
    await rule(
        {
            "id": "told",
            "title": "Somebody writes",
            "events": ["opened"],
            "when": [{"field": "requester.email", "op": "is", "value": ann}],
            "actions": {"notify": {"to": [away], "text": "Look."}},
        }
    )
    outside.rcpt[away] = "450 try again later"
    ticket = (await Post(house, anna).bring(a_mail(**{"from": ann})))["ticket_id"]
    await anna.post(f"/v1/tickets/{ticket}/replies", {"body": "Hello."})
    await sender.send_due()  # the notice is refused for now, and stands before the reply
    await sender.send_due()
    assert any(body_of(one).startswith("Hello.") for one in outside.mails(ann))
    outside.rcpt.clear()
