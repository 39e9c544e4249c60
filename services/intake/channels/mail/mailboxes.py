"""Our own mailboxes, from a settings file: which addresses are ours, and what a ticket that comes through one gets."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta

from services.intake.channels.mail.out import wording
from services.intake.channels.mail.threading import without_plus
from services.intake.domain import limits
from shared.events import Priority

Address = Annotated[str, Meta(pattern=r"^[^@\s+]+@[^@\s]+$", max_length=limits.EMAIL_CHARS_MAX)]
Word = Annotated[str, Meta(pattern=r"^[^\r\n]*\S[^\r\n]*$", max_length=limits.WORD_CHARS_MAX)]
Slug = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Template = Annotated[str, Meta(min_length=1, max_length=10_000)]


class ImapAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a mailbox is fetched from.

    Attributes:
        host: of the server. `port`: usually 143 where it is not `tls` from the first byte. `user`: of the account.
        password_file, password_env: where the password is; the file of mailboxes itself holds no secret.
        security: `tls` from the first byte, `starttls`, or `none` for a server on the same machine.
        folder: what is read.
        done: what becomes of a mail that is stored: `seen` marks it, any other word is the folder it is moved to.
        start: what a first poll takes: `unseen` mails, or `all` there are.
        poll_seconds: the pause between two looks.
    """

    host: str
    port: Annotated[int, Meta(ge=1, le=65535)] = 993
    user: str
    password_file: str | None = None
    password_env: str | None = None
    security: Literal["tls", "starttls", "none"] = "tls"
    folder: str = "INBOX"
    done: Annotated[str, Meta(min_length=1)] = "seen"
    start: Literal["unseen", "all"] = "unseen"
    poll_seconds: Annotated[float, Meta(ge=0.05, le=86_400)] = 30.0


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a customer is told who has written; templates with `{{ticket}}`, `{{subject}}` and so on.

    Attributes:
        text: the words.
        subject: not set: that of the ticket, as an answer.
    """

    text: Template
    subject: Word | None = None

    def __post_init__(self) -> None:
        """Refuse placeholders that nobody fills."""
        for one in (self.text, self.subject):
            wording.check_template(one or "")


class SurveyMail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a customer is asked after the solution, when a survey policy says so.

    Attributes:
        text: the words; `{{good}}` and `{{bad}}` are the links of the two answers.
        subject: not set: that of the ticket, as an answer.
        good, bad: what the links are called where a mail program shows HTML.
    """

    text: Template = (
        "Hello {{requester}},\n\nyour request {{ticket}} was solved. What do you think of our help?\n\n"
        "Good, I am satisfied:\n{{good}}\n\nBad, I am not satisfied:\n{{bad}}\n"
    )
    subject: Word | None = None
    good: Word = "It was good"
    bad: Word = "It was bad"

    def __post_init__(self) -> None:
        """Refuse placeholders that nobody fills, and a text without the links."""
        wording.check_template(self.text, links=wording.LINKS)
        wording.check_template(self.subject or "")


class OwnMailbox(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One mailbox of ours.

    Attributes:
        name: for people and programs; custom field `mailbox` of its tickets.
        addresses: all of them; what follows a `+` is ours to use.
        group, brand: custom fields `group` and `brand`, which routing rules read.
        priority, ticket_type, tags: what its tickets begin with.
        imap: where it is fetched from, if it is.
        sender_name: template of the name beside our address in From; not set: the brand.
        signature: template below each reply.
        acknowledgement: what is sent when a ticket comes in; not set: nothing.
        survey: how customers are asked what they think of a solution.
        quote: `last` repeats the requester's last message below a reply, `none` repeats nothing.
        subject_token: whether the ticket's signed token stands in the subject.
        copies: whether those in Cc of a mail that opens a ticket get copies of the replies.
    """

    name: Slug
    addresses: Annotated[tuple[Address, ...], Meta(min_length=1, max_length=100)]
    group: Slug | None = None
    brand: Word | None = None
    priority: Priority = Priority.NORMAL
    ticket_type: Word | None = None
    tags: Annotated[tuple[Word, ...], Meta(max_length=20)] = ()
    imap: ImapAccount | None = None
    sender_name: Word | None = None
    signature: Template | None = None
    acknowledgement: Acknowledgement | None = None
    survey: SurveyMail = SurveyMail()
    quote: Literal["last", "none"] = "last"
    subject_token: bool = True
    copies: bool = True

    def __post_init__(self) -> None:
        """Refuse placeholders that nobody fills."""
        for one in (self.sender_name, self.signature):
            wording.check_template(one or "")

    @property
    def fields(self) -> dict[str, Any]:
        """The custom fields of a ticket that comes through it."""
        said = {"mailbox": self.name, "group": self.group, "brand": self.brand}
        return {name: value for name, value in said.items() if value is not None}


class MailboxesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    mailboxes: Annotated[tuple[OwnMailbox, ...], Meta(max_length=1_000)] = ()


class MailboxesAreWrong(Exception):
    """The file of mailboxes cannot be used; the message names the place. Raised at start."""


class Mailboxes:
    """All of them, asked by name and by address.

    Args:
        given: in the order of the file; no name and no address twice.

    Raises:
        MailboxesAreWrong: a name or an address stands there twice.
    """

    def __init__(self, given: Sequence[OwnMailbox] = ()) -> None:
        self.all = tuple(given)
        self._by_name: dict[str, OwnMailbox] = {}
        self._by_address: dict[str, OwnMailbox] = {}
        for one in given:
            if self._by_name.setdefault(one.name, one) is not one:
                raise MailboxesAreWrong(f"two mailboxes are called {one.name}")
            for address in one.addresses:
                if self._by_address.setdefault(address.lower(), one) is not one:
                    raise MailboxesAreWrong(f"{address} belongs to two mailboxes")

    @classmethod
    def read(cls, file: Path | None) -> "Mailboxes":
        """From the settings file (YAML); without one there are none.

        Raises:
            MailboxesAreWrong: it cannot be read, or says something that is not known.
        """
        if file is None:
            return cls()
        try:
            said = msgspec.convert(yaml.safe_load(file.read_text(encoding="utf-8")), MailboxesFile)
        except (OSError, yaml.YAMLError, UnicodeDecodeError, msgspec.ValidationError) as error:
            raise MailboxesAreWrong(f"{file}: {error}") from error
        return cls(said.mailboxes)

    def speaking_for(self, name: object, brand: object, group: object) -> OwnMailbox:
        """The mailbox that writes for a ticket: the one it came through, else one of its brand or group, or the first.

        Raises:
            MailboxesAreWrong: there is none at all.
        """
        if not self.all:
            raise MailboxesAreWrong("there is no mailbox to write from")
        if isinstance(name, str) and (found := self._by_name.get(name)) is not None:
            return found
        for field, value in (("brand", brand), ("group", group)):
            for one in self.all:
                if value is not None and getattr(one, field) == value:
                    return one
        return self.all[0]

    def named(self, name: str) -> OwnMailbox | None:
        """The mailbox of this name."""
        return self._by_name.get(name)

    def at(self, address: str) -> OwnMailbox | None:
        """The mailbox that has this address, whatever follows a `+` in it."""
        return self._by_address.get(without_plus(address))

    def is_ours(self, address: str) -> bool:
        """Whether one of our mailboxes has this address."""
        return self.at(address) is not None

    def first_of(self, addresses: Iterable[str]) -> OwnMailbox | None:
        """The mailbox of the first address that is ours."""
        return next((one for one in map(self.at, addresses) if one is not None), None)
