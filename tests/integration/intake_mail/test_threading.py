"""Which ticket a mail goes to, and what strangers can and cannot do with a thread."""

from uuid import UUID, uuid4

import pytest

from services.intake.channels.mail.threading import own_message_id
from shared.events.tickets import ParticipantAdded
from shared.security import Role
from shared.security.issuer import LocalIssuer
from tests.integration.intake.desk import Caller
from tests.integration.intake_mail.post import Post, a_mail, new_address

pytestmark = pytest.mark.integration


async def test_a_mail_opens_a_ticket_with_what_its_mailbox_says(post: Post):
    done = await post.bring(a_mail(to="Support <support+vip@desk.example>", subject="Fire"))
    assert done["done"] == "opened"
    (opened,) = await post.desk.events(done["ticket_id"])
    assert (opened.subject, opened.body) == ("Fire", "The printer is on fire.")
    assert opened.via.value == "email"
    assert opened.requester.name == "Ann Lee"
    assert opened.requester.id == f"mailto:{opened.requester.email}"
    assert opened.fields == {"mailbox": "help", "group": "first-line", "brand": "Desk"}
    assert opened.tags == ("mail",)


@pytest.mark.parametrize("field", ["In-Reply-To", "References"])
async def test_an_answer_to_a_mail_that_we_saw_joins_its_ticket(post: Post, field: str):
    first = a_mail()
    opened = await post.bring(first)
    thread = f"<somebody-elses@x.example> {first['Message-ID']}"
    answer = a_mail(
        "More smoke.\n\n> The printer is on fire.",
        **{"from": first["From"], field: thread if field == "References" else first["Message-ID"]},
    )
    done = await post.bring(answer)
    assert (done["done"], done["ticket_id"]) == ("replied", opened["ticket_id"])
    replied = (await post.desk.events(opened["ticket_id"]))[1]
    assert replied.body == "More smoke."
    assert not replied.is_third_party
    assert replied.mail.references[-1] == first["Message-ID"].strip("<>")


async def test_an_answer_to_our_own_mail_joins_by_the_signed_id_alone(post: Post):
    first = a_mail()
    opened = await post.bring(first)
    ours = own_message_id(await post.key(), UUID(opened["ticket_id"]), uuid4(), "desk.example")
    done = await post.bring(a_mail(**{"from": first["From"], "In-Reply-To": f"<{ours.upper()}>"}))
    assert done["ticket_id"] == opened["ticket_id"]


async def test_a_forged_id_of_ours_opens_a_ticket_of_its_own(post: Post):
    first = a_mail()
    opened = await post.bring(first)
    forged = own_message_id(b"guessed", UUID(opened["ticket_id"]), uuid4(), "desk.example")
    done = await post.bring(a_mail(**{"In-Reply-To": f"<{forged}>"}))
    assert done["done"] == "opened"
    assert done["ticket_id"] != opened["ticket_id"]


@pytest.mark.parametrize("place", ["subject", "address"])
async def test_a_signed_token_joins_where_a_program_starts_a_new_thread(post: Post, place: str):
    first = a_mail()
    opened = await post.bring(first)
    token = await post.token(opened["number"])
    answer = (
        a_mail(**{"from": first["From"], "subject": f"AW: Printer [#{token.upper()}]"})
        if place == "subject"
        else a_mail(**{"from": first["From"], "to": f"help+{token}@desk.example"})
    )
    done = await post.bring(answer)
    assert (done["done"], done["ticket_id"]) == ("replied", opened["ticket_id"])


async def test_a_third_party_with_a_valid_token_is_a_flagged_participant(post: Post):
    opened = await post.bring(a_mail())
    token = await post.token(opened["number"])
    done = await post.bring(
        a_mail("Me too.", **{"from": "Eve <eve@other.example>", "subject": f"Re: [#{token}]"})
    )
    assert done["ticket_id"] == opened["ticket_id"]
    assert "third party" in done["why"]
    events = await post.desk.events(opened["ticket_id"])
    first, replied = events[:2]
    assert replied.is_third_party
    (added,) = (event for event in events if isinstance(event, ParticipantAdded))
    assert (added.person.email, added.role, added.is_trusted) == ("eve@other.example", "cc", False)
    assert replied.actor.id == "mailto:eve@other.example"
    assert first.requester.id != replied.actor.id


async def test_a_stranger_with_only_a_number_gets_a_ticket_of_their_own(post: Post):
    opened = await post.bring(a_mail())
    done = await post.bring(a_mail(subject=f"Re: [#{opened['number']}]"))
    assert done["done"] == "opened"
    assert done["ticket_id"] != opened["ticket_id"]
    assert len(await post.desk.events(opened["ticket_id"])) == 1


