"""What happened to a ticket, as lengths of time: how long somebody worked at it, how long it rested."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from services.routing.domain.backtest.course import Passage, Turn
from services.routing.domain.backtest.material import PastTicket
from services.routing.domain.trail import Mark
from shared.events.base import Priority, StatusCategory

_BY_HAND = frozenset({"manual", "pull"})


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which the ticket needed somebody, and the rest after it.

    Attributes:
        work: from when an agent had it until it needed nobody; None when that had not ended yet.
        alone: it was over without anybody having had it, so long after it began.
        then: the category of the rest.
        rest: until it needed somebody again; None when it never did.
    """

    work: timedelta | None
    alone: timedelta | None
    then: StatusCategory
    rest: timedelta | None


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket's life without who did it.

    Attributes:
        waited: until the first agent had it; None when nobody ever had.
        first_agent: who that was. `is_by_hand`: a person gave it there or asked for it, not routing.
        priorities: what people set it to, and when.
        due_at: when the first answer was due, for the order of the queue; None without a promise.
        course: as it was.
    """

    priority: Priority
    spans: tuple[Span, ...]
    waited: timedelta | None
    first_agent: str | None
    is_by_hand: bool
    priorities: tuple[tuple[datetime, Priority], ...]
    due_at: datetime | None
    course: tuple[Passage, ...]


def script_of(ticket: PastTicket) -> Script:
    """The script of a ticket; its trail is in the order in which things were heard of."""
    marks = sorted(ticket.trail, key=lambda entry: entry.at)
    opened = next((entry for entry in marks if entry.what is Mark.OPENED), None)
    dues = [entry.value for entry in marks if entry.what is Mark.DUE]
    first = ticket.handed[0] if ticket.handed else None
    course = _course(ticket)
    return Script(
        priority=Priority(opened.value) if opened and opened.value else Priority.NORMAL,
        spans=tuple(_spans(course)),
        waited=None if first is None else max(timedelta(0), first.at - ticket.opened_at),
        first_agent=None if first is None else first.agent_id,
        is_by_hand=first is not None and first.mode in _BY_HAND,
        priorities=tuple(
            (entry.at, Priority(entry.value)) for entry in marks if entry.what is Mark.PRIORITY
        ),
        due_at=datetime.fromisoformat(dues[-1]) if dues else None,
        course=tuple(passage for passage, _ in course),
    )


def _course(ticket: PastTicket) -> list[tuple[Passage, str]]:
    """The passages, each with the category of the rest after it."""
    found: list[tuple[Passage, str]] = []
    needed_at: datetime | None = ticket.opened_at
    for entry in sorted(ticket.trail, key=lambda one: one.at):
        if entry.what is Mark.FREED and needed_at is not None:
            found.append((_passage(ticket, needed_at, entry.at), entry.value))
            needed_at = None
        elif entry.what is Mark.NEEDED and needed_at is None:
            needed_at = entry.at
    if needed_at is not None:
        found.append((_passage(ticket, needed_at, None), StatusCategory.PENDING.value))
    return found


def _passage(ticket: PastTicket, began: datetime, ended: datetime | None) -> Passage:
    handed = next((one.at for one in ticket.handed if ended is None or one.at <= ended), None)
    turns = [] if handed is None else [Turn(max(began, handed))]
    return Passage(began=began, turns=turns, ended=ended)


def _spans(course: Sequence[tuple[Passage, str]]) -> Iterator[Span]:
    for place, (passage, then) in enumerate(course):
        ended = passage.ended
        after = course[place + 1][0].began if place + 1 < len(course) else None
        worked_from = passage.turns[0].began if passage.turns else None
        yield Span(
            work=None if ended is None or worked_from is None else ended - worked_from,
            alone=ended - passage.began if ended is not None and worked_from is None else None,
            then=StatusCategory(then),
            rest=None if after is None or ended is None else after - ended,
        )
