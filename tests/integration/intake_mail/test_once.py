"""One mail, one effect: copies, retries, two workers at once."""

import asyncio
from collections import Counter

import pytest

from shared.security import Role
from shared.security.issuer import LocalIssuer
from tests.integration.intake.desk import Caller, Desk
from tests.integration.intake_mail.post import Post, a_mail

pytestmark = pytest.mark.integration


async def test_the_copy_in_a_second_mailbox_gets_the_first_answer(post: Post):
    mail = a_mail(to="help@desk.example, billing@desk.example")
    first = await post.bring(b"Delivered-To: help@desk.example\n" + mail.as_bytes())
    copy = await post.send(
        b"Received: by other\nDelivered-To: billing@desk.example\n" + mail.as_bytes()
    )
    assert copy.json() == first
    assert copy.headers["Idempotency-Replayed"] == "true"
    assert await post.desk.names(first["ticket_id"]) == ["TicketOpened"]


async def test_a_mail_without_an_id_is_known_by_what_it_says(post: Post):
    mail = a_mail(message_id=None)
    first = await post.bring(mail)
    assert (await post.bring(b"Received: by other\n" + mail.as_bytes())) == first
    other = a_mail("Something else.", message_id=None, **{"from": mail["From"]})
    assert (await post.bring(other))["ticket_id"] != first["ticket_id"]


async def test_a_program_that_uses_one_id_twice_loses_nothing_and_doubles_nothing(post: Post):
    mail = a_mail("First.")
    first = await post.bring(mail)
    again = a_mail(
        "Second.",
        message_id=mail["Message-ID"],
        date="Tue, 03 Mar 2026 10:00:00 +0000",
        **{"from": mail["From"]},
    )
    done = await post.bring(again)
    assert (done["done"], done["ticket_id"]) == ("replied", first["ticket_id"])


async def test_a_stranger_who_knows_an_id_neither_suppresses_the_mail_nor_gets_it(post: Post):
    mail = a_mail("The true one.")
    taken = await post.bring(
        a_mail("Taken!", message_id=mail["Message-ID"], **{"from": "eve@other.example"})
    )
    done = await post.bring(mail)
    assert done["done"] == "opened"
    assert done["ticket_id"] != taken["ticket_id"]
    (opened,) = await post.desk.events(done["ticket_id"])
    assert opened.body == "The true one."


async def test_two_workers_with_fifty_copies_each_make_one_ticket_a_mail(
    post: Post, second_desk: Desk, issuer: LocalIssuer
):
    other = Post(second_desk, Caller(second_desk, issuer.issue("anna", Role.AGENT)))
    mails = [a_mail(f"Number {at}.") for at in range(10)]
    done = await asyncio.gather(
        *(worker.bring(mail) for _ in range(5) for mail in mails for worker in (post, other))
    )
    tickets = Counter(one["ticket_id"] for one in done)
    assert sorted(tickets.values()) == [10] * 10
    for ticket_id in tickets:
        assert await post.desk.names(ticket_id) == ["TicketOpened"]