async def test_the_requester_is_believed_a_bare_number(post: Post):
    first = a_mail()
    opened = await post.bring(first)
    done = await post.bring(
        a_mail(**{"from": first["From"], "subject": f"Re: [#{opened['number']}]"})
    )
    assert done["ticket_id"] == opened["ticket_id"]


async def test_a_token_with_a_wrong_signature_says_nothing(post: Post):
    first = a_mail()
    opened = await post.bring(first)
    done = await post.bring(a_mail(subject=f"Re: [#{opened['number']}-aaaaaaaa]"))
    assert done["ticket_id"] != opened["ticket_id"]


async def test_a_reply_follows_the_merges(post: Post):
    first, second = a_mail(), a_mail()
    merged, target = await post.bring(first), await post.bring(second)
    answer = await post.caller.post(
        f"/v1/tickets/{merged['ticket_id']}/merge", {"into": target["ticket_id"]}
    )
    assert answer.status_code == 200
    done = await post.bring(a_mail(**{"from": first["From"], "In-Reply-To": first["Message-ID"]}))
    assert (done["done"], done["ticket_id"]) == ("replied", target["ticket_id"])


async def test_a_mail_to_a_closed_ticket_opens_one_that_follows_it(post: Post):
    first = a_mail()
    closed = await post.bring(first)
    await post.caller.post(f"/v1/tickets/{closed['ticket_id']}/close", {})
    done = await post.bring(a_mail(**{"from": first["From"], "In-Reply-To": first["Message-ID"]}))
    assert done["done"] == "opened"
    assert (await post.desk.names(closed["ticket_id"]))[-1] == "TicketLinked"
    stranger = await post.bring(a_mail(**{"In-Reply-To": first["Message-ID"]}))
    assert await post.desk.names(stranger["ticket_id"]) == ["TicketOpened"]


async def test_a_reply_reopens_a_solved_ticket(post: Post):
    first = a_mail()
    opened = await post.bring(first)
    await post.caller.post(f"/v1/tickets/{opened['ticket_id']}/resolve", {"summary": "New fuse."})
    done = await post.bring(
        a_mail("It burns again!", **{"from": first["From"], "In-Reply-To": first["Message-ID"]})
    )
    assert done["category"] == "open"


async def test_somebody_who_has_a_ticket_by_the_api_answers_it_by_mail(post: Post):
    address = new_address()
    opened = await post.caller.open(
        requester={"id": "carl", "email": address.upper()}, subject="Fire", body="It burns."
    )
    ours = own_message_id(await post.key(), UUID(opened["ticket_id"]), uuid4(), "desk.example")
    done = await post.bring(a_mail(**{"from": address, "References": f"<{ours}>"}))
    assert done["done"] == "replied"
    assert not (await post.desk.events(opened["ticket_id"]))[1].is_third_party


async def test_a_field_that_every_ticket_must_have_turns_no_mail_away(
    post: Post, issuer: LocalIssuer
):
    admin = Caller(post.desk, issuer.issue("root", Role.ADMIN))
    where = "/v1/fields/machine"
    definition = {"label": "Machine", "type": "text", "required_on": "open"}
    answer = await admin.send("PUT", where, definition)
    assert answer.status_code in {200, 201}, answer.text
    try:
        said = {"subject": "x", "body": "y", "requester": {"id": "carl"}}
        assert (await post.caller.post("/v1/tickets", said)).status_code == 422
        assert (await post.bring(a_mail()))["done"] == "opened"
    finally:
        answer = await admin.send("DELETE", where)
        assert answer.status_code == 200, answer.text


async def test_a_mail_from_another_address_of_the_same_person_is_theirs(post: Post):
    first, second = new_address(), new_address()
    answer = await post.caller.post(
        "/v1/contacts", {"name": "Ann Lee", "emails": [first, second], "tier": "gold"}
    )
    assert answer.status_code == 201, answer.text
    mail = a_mail(**{"from": first})
    opened = await post.bring(mail)
    done = await post.bring(a_mail(**{"from": second, "In-Reply-To": mail["Message-ID"]}))
    assert (done["done"], done["ticket_id"]) == ("replied", opened["ticket_id"])
    opening, reply, *_ = await post.desk.events(opened["ticket_id"])
    assert (opening.requester.name, opening.requester.tier) == ("Ann Lee", "gold")
    assert str(opening.requester.contact_id) == answer.json()["contact_id"]
    assert not reply.is_third_party
