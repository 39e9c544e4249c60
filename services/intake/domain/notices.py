"""Mails of rules to people who work here: whom a rule tells of a ticket, and in which words. Pure."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Protocol

import msgspec
from msgspec import Meta

from services.intake.domain import limits, placeholders
from services.intake.domain.commands import RequestNotice
from services.intake.domain.context import Context, Stamps
from services.intake.domain.ticket import Ticket
from shared.errors import FieldError
from shared.events import Actor
from shared.events.steps import NoticeRequested
from shared.identifiers import new_id

RECIPIENTS_MAX: Final = 20
"""Each gets a mail of their own; more is a mailing list, which has an address."""

TEXT_CHARS_MAX: Final = 10_000
"""A page or two: whoever is told reads the rest on the ticket."""

AGENT: Final = "agent"
LEAD: Final = "lead"
_WORDS: Final = (AGENT, LEAD)

_Recipient = Annotated[str, Meta(pattern=r"^\S+$", max_length=limits.EMAIL_CHARS_MAX)]


class Owner(Protocol):
    """Who has the ticket, as routing last said."""

    @property
    def group_id(self) -> str | None: ...
    @property
    def agent_id(self) -> str | None: ...


class Notice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who is told, and what.

    Attributes:
        to: mail addresses, `agent` (who has the ticket), `lead` (of its group).
        text: with placeholders. `subject`: the same; left away, it is the rule's title.
    """

    to: Annotated[tuple[_Recipient, ...], Meta(min_length=1, max_length=RECIPIENTS_MAX)]
    text: Annotated[str, Meta(pattern=r"\S", max_length=TEXT_CHARS_MAX)]
    subject: (
        Annotated[str, Meta(pattern=r"^[^\r\n]*\S[^\r\n]*$", max_length=limits.NAME_CHARS_MAX)]
        | None
    ) = None

    def faults(self, fields: Mapping[str, Any], place: str) -> Iterator[FieldError]:
        """What of it could never be done."""
        for at, one in enumerate(self.to):
            if one not in _WORDS and "@" not in one.strip("@"):
                yield FieldError(f"{place}.to[{at}]", "expected a mail address, agent or lead")
        yield from placeholders.faults(self.text, fields, f"{place}.text")
        yield from placeholders.faults(self.subject, fields, f"{place}.subject")


def request(notice: Notice, ticket: Ticket, actor: Actor, owner: Owner) -> RequestNotice:
    """The command: people by `agent:<id>` and `lead:<group>`, so that it is told who was meant."""
    agent_id = owner.agent_id if AGENT in notice.to else None
    group_id = owner.group_id if LEAD in notice.to else None
    meant = {
        AGENT: None if agent_id is None else f"agent:{agent_id}",
        LEAD: None if group_id is None else f"lead:{group_id}",
    }
    found = [(word, meant.get(word, word)) for word in notice.to]
    subject = notice.subject or actor.name or "{{ticket.subject}}"
    return RequestNotice(
        to=tuple(dict.fromkeys(one for _, one in found if one is not None)),
        nobody=tuple(dict.fromkeys(word for word, one in found if one is None)),
        subject=" ".join(placeholders.rendered(subject, ticket, actor).text.split()),
        body=placeholders.rendered(notice.text, ticket, actor).text,
    )


def decide(command: RequestNotice, stamps: Stamps, context: Context) -> list[NoticeRequested]:
    """It moves nothing, so no state of the ticket speaks against it."""
    return [
        NoticeRequested(
            **stamps.next(),
            notice_id=new_id(),
            to=command.to,
            nobody=command.nobody,
            subject=command.subject,
            body=command.body,
            leaves_by=context.notices_leave_by if command.to else None,
        )
    ]
