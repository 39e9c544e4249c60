"""A mail that was read, in the words of the domain: who writes, what, with which headers. Pure."""

import re
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import msgspec

from services.intake.channels.email_message import EmailMessage
from services.intake.channels.mail.addresses import Mailbox
from services.intake.channels.mail.threading import Clues
from services.intake.domain import limits
from shared.events import Actor, ActorKind
from shared.events.messages import AttachedFile, MailHeaders
from shared.events.tickets import Person
from shared.identifiers import derived_id

ADDRESSES_MAX: Final = 100
"""Recipients kept with an event; the original has all."""

REFERENCES_MAX: Final = 20
"""Ids of the thread kept with an event: what an answer repeats."""

_CUT: Final = "\n\n[The rest of this message is in the original mail.]"
_NO_SUBJECT: Final = "(no subject)"
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f]")
_LONG_ID_CHARS: Final = 240


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A mail on its way to a ticket.

    Attributes:
        sender: the author's address in lower case; None if nobody is named.
        person: the author, as a customer.
        body: the whole text; `new_words` without quotes and signature.
    """

    message_id: UUID
    sender: str | None
    person: Person
    subject: str
    body: str
    new_words: str
    headers: MailHeaders
    attachments: tuple[AttachedFile, ...] = ()

    @property
    def actor(self) -> Actor:
        """The author, as events name who did it."""
        return Actor(kind=ActorKind.CUSTOMER, id=self.person.id, name=self.person.name)


def write_letter(
    message: EmailMessage,
    author: Mailbox | None,
    *,
    message_id: UUID,
    mailbox: str | None,
    is_ours: Callable[[str], bool],
    attachments: tuple[AttachedFile, ...] = (),
) -> Letter:
    """The letter; whatever is missing in the mail has a word that says so."""
    text = message.text if message.text is not None else ""
    count = sum(not one.is_original for one in attachments)
    return Letter(
        message_id=message_id,
        sender=_address(author),
        person=person_of(author),
        subject=message.subject[: limits.SUBJECT_CHARS_MAX].strip() or _NO_SUBJECT,
        body=_body(text, count),
        new_words=_body(message.reply_text or text, count),
        headers=_headers(message, author, mailbox, is_ours),
        attachments=attachments,
    )


def person_of(author: Mailbox | None) -> Person:
    """The customer behind an address: `mailto:<address>`, so that no login's subject can be mistaken for it."""
    if author is None:
        return Person(id="mailto:", name=None)
    address = author.address.lower()
    named = address if len(address) <= _LONG_ID_CHARS else str(derived_id("mail-address", address))
    return Person(
        id=f"mailto:{named}",
        name=author.name[: limits.NAME_CHARS_MAX].strip() or None,
        email=_address(author),
    )


def clues_of(message: EmailMessage, recipients: Sequence[str]) -> Clues:
    """What the mail says about where it belongs: what bounced, then what it answers."""
    ids = [
        message.bounced_message_id,
        message.in_reply_to,
        *reversed(message.references),
    ]
    addresses = [one.address for one in (*message.to, *message.cc)]
    return Clues(
        message_ids=[one for one in ids if one],
        own_id=message.message_id,
        subject=message.subject,
        addresses=[*recipients, *message.delivered_to, *addresses],
    )


def _address(author: Mailbox | None) -> str | None:
    if author is None or "@" not in author.address:
        return None
    return author.address.lower() if len(author.address) <= limits.EMAIL_CHARS_MAX else None


def _headers(
    message: EmailMessage,
    author: Mailbox | None,
    mailbox: str | None,
    is_ours: Callable[[str], bool],
) -> MailHeaders:
    def others(found: Sequence[Mailbox]) -> tuple[str, ...]:
        kept = [one.address for one in found if "@" in one.address and not is_ours(one.address)]
        return tuple(kept[:ADDRESSES_MAX])

    sender = _address(author)
    answers_go_to = next((one.address for one in message.reply_to if "@" in one.address), None)
    references = [*message.references]
    if message.in_reply_to and message.in_reply_to not in references:
        references.append(message.in_reply_to)
    is_elsewhere = answers_go_to is not None and answers_go_to.lower() != sender
    return MailHeaders(
        message_id=message.message_id,
        references=tuple(references[-REFERENCES_MAX:]),
        sender=sender,
        reply_to=answers_go_to if is_elsewhere else None,
        to=others(message.to),
        cc=others(message.cc),
        mailbox=mailbox,
        no_answer_reason=message.no_answer_reason,
    )


def _body(text: str, attachments_count: int) -> str:
    body = _CONTROLS.sub(" ", text.replace("\r\n", "\n")).strip()
    if not body:
        files = "1 attachment" if attachments_count == 1 else f"{attachments_count} attachments"
        return f"(no text; {files})" if attachments_count else "(no text)"
    raw = body.encode()
    if len(raw) <= limits.BODY_BYTES_MAX:
        return body
    kept = raw[: limits.BODY_BYTES_MAX - len(_CUT.encode())].decode("utf-8", "ignore")
    return kept + _CUT
