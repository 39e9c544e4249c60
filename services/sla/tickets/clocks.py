"""The clocks of one ticket as of a moment, for people: what was promised, what is left."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from services.sla import engine
from services.sla.engine.clockwork import Clockwork
from services.sla.engine.reckoning import elapsed_us
from services.sla.engine.state import to_moment, to_us
from services.sla.tickets.states import Row


class ClockView(msgspec.Struct, frozen=True, kw_only=True):
    """The latest cycle of one metric. Seconds are those of the target's calendar.

    `remaining_seconds` < 0: late. `due_at` null: paused, or ended without a deadline.
    """

    metric: str
    cycle: int
    status: str
    is_breached: bool
    started_at: datetime
    due_at: datetime | None
    target_seconds: float
    elapsed_seconds: float
    remaining_seconds: float
    breached_at: datetime | None
    stopped_at: datetime | None
    calendar_id: str | None
    calendar_version: int | None


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """A breach that a fact from `fact_at` speaks against, heard of more than a day late: a person decides (S20)."""

    metric: str
    cycle: int
    breached_at: datetime
    fact_at: datetime
    asked_at: datetime


class TicketClocks(msgspec.Struct, frozen=True, kw_only=True):
    """What this service knows of a ticket. `version` counts its own events about it."""

    ticket_id: UUID
    number: int | None
    version: int
    as_of: datetime
    policy_id: str | None
    policy_version: int | None
    category: str
    priority: str
    next_due: datetime | None
    clocks: list[ClockView]
    reviews: list[Review]


def clocks_of(row: Row, rules: engine.Rulebook, *, now: datetime) -> TicketClocks | None:
    """The clocks as of `now`; None: the ticket's opening has not been heard of."""
    if row.state is None:
        return None
    # What time has done meanwhile is shown as it is, also in the moment before it is stored.
    state, _ = engine.advance(row.state, now, rules)
    work = Clockwork(state, rules)
    # The timer stands a microsecond behind its deadline, because a reply at the deadline is in time.
    due = engine.next_due(state)
    return TicketClocks(
        ticket_id=row.ticket_id,
        number=row.number,
        version=row.stream_version,
        as_of=now,
        policy_id=state.policy_id,
        policy_version=state.policy_version,
        category=state.category,
        priority=state.priority,
        next_due=due - timedelta(microseconds=1) if due else None,
        clocks=[_view(work, clock, now) for clock in state.clocks if clock.target_us],
        reviews=[
            Review(
                metric=asked.metric,
                cycle=asked.cycle,
                breached_at=asked.breached_at,
                fact_at=asked.fact_at,
                asked_at=asked.at,
            )
            for asked in state.reviews
        ],
    )


def _view(work: Clockwork, clock: engine.Clock, now: datetime) -> ClockView:
    at_us = clock.stopped_us if clock.stopped_us is not None else to_us(now)
    elapsed = elapsed_us(clock, work.calendar_of(clock), at_us)
    moments: dict[str, Any] = {
        name: to_moment(value) if value is not None else None
        for name, value in (
            ("due_at", clock.due_us),
            ("breached_at", clock.breached_us),
            ("stopped_at", clock.stopped_us),
        )
    }
    return ClockView(
        metric=clock.metric,
        cycle=clock.cycle,
        status=clock.status,
        is_breached=clock.breached_us is not None,
        started_at=to_moment(clock.started_us),
        target_seconds=clock.target_us / 1_000_000,
        elapsed_seconds=elapsed / 1_000_000,
        remaining_seconds=(clock.target_us - elapsed) / 1_000_000,
        calendar_id=clock.calendar_id,
        calendar_version=clock.calendar_version,
        **moments,
    )
