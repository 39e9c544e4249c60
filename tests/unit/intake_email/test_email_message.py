"""A whole message: every field, in the struct and in JSON."""

import hashlib
from datetime import UTC, datetime

import msgspec
import pytest

from services.intake.channels.email_message import parse
from services.intake.channels.mail.addresses import Mailbox
from tests.unit.intake_email.letters import a_file, a_letter, a_part, of_parts, parsed


def test_a_plain_message_is_read():
    message = parsed(
        in_reply_to="<q1@desk.example>",
        references="<q0@desk.example>\n <q1@desk.example>",
        cc="Bo <bo@customer.example>",
        reply_to="office@customer.example",
        sender="assistant@customer.example",
        delivered_to="help+42@desk.example",
    )
    assert message.subject == "Printer"
    assert message.from_ == Mailbox("Ann Lee", "ann@customer.example")
    assert message.sender == Mailbox("", "assistant@customer.example")
    assert message.to == [Mailbox("", "help@desk.example")]
    assert message.cc == [Mailbox("Bo", "bo@customer.example")]
    assert message.reply_to == [Mailbox("", "office@customer.example")]
    assert message.delivered_to == ["help+42@desk.example"]
    assert message.date == datetime(2017, 9, 13, 11, 5, 45, tzinfo=UTC)
    assert message.message_id == "m1@customer.example"
    assert message.in_reply_to == "q1@desk.example"
    assert message.references == ["q0@desk.example", "q1@desk.example"]
    assert message.text == "It is on fire.\n"
    assert message.reply_text == "It is on fire."
    assert message.html is None
    assert not message.text_is_from_html
    assert not message.is_auto_reply
    assert not message.is_bounce
    assert message.no_answer_reason is None
    assert message.attachments == []
    assert message.defects == []


@pytest.mark.parametrize("end", [b"\r\n", b"\r", b"\r\r\n"])
def test_every_kind_of_line_end_is_one(end: bytes):
    raw = of_parts(a_part("text/plain", "one\ntwo"), a_file("a.pdf", b"%PDF"))
    message = parse(raw.replace(b"\n", end))
    assert message.subject == "Printer"
    assert [one.content for one in message.attachments] == [b"%PDF"]
    assert message.text is not None
    assert message.text.split() == ["one", "two"]


def test_all_that_is_missing_is_said_and_the_rest_is_read():
    message = parse(b"Content-Type: text/plain\n\nhello")
    assert (message.subject, message.from_, message.date) == ("", None, None)
    assert (message.message_id, message.in_reply_to, message.references) == (None, None, [])
    assert message.text == "hello"
    assert message.no_answer_reason == "no From"
    assert message.defects == ["no From that names anybody", "no Date"]


def test_nothing_at_all_is_a_message_too():
    message = parse(b"")
    assert (message.text, message.reply_text, message.attachments) == (None, None, [])


def test_several_authors_are_one_and_a_defect():
    message = parsed(**{"from": "a@x.example, b@x.example"})
    assert message.from_ == Mailbox("", "a@x.example")
    assert message.defects == ["several authors; the first is taken"]


def test_further_ids_of_in_reply_to_join_the_references():
    message = parsed(in_reply_to="<a@x> <b@x>", references="<r@x> <b@x>")
    assert message.in_reply_to == "a@x"
    assert message.references == ["r@x", "b@x"]
    assert parsed(in_reply_to="<a@x> <b@x>").references == ["b@x"]


def test_the_mailboxes_on_the_way_are_told_once_most_specific_first():
    message = parsed(
        delivered_to=["help@desk.example", "catchall@host.example"],
        x_original_to="Help+7@desk.example",
        x_forwarded_for="help@desk.example other@desk.example",
    )
    assert message.delivered_to[0] == "Help+7@desk.example"
    assert message.delivered_to[1:3] == ["help@desk.example", "catchall@host.example"]


def test_a_subject_can_not_smuggle_in_a_field():
    message = parsed(subject="=?utf-8?q?Hi=0D=0ABcc=3A_all=40desk.example?=")
    assert message.subject == "Hi Bcc: all@desk.example"


def test_json_holds_every_field_and_no_content():
    raw = of_parts(a_part("text/plain", "see file"), a_file("a.pdf", b"%PDF secret"))
    shown = msgspec.json.decode(msgspec.json.encode(parse(raw).without_contents()))
    expected = (
        "subject from to cc date message_id in_reply_to references text html reply_text is_auto_reply"
        " attachments"
    )
    assert set(expected.split()) <= shown.keys()
    assert shown["from"] == {"name": "Ann Lee", "address": "ann@customer.example"}
    assert shown["date"] == "2017-09-13T11:05:45Z"
    assert shown["attachments"] == [
        {
            "name": "a.pdf",
            "content_type": "application/pdf",
            "size": 11,
            "sha256": hashlib.sha256(b"%PDF secret").hexdigest(),
            "inline": False,
            "content_id": None,
        }
    ]


def test_the_same_bytes_are_the_same_message():
    raw = a_letter("x")
    assert parse(raw) == parse(raw)
