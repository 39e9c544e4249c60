"""What happened to a ticket, as lengths of time: how long somebody worked at it, how long it rested."""

from datetime import datetime, timedelta

import msgspec

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
        reply_after: from the first agent's getting it (or the opening, when it was answered before) to the first
            answer; None when there was none.
        is_reply_free: the answer did not wait for an agent to get it.
        due_at: when the first answer was due; None without a promise.
    """

    priority: Priority
    spans: tuple[Span, ...]
    waited: timedelta | None
    first_agent: str | None
    is_by_hand: bool
    reply_after: timedelta | None
    is_reply_free: bool
    due_at: datetime | None
    replied_at: datetime | None


def script_of(ticket: PastTicket) -> Script:
    """The script of a ticket; its trail is in the order in which things were heard of."""
    marks = sorted(ticket.trail, key=lambda entry: entry.at)
    opened = next((entry for entry in marks if entry.what is Mark.OPENED), None)
    replied = next((entry.at for entry in marks if entry.what is Mark.REPLIED), None)
    dues = [entry.value for entry in marks if entry.what is Mark.DUE]
    first = ticket.handed[0] if ticket.handed else None
    base = first.at if first is not None else ticket.opened_at
    is_reply_free = replied is not None and replied < base
    return Script(
        priority=Priority(opened.value) if opened and opened.value else Priority.NORMAL,
        spans=tuple(_spans(ticket)),
        waited=None if first is None else max(timedelta(0), first.at - ticket.opened_at),
        first_agent=None if first is None else first.agent_id,
        is_by_hand=first is not None and first.mode in _BY_HAND,
        reply_after=None
        if replied is None
        else replied - (ticket.opened_at if is_reply_free else base),
        is_reply_free=is_reply_free,
        due_at=datetime.fromisoformat(dues[-1]) if dues else None,
        replied_at=replied,
    )


def _spans(ticket: PastTicket) -> list[Span]:
    found: list[Span] = []
    needed_at: datetime | None = ticket.opened_at
    freed_at: datetime | None = None
    held: list[tuple[datetime, datetime | None, str]] = []
    category = ""
    for entry in sorted(ticket.trail, key=lambda one: one.at):
        if entry.what is Mark.FREED and needed_at is not None:
            freed_at, category = entry.at, entry.value
            held.append((needed_at, freed_at, category))
            needed_at = None
        elif entry.what is Mark.NEEDED and needed_at is None:
            needed_at = entry.at
    if needed_at is not None:
        held.append((needed_at, None, StatusCategory.PENDING.value))
    for place, (began, ended, then) in enumerate(held):
        handed = next((one.at for one in ticket.handed if ended is None or one.at <= ended), None)
        after = held[place + 1][0] if place + 1 < len(held) else None
        worked_from = None if handed is None else max(began, handed)
        found.append(
            Span(
                work=None if ended is None or worked_from is None else ended - worked_from,
                alone=ended - began if ended is not None and worked_from is None else None,
                then=StatusCategory(then),
                rest=None if after is None or ended is None else after - ended,
            )
        )
    return found
