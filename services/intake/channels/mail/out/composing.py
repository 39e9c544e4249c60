"""A mail made of a ticket's events: who gets it, from whom, as an answer to what. Pure; the same bytes each time."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final
from uuid import UUID

import msgspec

from services.intake.channels.mail.mailboxes import Mailboxes, OwnMailbox
from services.intake.channels.mail.out import wording
from services.intake.channels.mail.out.outbox import Item
from services.intake.channels.mail.threading import plus_address, with_token
from services.intake.domain.commands import ParticipantRole
from services.intake.surveys import links
from shared.events import Event
from shared.events.messages import AttachedFile, MailHeaders
from shared.events.satisfaction import SatisfactionOffered
from shared.events.steps import NoticeRequested
from shared.events.tickets import (
    AgentReplied,
    CustomerReplied,
    FieldsChanged,
    MessageSent,
    ParticipantAdded,
    ParticipantRemoved,
    SubjectChanged,
    TicketOpened,
)
from shared.mail import Parcel

REFERENCES_MAX: Final = 20
"""Ids of the thread that a mail names: its first and its newest ones."""

COPIES_MAX: Final = 50
"""Participants written to; more is a mailing list's work."""

_SUBJECT_CHARS_MAX: Final = 500
_NAME_CHARS_MAX: Final = 100

# Lines as long as the standard allows: folding takes long ids and addresses apart.
_POLICY: Final = SMTP.clone(max_line_length=998)
_ADDRESS: Final = re.compile(
    r"[^\s<>()\[\],;:\"@\x00-\x1f\x7f]{1,64}@[^\s<>()\[\],;:\"@\x00-\x1f\x7f]{1,255}"
)
_ID: Final = re.compile(r"[\x21-\x3b=\x3f-\x7e]{1,240}")
_ANSWERED: Final = re.compile(
    r"(?:re|aw|sv|antw|odp|ré|رد|回复|回覆)\s*(?:\[\d+\])?\s*[::]", re.IGNORECASE
)
_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")


Told = TicketOpened | AgentReplied | CustomerReplied | SatisfactionOffered | NoticeRequested
"""What a mail is about."""


class Withheld(Exception):
    """There is nobody to write to, or no program may; the message is for agents."""


class Content(msgspec.Struct, frozen=True):
    """A file of the message with its bytes; None: it is too large for a mail."""

    file: AttachedFile
    data: bytes | None


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """What a mail needs to know of its ticket, as of the event that it is about."""

    opened: TicketOpened
    subject: str
    fields: Mapping[str, object]
    event: Told
    copies: tuple[str, ...]
    incoming: tuple[TicketOpened | CustomerReplied, ...]
    own_ids: tuple[tuple[int, str], ...]


def read_story(  # noqa: C901, PLR0912  # one arm an event
    history: Sequence[Event], item: Item
) -> Story:
    """The ticket up to the item's version.

    Raises:
        Withheld: the message is not on this ticket.
    """
    opened: TicketOpened | None = None
    event: Told | None = None
    subject, fields = "", dict[str, object]()
    copies: dict[str, str] = {}
    incoming: list[TicketOpened | CustomerReplied] = []
    own: dict[str, int] = {}
    for one in history:
        if one.version > item.version:
            break
        match one:
            case TicketOpened():
                opened, subject, fields = one, one.subject, dict(one.fields)
                if not one.is_outbound:
                    incoming.append(one)
            case CustomerReplied():
                incoming.append(one)
            case SubjectChanged():
                subject = one.subject
            case FieldsChanged():
                fields |= {name: change.value for name, change in one.changes.items()}
            case ParticipantAdded():
                copies.pop(one.person.id, None)
                if one.role == ParticipantRole.CC and one.is_trusted and one.person.email:
                    copies[one.person.id] = one.person.email
            case ParticipantRemoved():
                copies.pop(one.person_id, None)
            case MessageSent(mail_id=str(mail_id)):
                own.setdefault(mail_id, one.version)
            case _:
                pass
        if isinstance(one, Told) and _id_of(one) == item.message_id:
            event = one
    if opened is None or event is None:
        raise Withheld("the message is not on this ticket")
    return Story(
        opened=opened,
        subject=subject,
        fields=fields,
        event=event,
        copies=tuple(copies.values()),
        incoming=tuple(incoming),
        own_ids=tuple((version, mail_id) for mail_id, version in own.items()),
    )


