"""How long a solved ticket may come back, and when it closes by itself: the policy of one group."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from shared.calendar import Calendar, NoOpenTime, end_of_business_day
from shared.errors import FieldError, Invalid

EVERYBODY: Final = "*"
"""The policy of all groups that have none of their own, and of tickets in no group."""

_Hours = Annotated[int, Meta(ge=1, le=24 * 366)]
_Days = Annotated[int, Meta(ge=1, le=366)]
_BusinessDays = Annotated[int, Meta(ge=1, le=250)]


class Span(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A length of time, said in one way.

    Attributes:
        hours: so many hours, day and night.
        days: so many times 24 hours, free of any business calendar.
        business_days: until the end of business on the n-th business day after, by the policy's calendar.
    """

    hours: _Hours | None = None
    days: _Days | None = None
    business_days: _BusinessDays | None = None

    def after(self, start: datetime, calendar: Calendar | None) -> datetime:
        """The moment (UTC) at which the span is over.

        Raises:
            NoOpenTime: the calendar has not so many business days.
        """
        if self.business_days is not None:
            return end_of_business_day(calendar or Calendar(), start, self.business_days)
        return start.astimezone(UTC) + timedelta(hours=self.hours or 0, days=self.days or 0)

    def __str__(self) -> str:
        """In words, as the rule on an event says it."""
        for count, unit in (
            (self.business_days, "business day"),
            (self.days, "day"),
            (self.hours, "hour"),
        ):
            if count is not None:
                return f"{count} {unit}{'s' if count > 1 else ''}"
        return "no time"


class LifePolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What happens to a group's tickets after they are solved.

    Attributes:
        reopen_within: a reply reopens for so long, later it opens a follow-up (`None`: until the ticket is closed).
        follow_up_owner: whether routing gives the follow-up to the group and agent that had the ticket.
        reopen_owner: whether who had the ticket gets it back when it is reopened, or whoever of the group is next.
        close_after: it closes by itself then, unless somebody writes (`None`: only by hand).
        calendar: of business days; one that the sla service knows.
        courtesy: whether a bare "thank you" leaves the ticket solved.
    """

    reopen_within: Span | None = None
    follow_up_owner: Literal["keep", "clear"] = "keep"
    reopen_owner: Literal["keep", "clear"] = "keep"
    close_after: Span | None = None
    calendar: str | None = None
    courtesy: bool = True

    def check(self, calendars: Mapping[str, Calendar]) -> None:
        """Raises Invalid naming every field that could not be kept."""
        wrong: list[FieldError] = []
        for name in ("reopen_within", "close_after"):
            span: Span | None = getattr(self, name)
            if span is None:
                continue
            said = [one for one in (span.hours, span.days, span.business_days) if one is not None]
            if len(said) != 1:
                wrong.append(FieldError(name, "say one of hours, days, business_days"))
            elif span.business_days is not None and self.calendar is None:
                wrong.append(FieldError("calendar", f"is needed: {name} counts business days"))
        if self.calendar is not None and self.calendar not in calendars:
            known = ", ".join(sorted(calendars)) or "none yet"
            wrong.append(FieldError("calendar", f"is not known to intake (known: {known})"))
        if wrong:
            raise Invalid("The life policy cannot be kept.", errors=wrong)


class Terms(msgspec.Struct, frozen=True):
    """The policy in force for one ticket.

    Attributes:
        group: whose policy it is (`*`: everybody's); `None`: none was made, and the defaults hold.
        version: of the policy's document.
    """

    policy: LifePolicy = LifePolicy()
    group: str | None = None
    version: int | None = None
    calendar: Calendar | None = None

    @property
    def keeps_owner(self) -> bool:
        """Whether who had it gets it back when it is reopened."""
        return self.policy.reopen_owner == "keep"

    def reopen_until(self, solved_at: datetime) -> datetime | None:
        """Until when a reply reopens."""
        return self._end(self.policy.reopen_within, solved_at)

    def close_at(self, solved_at: datetime) -> datetime | None:
        """When it closes by itself."""
        return self._end(self.policy.close_after, solved_at)

    def _end(self, span: Span | None, start: datetime) -> datetime | None:
        if span is None:
            return None
        try:
            return span.after(start, self.calendar)
        except NoOpenTime:
            return None  # a calendar edited into emptiness closes nothing; an agent still can


NO_TERMS: Final = Terms()
