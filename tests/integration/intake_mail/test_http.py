"""`POST /v1/channels/email`: who may, what is refused, what is answered."""

import pytest

from shared.security import Role
from shared.security.issuer import LocalIssuer
from tests.integration.intake.desk import Caller
from tests.integration.intake_mail.post import Post, a_mail

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.CUSTOMER, 403), (Role.AGENT, 201), (Role.ADMIN, 201), (Role.SERVICE, 201)],
)
async def test_customers_bring_no_mail(post: Post, issuer: LocalIssuer, role: Role, status: int):
    caller = Caller(post.desk, issuer.issue("somebody", role))
    assert (await Post(post.desk, caller).send(a_mail())).status_code == status


async def test_without_a_token_nothing_is_read(post: Post):
    answer = await post.desk.http.post("/v1/channels/email", content=a_mail().as_bytes())
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("query", "body", "headers", "status", "field"),
    [
        ("", b" \n", {}, 422, "body"),
        ("?mailbox=unknown", b"Subject: x\n\nx", {}, 422, "query mailbox"),
        ("", b"{}", {"content_type": "application/json"}, 415, "header Content-Type"),
        ("", b"x" * 41_943_041, {}, 413, "body"),
    ],
    ids=["empty", "no such mailbox", "another type", "too large"],
)
async def test_what_is_no_mail_is_refused_with_its_field(
    post: Post, query: str, body: bytes, headers: dict, status: int, field: str
):
    kind = {"content_type": "message/rfc822", **headers}
    answer = await post.caller.post(f"/v1/channels/email{query}", body, **kind)
    assert answer.status_code == status
    assert answer.json()["errors"][0]["field"] == field


async def test_a_mailbox_that_is_named_goes_before_the_headers(post: Post):
    done = await post.bring(a_mail(to="help@desk.example"), "?mailbox=billing")
    (opened,) = await post.desk.events(done["ticket_id"])
    assert (opened.priority.value, opened.fields) == ("high", {"mailbox": "billing"})


async def test_the_envelope_goes_before_the_headers(post: Post):
    done = await post.bring(a_mail(to="list@x.example"), "?recipient=billing@desk.example")
    (opened,) = await post.desk.events(done["ticket_id"])
    assert opened.fields == {"mailbox": "billing"}


async def test_a_mail_without_anything_is_a_refusal_and_one_without_a_sender_is_a_ticket(
    post: Post,
):
    assert (await post.bring(b"X-Nothing: here\n\n\n"))["done"] == "refused"
    done = await post.bring(b"Subject: Anonymous\n\nIt burns.")
    (opened,) = await post.desk.events(done["ticket_id"])
    assert (opened.requester.id, opened.subject) == ("mailto:", "Anonymous")