def _id_of(event: Told) -> UUID:
    match event:
        case SatisfactionOffered():
            return event.survey_id
        case NoticeRequested():
            return event.notice_id
        case _:
            return event.message_id


def files_of(story: Story, item: Item) -> list[AttachedFile]:
    """The files that travel along: those of a reply."""
    if item.kind != "reply" or isinstance(story.event, SatisfactionOffered | NoticeRequested):
        return []
    return [one for one in story.event.attachments if one.withheld is None and not one.is_original]


def compose(
    story: Story,
    item: Item,
    mailboxes: Mailboxes,
    key: bytes,
    contents: Sequence[Content] = (),
    *,
    public_url: str | None = None,
) -> Parcel:
    """The mail.

    Args:
        story: of the ticket.
        item: which mail.
        mailboxes: ours.
        key: `Secret("mail")`.
        contents: of `files_of`.
        public_url: where people reach us: for the links of a survey, and of a notice to its ticket.

    Raises:
        Withheld: nobody may be written to.
    """
    _refuse_robots(story, item)
    newest = next((one.mail.mailbox for one in reversed(story.incoming) if one.mail), None)
    named = newest or story.fields.get("mailbox")
    box = mailboxes.speaking_for(named, story.fields.get("brand"), story.fields.get("group"))
    to = _requester(story) if item.kind != "notice" else _told(item, mailboxes)
    copies = _copies(story, mailboxes, to) if item.kind == "reply" else []
    recipients = tuple(one for one in (to, *copies) if one.lower() not in item.reached)
    if not recipients:
        raise Withheld("everybody has it already")
    values = _values(story, item, box) | _answers(story, key, public_url)
    answers_at = plus_address(key, box.addresses[0], item.number)
    mail = EmailMessage(policy=_POLICY)
    mail["Date"] = format_datetime(item.created_at)
    mail["From"] = Address(_sender_name(box, values), addr_spec=box.addresses[0])
    mail["Reply-To"] = Address(addr_spec=answers_at)
    name = "" if item.kind == "notice" else story.opened.requester.name or ""
    mail["To"] = Address(_name(name), addr_spec=to)
    if copies:
        mail["Cc"] = tuple(Address(addr_spec=one) for one in copies)
    mail["Subject"] = _subject(story, item, box, values, key)
    mail["Message-ID"] = f"<{item.mail_id}>"
    thread = _thread(story)
    if thread:
        mail["In-Reply-To"] = f"<{thread[-1]}>"
        mail["References"] = " ".join(f"<{one}>" for one in thread)
    if robot := _robot(story, item):
        mail["Auto-Submitted"] = robot
        mail["X-Auto-Response-Suppress"] = "All"
    _set_words(mail, story, item, box, values, contents, public_url)
    _set_boundaries(mail, item.mail_id)
    return Parcel(sender=answers_at, recipients=recipients, raw=mail.as_bytes())


def _refuse_robots(story: Story, item: Item) -> None:
    """What a program writes goes to nobody who asked programs not to (RFC 3834, 2)."""
    if item.kind == "notice" or not _robot(story, item) or not story.incoming:
        return
    headers = story.incoming[-1].mail
    if headers is not None and headers.no_answer_reason is not None:
        raise Withheld(f"no program may answer this mail: {headers.no_answer_reason}")


def _robot(story: Story, item: Item) -> str | None:
    if item.kind == "acknowledgement":
        return "auto-replied"
    is_automatic = item.kind in {"survey", "notice"} or (
        isinstance(story.event, AgentReplied) and story.event.is_automatic
    )
    return "auto-generated" if is_automatic else None


