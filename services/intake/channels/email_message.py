"""An e-mail as it came over the wire, read into what a ticket needs; pure, and it never fails.

The rooms behind it are in `channels.mail`. Limits on depth, parts, header and text are theirs; how large a message may
be at all is decided by whoever receives it.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from services.intake.channels.mail import bodies, html, reports, robots, structure
from services.intake.channels.mail.addresses import Mailbox, mailboxes
from services.intake.channels.mail.bodies import Attachment
from services.intake.channels.mail.headers import Headers, message_ids, moment
from services.intake.channels.mail.replies import reply_text
from services.intake.channels.mail.structure import Part

SUBJECT_CHARS_MAX: Final = 2_000
"""Longer subjects are cut; RFC 5322 knows lines of 998."""

DEFECTS_MAX: Final = 50
"""What is wrong with a message is told for people; nobody reads more."""

# Where servers note for whom a message was meant, most specific first.
_DELIVERED_TO: Final = (
    "X-Original-To",
    "Delivered-To",
    "Envelope-To",
    "X-Envelope-To",
    "X-Delivered-To",
    "X-Forwarded-To",
    "X-Forwarded-For",
    "Apparently-To",
    "X-Real-To",
    "X-Sieve-Redirected-From",
)


class EmailMessage(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """One e-mail.

    Attributes:
        subject: on one line; "" if there is none.
        from_: the first author; None if nobody is named. In JSON `from`.
        sender: who sent for the author, if somebody else did.
        reply_to: where the author wants the answer.
        to: recipients; groups opened, `undisclosed-recipients:;` is nobody.
        cc: further recipients.
        delivered_to: addresses for which servers on the way took it, most specific field first: the mailbox, aliases.
        date: when it was written, in UTC, as the author's program says; None if it does not or cannot be read.
        message_id: without brackets; None if there is none.
        in_reply_to: the first id of In-Reply-To, without brackets; None if there is none.
        references: ids of the thread, oldest first; further ids of In-Reply-To stand at the end.
        text: what a person reads; made from the HTML where there is no plain text. None if there are no words.
        text_is_from_html: no plain text was sent.
        html: as sent and NOT cleaned; None if there is none.
        reply_text: `text` without quotes and signature; None if there are no words.
        is_auto_reply: a program wrote it: record it, do not answer, do not reopen (RFC 3834).
        auto_reply_reason: the field that says so, or None.
        no_answer_reason: why no program may answer it, whoever wrote it; None if one may.
        is_bounce: it says that a message of ours did not arrive.
        bounced_message_id: that message's id without brackets; None if unknown.
        failed_recipients: addresses it did not reach.
        bounce_reason: why, in the words of the server that says so; None if it does not.
        attachments: everything else in the message, with contents.
        defects: what was wrong with it, one sentence each.
    """

    subject: str
    from_: Mailbox | None
    sender: Mailbox | None
    reply_to: list[Mailbox]
    to: list[Mailbox]
    cc: list[Mailbox]
    delivered_to: list[str]
    date: datetime | None
    message_id: str | None
    in_reply_to: str | None
    references: list[str]
    text: str | None
    text_is_from_html: bool
    html: str | None
    reply_text: str | None
    is_auto_reply: bool
    auto_reply_reason: str | None
    no_answer_reason: str | None
    is_bounce: bool
    bounced_message_id: str | None
    failed_recipients: list[str]
    bounce_reason: str | None
    attachments: list[Attachment]
    defects: list[str]

    def without_contents(self) -> dict[str, Any]:
        """The message as JSON shows it: every field, attachments without their bytes."""
        shown: dict[str, Any] = {
            wire: getattr(self, name)
            for name, wire in zip(
                self.__struct_fields__, self.__struct_encode_fields__, strict=True
            )
        }
        shown["attachments"] = [
            {name: getattr(one, name) for name in one.__struct_fields__ if name != "content"}
            for one in self.attachments
        ]
        return shown


def parse(raw: bytes) -> EmailMessage:
    """Read a message; whatever is wrong with it stands in `defects`, and what could be read stands in its field.

    Args:
        raw: the message as received, with or without an mbox line before it.
    """
    root, defects = structure.read(raw)
    headers = root.headers
    headers.likely_charset = bodies.declared_charset(root)
    said = bodies.read(root)
    authors = _mailboxes(headers, "from")
    author = authors[0] if authors else None
    machine = robots.written_by_machine(headers, report_type=_report_type(root))
    bounce = reports.bounce_in(root, said.text or "", author.address if author else None)
    if bounce is not None and machine is None:
        machine = "says that a message did not arrive"
    in_reply_to = message_ids(headers.undecoded("in-reply-to"))
    references = message_ids(headers.undecoded("references"))
    date = moment(headers.text("date"))
    defects += said.defects + _missing(headers, authors, date)
    return EmailMessage(
        subject=headers.text("subject")[:SUBJECT_CHARS_MAX],
        from_=author,
        sender=next(iter(_mailboxes(headers, "sender")), None),
        reply_to=_mailboxes(headers, "reply-to"),
        to=_mailboxes(headers, "to"),
        cc=_mailboxes(headers, "cc"),
        delivered_to=_delivered_to(headers),
        date=date,
        message_id=next(iter(message_ids(headers.undecoded("message-id"))), None),
        in_reply_to=in_reply_to[0] if in_reply_to else None,
        references=list(dict.fromkeys(references + in_reply_to[1:])),
        text=said.text,
        text_is_from_html=said.text_is_from_html,
        html=said.html,
        reply_text=_reply(said),
        is_auto_reply=machine is not None,
        auto_reply_reason=machine,
        no_answer_reason=machine
        or robots.not_to_be_answered(headers, author.address if author else None),
        is_bounce=bounce is not None,
        bounced_message_id=bounce.original_message_id if bounce else None,
        failed_recipients=bounce.failed_recipients if bounce else [],
        bounce_reason=bounce.reason if bounce else None,
        attachments=said.attachments,
        defects=list(dict.fromkeys(defects))[:DEFECTS_MAX],
    )


def _mailboxes(headers: Headers, name: str) -> list[Mailbox]:
    return mailboxes(headers.all_undecoded(name), headers.likely_charset)


def _delivered_to(headers: Headers) -> list[str]:
    found = (
        one.address
        for name in _DELIVERED_TO
        for one in _mailboxes(headers, name)
        if "@" in one.address
    )
    return list({address.lower(): address for address in found}.values())


def _report_type(root: Part) -> str | None:
    if root.content_type != "multipart/report":
        return None
    return root.parameters.get("report-type", "").lower()[:60]


def _reply(said: bodies.Bodies) -> str | None:
    if said.text is None:
        return None
    if said.text_is_from_html and said.html is not None:
        # Their programs mark quotes in the HTML; in its text the marks are gone.
        marked_off = html.reply_to_text(said.html)
        if marked_off.strip():
            return reply_text(marked_off)
    return reply_text(said.text)


def _missing(headers: Headers, authors: list[Mailbox], date: datetime | None) -> list[str]:
    defects = []
    if not authors:
        defects.append("no From that names anybody")
    elif len(authors) > 1:
        defects.append("several authors; the first is taken")
    if date is None:
        defects.append("a Date that cannot be read" if headers.text("date") else "no Date")
    return defects
