"""What a mail out may never be: another mail the second time, a header made by its content, a message to strangers."""

from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.channels.mail.mailboxes import Acknowledgement, Mailboxes, OwnMailbox
from services.intake.channels.mail.out import composing, wording
from services.intake.channels.mail.out.composing import REFERENCES_MAX, Withheld
from services.intake.channels.mail.out.outbox import Item, Kind
from shared.events import Actor, ActorKind, Channel, Priority, StatusCategory
from shared.events.messages import AttachedFile, MailHeaders
from shared.events.tickets import AgentReplied, CustomerReplied, Person, TicketEvent, TicketOpened
from shared.identifiers import derived_id
from tests.support.events import NOON

KEY = b"k" * 32
TICKET = derived_id("test", "ticket")
BOXES = Mailboxes(
    [
        OwnMailbox(
            name="help",
            addresses=("help@desk.example",),
            brand="Desk",
            sender_name="{{agent}}",
            signature="{{subject}} {{requester}}",
            acknowledgement=Acknowledgement(text="{{subject}}", subject="{{subject}}"),
        )
    ]
)
ANN = Person("mailto:ann@customer.example", name="Ann", email="ann@customer.example")
ANNA = Actor(ActorKind.AGENT, "anna", "Anna")


def stamp(version: int) -> dict:
    return {
        "version": version,
        "occurred_at": NOON + timedelta(minutes=version),
        "recorded_at": NOON + timedelta(minutes=version),
        "actor": ANNA,
        "via": Channel.EMAIL,
        "correlation_id": "c",
        "ticket_id": TICKET,
    }


def opened(**said) -> TicketOpened:
    return TicketOpened(
        **stamp(1),
        **{
            "number": 7,
            "subject": "Printer",
            "message_id": derived_id("test", 1),
            "body": "It burns.",
            "requester": ANN,
            "priority": Priority.NORMAL,
            "category": StatusCategory.NEW,
            "mail": MailHeaders(message_id="one@customer.example"),
        }
        | said,
    )


def replied(version: int, body: str = "Use water.", **said) -> AgentReplied:
    return AgentReplied(**stamp(version), message_id=derived_id("test", version), body=body, **said)


def item(event: TicketEvent, kind: Kind = "reply") -> Item:
    message_id = event.message_id  # type: ignore[union-attr]
    assert isinstance(message_id, UUID)
    return Item(
        id=derived_id("test", "item"),
        ticket_id=TICKET,
        number=7,
        version=event.version,
        message_id=message_id,
        kind=kind,
        mail_id="made@desk.example",
        recipient="ann@customer.example",
        attempts=1,
        created_at=NOON,
        give_up_at=None,
        reached=(),
        claim_id=derived_id("test", "claim"),
        claimed_until=NOON,
        is_in_doubt=False,
    )


