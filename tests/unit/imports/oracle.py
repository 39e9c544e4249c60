"""What a list of commands says happened, worked out by hand: the figures that projections must come to.

Nothing of the product is used here, so that an error in it cannot hide behind itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean, median

from deploy.imports.commands import (
    Close,
    History,
    Open,
    Patch,
    Reopen,
    Resolve,
    ToGroup,
)


@dataclass
class Retold:
    """One ticket after its commands."""

    number: str
    opened_at: datetime
    priority: str
    category: str
    fields: dict = field(default_factory=dict)
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    reopened: int = 0
    handovers: int = 0
    group: str | None = None

    @property
    def is_open(self) -> bool:
        return self.category not in {"solved", "closed"}


def retell(history: History) -> Retold:
    """Follow one ticket; an illegal step fails."""
    first, *rest = history.intake
    assert isinstance(first, Open)
    ticket = Retold(
        history.number, first.occurred_at, first.priority.value, first.category.value,
        dict(first.fields),
    )  # fmt: skip
    at = first.occurred_at
    for command in rest:
        assert command.occurred_at >= at, f"{history.number} goes back in time"
        at = command.occurred_at
        _apply(ticket, command, at)
    at = first.occurred_at
    for place, line in enumerate(history.routing):
        assert line.occurred_at >= at, f"{history.number} goes back in time"
        at = line.occurred_at
        if isinstance(line, ToGroup):
            assert line.group_id != ticket.group
            came_with_the_opening = place == 0 and at <= ticket.opened_at
            ticket.handovers += 0 if came_with_the_opening else 1
            ticket.group = line.group_id
    return ticket


def _apply(ticket: Retold, command: object, at: datetime) -> None:
    match command:
        case Patch(priority=priority, fields=fields, status=status):
            if isinstance(priority, str):
                ticket.priority = priority.value
            if isinstance(fields, dict):
                ticket.fields |= fields
            if hasattr(status, "category"):
                assert ticket.is_open, f"{ticket.number}: a status by hand, but it has ended"
                assert status.category.value not in {"new", "solved", "closed"}
                ticket.category = status.category.value
        case Resolve():
            assert ticket.is_open, f"{ticket.number}: solved twice"
            ticket.category, ticket.resolved_at = "solved", at
        case Close():
            assert ticket.category != "closed", f"{ticket.number}: closed twice"
            ticket.category, ticket.closed_at = "closed", at
        case Reopen(category=category):
            assert not ticket.is_open, f"{ticket.number}: reopened, but it was open"
            ticket.category, ticket.closed_at = category.value, None
            ticket.reopened += 1


@dataclass(frozen=True)
class Figures:
    """As the report defines them; hours, shares from 0 to 1."""

    tickets: int
    reopened: int
    handed_over_share: float
    handovers_mean: float
    handovers_max: int
    opened_to_closed_median_hours: float
    closed: int
    opened_to_resolved_median_hours: float
    resolved: int


def figures(tickets: Iterable[Retold]) -> Figures:
    """The published figures, from the tickets."""
    every = list(tickets)
    closing = [_hours(one.closed_at, one) for one in every if one.closed_at]
    solving = [_hours(one.resolved_at, one) for one in every if one.resolved_at and not one.is_open]
    return Figures(
        tickets=len(every),
        reopened=sum(one.reopened > 0 for one in every),
        handed_over_share=fmean(one.handovers > 0 for one in every),
        handovers_mean=fmean(one.handovers for one in every),
        handovers_max=max(one.handovers for one in every),
        opened_to_closed_median_hours=median(closing),
        closed=len(closing),
        opened_to_resolved_median_hours=median(solving),
        resolved=len(solving),
    )


def _hours(until: datetime, ticket: Retold) -> float:
    return (until - ticket.opened_at).total_seconds() / 3600
