"""Messages of ours that did not arrive: which, and for whom."""

import pytest

from services.intake.channels.email_message import EmailMessage, parse
from services.intake.channels.mail.reports import RECIPIENTS_MAX
from tests.unit.intake_email.letters import a_letter, a_part, joined

OURS = a_letter("our answer", message_id="<ours@desk.example>", **{"from": "help@desk.example"})


def a_status(action: str, *recipients: str) -> bytes:
    blocks = "".join(
        f"\nFinal-Recipient: rfc822; {one}\nAction: {action}\nStatus: 5.1.1\n" for one in recipients
    )
    return a_part("message/delivery-status", f"Reporting-MTA: dns; mx.example\n{blocks}")


def a_report(*parts: bytes, kind: str = "delivery-status", **fields: str) -> EmailMessage:
    body = joined(a_part("text/plain", "Sorry."), *parts)
    content_type = f"multipart/report; report-type={kind}; boundary=b"
    return parse(a_letter(body, content_type=content_type, **fields))


@pytest.mark.parametrize(
    "returned",
    [
        a_part("message/rfc822", OURS),
        a_part("text/rfc822-headers", OURS),
        a_part("message/rfc822", OURS.replace(b"\n", b"\r\n")),
    ],
)
def test_a_failure_names_the_message_and_whom_it_did_not_reach(returned: bytes):
    message = a_report(a_status("failed", "gone@x.example", "full@x.example"), returned)
    assert message.is_bounce
    assert message.bounced_message_id == "ours@desk.example"
    assert message.failed_recipients == ["gone@x.example", "full@x.example"]
    assert message.is_auto_reply
    assert message.auto_reply_reason == "Content-Type: multipart/report delivery-status"
    assert len(message.attachments) == 2


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_what_is_on_its_way_has_not_come_back(action: str):
    message = a_report(a_status(action, "slow@x.example"), a_part("message/rfc822", OURS))
    assert not message.is_bounce
    assert message.is_auto_reply


def test_only_those_who_failed_are_named():
    status = (
        a_status("failed", "gone@x.example")
        + b"\nFinal-Recipient: rfc822; ok@x.example\nAction: delivered\n"
    )
    assert a_report(status).failed_recipients == ["gone@x.example"]


def test_a_receipt_is_no_failure():
    receipt = a_part("message/disposition-notification", "Original-Message-ID: <ours@desk.example>")
    message = a_report(receipt, kind="disposition-notification")
    assert not message.is_bounce
    assert message.auto_reply_reason == "Content-Type: multipart/report disposition-notification"


def test_a_report_without_its_status_is_a_failure_of_unknown_recipients():
    message = a_report(a_part("message/rfc822", OURS))
    assert (message.is_bounce, message.failed_recipients) == (True, [])
    assert message.bounced_message_id == "ours@desk.example"


def test_a_report_may_lack_what_came_back():
    message = a_report(a_status("failed", "gone@x.example"))
    assert (message.is_bounce, message.bounced_message_id) == (True, None)


def test_an_old_note_in_prose():
    body = "could not be delivered\n\n  Message-Id: <ours@desk.example>\n  Subject: Re: Printer\n"
    fields = {
        "from": "MAILER-DAEMON@mx.example",
        "subject": "Returned mail: user unknown",
        "x_failed_recipients": "gone@x.example, full@x.example",
    }
    message = parse(a_letter(body, **fields))
    assert message.is_bounce
    assert message.bounced_message_id == "ours@desk.example"
    assert message.failed_recipients == ["gone@x.example", "full@x.example"]
    assert message.is_auto_reply
    assert message.auto_reply_reason == "says that a message did not arrive"


def test_a_customer_who_writes_about_bounces_is_a_customer():
    message = parse(a_letter("Message-ID: <x@y>", subject="Undelivered Mail Returned to Sender"))
    assert not message.is_bounce
    assert not message.is_auto_reply


def test_recipients_are_bounded():
    many = [f"a{n}@x.example" for n in range(RECIPIENTS_MAX + 50)]
    assert len(a_report(a_status("failed", *many)).failed_recipients) == RECIPIENTS_MAX