def made(*history: TicketEvent, kind: Kind = "reply", contents=()) -> EmailMessage:
    wanted = item(history[-1], kind)
    story = composing.read_story(history, wanted)
    parcel = composing.compose(story, wanted, BOXES, KEY, contents)
    again = composing.compose(composing.read_story(history, wanted), wanted, BOXES, KEY, contents)
    assert parcel.raw == again.raw
    assert all(len(line) <= 998 for line in parcel.raw.split(b"\r\n"))
    assert parcel.raw.isascii()
    mail = message_from_bytes(parcel.raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


WORDS = st.text(max_size=300).map(lambda said: f"{said}\r\nBcc: evil@x.example\r\n\r\n{said}")
KNOWN = {
    *("date", "from", "reply-to", "to", "subject", "message-id", "in-reply-to", "references"),
    *("mime-version", "content-type", "auto-submitted", "x-auto-response-suppress"),
}


@pytest.mark.parametrize("kind", ["reply", "acknowledgement"])
@settings(deadline=None, max_examples=60)  # busy machines say nothing about a mail
@given(said=WORDS, name=WORDS, file=WORDS)
def test_whatever_people_write_it_is_one_mail_with_our_headers(kind: Kind, said, name, file):
    first = opened(subject=said, body=said, requester=Person(ANN.id, name=name, email=ANN.email))
    attached = AttachedFile(derived_id("test", "f"), file, file, 3, "ab")
    event = replied(2, said, attachments=(attached,))
    contents = [composing.Content(attached, b"abc")] if kind == "reply" else ()
    history = (first, event) if kind == "reply" else (first,)
    mail = made(*history, kind=kind, contents=contents)
    assert {header.lower() for header in mail} <= KNOWN
    assert mail["To"].addresses[0].addr_spec == ANN.email
    assert mail["From"].addresses[0].addr_spec == "help@desk.example"


@pytest.mark.parametrize(
    "address",
    [
        "ann@x.example>\r\nBcc: evil@x.example",
        "a,b@x.example",
        "ann",
        "a@b@c.example",
        "änn@x.example",
        "",
    ],
)
def test_an_address_that_is_none_gets_no_mail(address: str):
    with pytest.raises(Withheld):
        made(opened(requester=Person("x", email=address)), replied(2))


def test_a_domain_of_other_letters_travels_in_ascii():
    mail = made(opened(requester=Person("x", email="ann@bücher.example")), replied(2))
    assert mail["To"].addresses[0].addr_spec == "ann@xn--bcher-kva.example"


def test_a_long_thread_keeps_its_first_and_newest_ids_and_answers_the_last():
    incoming = [
        CustomerReplied(
            **stamp(version),
            message_id=derived_id("test", version),
            body="And?",
            mail=MailHeaders(message_id=f"{version:03}{'x' * 200}@customer.example"),
        )
        for version in range(2, 60)
    ]
    mail = made(opened(), *incoming, replied(60))
    ids = mail["References"].split()
    assert len(ids) == REFERENCES_MAX
    assert ids[0] == "<one@customer.example>"
    assert mail["In-Reply-To"] == ids[-1] == f"<059{'x' * 200}@customer.example>"


def test_what_came_after_the_message_is_no_part_of_its_mail():
    event = replied(2)
    later = CustomerReplied(**stamp(3), message_id=derived_id("test", 3), body="Late!")
    story = composing.read_story([opened(), event, later], item(event))
    assert composing.compose(story, item(event), BOXES, KEY) == composing.compose(
        composing.read_story([opened(), event], item(event)), item(event), BOXES, KEY
    )


def test_a_later_reply_to_moves_nothing():
    first = opened(mail=MailHeaders(message_id="a@b", reply_to="office@customer.example"))
    forged = CustomerReplied(
        **stamp(2),
        message_id=derived_id("test", 2),
        body="x",
        mail=MailHeaders(message_id="c@d", reply_to="thief@x.example"),
    )
    assert made(first, forged, replied(3))["To"].addresses[0].addr_spec == "office@customer.example"


@pytest.mark.parametrize(
    ("quotes", "quoted"),
    [(None, "> And now?"), (1, "> It burns."), (3, "> And now?"), (4, "> And now?")],
    ids=["nothing", "the first", "a third party", "an answer of ours"],
)
def test_below_an_answer_stands_what_it_quotes_if_the_requester_wrote_it(quotes, quoted: str):
    def written(version: int, body: str, **said) -> CustomerReplied:
        message_id = derived_id("test", version)
        return CustomerReplied(**stamp(version), message_id=message_id, body=body, **said)

    before = [opened(), written(2, "And now?"), written(3, "Strange!", is_third_party=True)]
    named = None if quotes is None else derived_id("test", quotes)
    body = made(*before, replied(4), replied(5, "So.", quotes=named)).get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines()[-1] == quoted


def test_what_is_filled_in_is_no_template():
    assert wording.fill("{{ subject }}!", {"subject": "{{requester}}"}) == "{{requester}}!"
    with pytest.raises(ValueError, match="colour"):
        wording.check_template("{{colour}}")


def test_html_is_made_of_escaped_text():
    said = wording.as_html('<script>x</script> https://a.example/"onclick=x', "<b>", "", "")
    assert "<script>" not in said
    assert '<a href="https://a.example/">' in said
