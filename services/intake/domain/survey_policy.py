"""Who is asked what they think of a solution, when, and with which words: the survey policy of one group."""

from datetime import datetime, timedelta
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from services.intake.domain import limits
from services.intake.domain.ticket import Ticket
from shared.errors import FieldError, Invalid
from shared.events import Channel

SPAM: Final = "spam"
"""The reason of closing, and the tag, that say that nobody asked anything."""

_Line = Annotated[str, Meta(pattern=r"^[^\r\n]*\S[^\r\n]*$", max_length=limits.REASON_CHARS_MAX)]
_Reason = Annotated[str, Meta(pattern=r"^[^\r\n]*\S[^\r\n]*$", max_length=limits.WORD_CHARS_MAX)]
_Name = Annotated[str, Meta(pattern=r"^[^\r\n]*\S[^\r\n]*$", max_length=limits.NAME_CHARS_MAX)]


class Texts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Our own words on the survey's page; None: as they are. `{number}` and `{until}` are filled in."""

    title: _Line | None = None
    question: _Line | None = None
    good: _Line | None = None
    bad: _Line | None = None
    reason: _Line | None = None
    choose: _Line | None = None
    comment: _Line | None = None
    send: _Line | None = None
    thanks: _Line | None = None
    change: _Line | None = None
    over: _Line | None = None


class SurveyPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What happens after a ticket of the group was solved.

    Attributes:
        is_on: whether anybody is asked at all.
        delay_minutes: so long after the solution; a ticket that is reopened meanwhile is not asked about.
        answer_days: for so long the answer may be given and changed.
        channels: only tickets that came by these are asked about; empty: all.
        except_organizations: whose people are never asked.
        reasons: what a customer may pick from; empty: reasons are not asked for.
        language: of the page (BCP 47). `texts`: our own words on it, replaced.
    """

    is_on: bool = True
    delay_minutes: Annotated[int, Meta(ge=0, le=43_200)] = 60
    answer_days: Annotated[int, Meta(ge=1, le=366)] = 30
    channels: Annotated[tuple[Channel, ...], Meta(max_length=len(Channel))] = ()
    except_organizations: Annotated[tuple[_Name, ...], Meta(max_length=1_000)] = ()
    reasons: Annotated[tuple[_Reason, ...], Meta(max_length=20)] = ()
    language: Annotated[str, Meta(pattern=r"^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$")] = "en"
    texts: Texts = Texts()

    def check(self) -> None:
        """Raises Invalid naming what stands there twice or could never be asked."""
        wrong = [
            FieldError(name, "names something twice")
            for name in ("channels", "except_organizations", "reasons")
            if len(set(getattr(self, name))) < len(getattr(self, name))
        ]
        if Channel.IMPORT in self.channels:
            wrong.append(FieldError("channels", "imported tickets are never asked about"))
        if wrong:
            raise Invalid("The survey policy cannot be kept.", errors=wrong)

    def asks_about(self, ticket: Ticket) -> bool:
        """Whether the requester of this ticket is to be asked.

        Never about internal and merged tickets, spam, imports, what an agent wrote of their own accord, and what
        programs sent.
        """
        is_out = ticket.is_internal or ticket.is_outbound or ticket.merged_into is not None
        is_spam = SPAM in (ticket.close_reason, *ticket.tags)
        if not self.is_on or is_out or is_spam or ticket.is_from_program:
            return False
        if ticket.via is Channel.IMPORT or (self.channels and ticket.via not in self.channels):
            return False
        return ticket.requester.organization not in self.except_organizations


class SurveyTerms(msgspec.Struct, frozen=True):
    """The survey policy in force for one ticket.

    Attributes:
        group: whose policy it is (`*`: everybody's); None: none was made, and nobody is asked.
        version: of the policy's document.
    """

    policy: SurveyPolicy
    group: str | None = None
    version: int | None = None

    def survey_at(self, ticket: Ticket, solved_at: datetime) -> datetime | None:
        """When the requester is asked; None: never."""
        if not self.policy.asks_about(ticket):
            return None
        return solved_at + timedelta(minutes=self.policy.delay_minutes)


NO_SURVEY: Final = SurveyTerms(SurveyPolicy(is_on=False))
"""No policy was made: nobody is asked."""