def _requester(story: Story) -> str:
    """The requester's address, or where the opening mail wants answers.

    A later mail moves nothing: whoever forges the requester's address would have the answers sent to their own.
    """
    first = story.opened.mail
    wanted = first.reply_to if first is not None and not story.opened.is_outbound else None
    for address in (wanted, story.opened.requester.email):
        if address is not None and (to := _writable(address)) is not None:
            return to
    raise Withheld("the requester has no address that mail can be sent to")


def _told(item: Item, mailboxes: Mailboxes) -> str:
    """Whom a notice goes to. A mailbox of ours would make a ticket of it, and a rule of that the next notice."""
    to = _writable(item.recipient)
    if to is None:
        raise Withheld(f"{item.recipient} is no address that mail can be sent to")
    if mailboxes.is_ours(to):
        raise Withheld(f"{to} is a mailbox of ours")
    return to


def _copies(story: Story, mailboxes: Mailboxes, to: str) -> list[str]:
    addresses = [one for one in map(_writable, story.copies) if one is not None]
    found = {one.lower(): one for one in addresses if not mailboxes.is_ours(one)}
    found.pop(to.lower(), None)
    return list(found.values())[:COPIES_MAX]


def _writable(address: str) -> str | None:
    """As it travels, its domain in ASCII; None for what no server would take, or only one with SMTPUTF8."""
    if _ADDRESS.fullmatch(address) is None:
        return None
    local, _, domain = address.rpartition("@")
    try:
        written = f"{local}@{domain if domain.isascii() else domain.encode('idna').decode()}"
        Address(addr_spec=written)
    except (ValueError, HeaderParseError):
        return None
    return written if written.isascii() else None


def _values(story: Story, item: Item, box: OwnMailbox) -> dict[str, str]:
    said = {
        "agent": story.event.actor.signature if item.kind == "reply" else None,
        "brand": box.brand,
        "group": box.group,
        "mailbox": box.name,
        "number": str(item.number),
        "requester": story.opened.requester.name or story.opened.requester.email,
        "subject": story.subject,
        "ticket": f"#{item.number}",
    }
    return {name: value or "" for name, value in said.items()}


def _answers(story: Story, key: bytes, public_url: str | None) -> dict[str, str]:
    """The links of a survey's two answers.

    Raises:
        Withheld: we do not know where customers reach us.
    """
    event = story.event
    if not isinstance(event, SatisfactionOffered):
        return {}
    if public_url is None:
        raise Withheld("TICKETING_PUBLIC_URL is not set: the links would lead nowhere")
    asked = links.Asked(event.ticket_id, event.survey_id)
    return {score.value: link for score, link in links.answers(key, asked, public_url).items()}


def _sender_name(box: OwnMailbox, values: Mapping[str, str]) -> str:
    """A program has no name to sign with: then it is the brand's."""
    template = box.sender_name if values["agent"] else None
    return _name(wording.fill(template or box.brand or "", values))


def _name(said: str) -> str:
    return wording.one_line(said, _NAME_CHARS_MAX)


def _subject(
    story: Story, item: Item, box: OwnMailbox, values: Mapping[str, str], key: bytes
) -> str:
    own = None
    if isinstance(story.event, NoticeRequested):
        subject = f"#{item.number}: {wording.one_line(story.event.subject, _SUBJECT_CHARS_MAX)}"
        return with_token(key, subject, item.number) if box.subject_token else subject
    if item.kind == "survey":
        own = box.survey.subject
    elif item.kind == "acknowledgement" and box.acknowledgement:
        own = box.acknowledgement.subject
    if own:
        subject = wording.one_line(wording.fill(own, values), _SUBJECT_CHARS_MAX)
    else:
        subject = wording.one_line(story.subject, _SUBJECT_CHARS_MAX)
        is_first = isinstance(story.event, TicketOpened) and item.kind == "reply"
        if not is_first and not _ANSWERED.match(subject):
            subject = f"Re: {subject}"
    return with_token(key, subject, item.number) if box.subject_token else subject


def _thread(story: Story) -> list[str]:
    """Ids of the conversation, oldest first; the last one is the mail that is answered."""
    said: list[tuple[int, Sequence[str]]] = [(version, [one]) for version, one in story.own_ids]
    answered: str | None = None
    for event in story.incoming:
        headers = event.mail or MailHeaders()
        mine = [headers.message_id] if headers.message_id else []
        said.append((event.version, [*headers.references, *mine]))
        answered = headers.message_id or answered
    ids = [one for _, ids in sorted(said, key=lambda pair: pair[0]) for one in ids]
    known = [one for one in dict.fromkeys(ids) if _ID.fullmatch(one)]
    if answered in known:
        known.remove(answered)
        known.append(answered)
    if len(known) > REFERENCES_MAX:
        known = [known[0], *known[-(REFERENCES_MAX - 1) :]]
    return known


def _set_words(
    mail: EmailMessage,
    story: Story,
    item: Item,
    box: OwnMailbox,
    values: Mapping[str, str],
    contents: Sequence[Content],
    public_url: str | None,
) -> None:
    introduction = quote = signature = ""
    if item.kind == "acknowledgement":
        template = box.acknowledgement.text if box.acknowledgement else "{{ticket}}"
        words = wording.fill(template, values).strip()
    elif isinstance(story.event, NoticeRequested):
        words = story.event.body.strip()
        if public_url is not None:
            words += f"\n\n{public_url.rstrip('/')}/tickets/{item.ticket_id}"
    elif isinstance(story.event, SatisfactionOffered):
        words = wording.fill(box.survey.text, values).strip()
        signature = wording.fill(box.signature or "", values).strip()
    else:
        words = story.event.body.strip()
        missing = [one.file.name for one in contents if one.data is None]
        if missing:
            words += f"\n\n(Too large for a mail, and not attached: {', '.join(missing)})"
        signature = wording.fill(box.signature or "", values).strip()
        if box.quote == "last" and (last := _answered(story)) is not None:
            name = story.opened.requester.name or "you"
            introduction = (
                f"On {_day(last.occurred_at)}, {wording.one_line(name, _NAME_CHARS_MAX)} wrote:"
            )
            quote = last.body.strip()[: wording.QUOTE_CHARS_MAX + 1]
    parts = [words]
    if signature:
        parts.append(f"-- \n{signature}")
    if quote:
        parts.append(f"{introduction}\n{wording.quoted(quote)}")
    text = "\n\n".join(parts) + "\n"
    mail.set_content(text, charset="utf-8", cte="quoted-printable")
    rich = wording.as_html(words, signature, introduction, quote)
    if isinstance(story.event, SatisfactionOffered):
        rich = wording.labelled(
            rich, {values["good"]: box.survey.good, values["bad"]: box.survey.bad}
        )
    mail.add_alternative(rich, subtype="html", charset="utf-8", cte="quoted-printable")
    for one in contents:
        if one.data is not None:
            kind, subtype = _type(one.file.content_type)
            name = wording.one_line(one.file.name, 255) or "file"
            mail.add_attachment(one.data, maintype=kind, subtype=subtype, filename=name)


def _answered(story: Story) -> TicketOpened | CustomerReplied | None:
    """The requester's message that the answer names, else their newest; we repeat nothing that strangers write."""
    named = story.event.quotes if isinstance(story.event, AgentReplied) else None
    theirs = [
        one for one in story.incoming if isinstance(one, TicketOpened) or not one.is_third_party
    ]
    return next((one for one in theirs if one.message_id == named), theirs[-1] if theirs else None)


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _type(declared: str) -> tuple[str, str]:
    """What the file is declared as; messages and multiparts would be taken apart on the way, and are bytes."""
    said = declared.lower()
    kind, _, subtype = said.partition("/")
    if not _TYPE.fullmatch(said) or kind in {"message", "multipart"}:
        return "application", "octet-stream"
    return kind, subtype


def _set_boundaries(mail: EmailMessage, mail_id: str) -> None:
    """Made of the id, not of chance; `=_` stands in no quoted-printable and no base64 text."""
    for place, part in enumerate(mail.walk()):
        if part.is_multipart():
            made = hashlib.sha256(f"{mail_id}\x1f{place}".encode()).hexdigest()[:24]
            part.set_boundary(f"=_{made}")
