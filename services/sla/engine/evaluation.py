"""The whole judgement at once: the same fold over a timeline, and a verdict per metric and cycle."""

from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter
from typing import Literal

import msgspec

from services.sla.engine.applying import apply, begin
from services.sla.engine.clockwork import Clockwork
from services.sla.engine.facts import SILENT, Created, Fact
from services.sla.engine.fold import TicketNotCreated
from services.sla.engine.journal import remember
from services.sla.engine.outcomes import (
    Breached,
    BreachRetracted,
    Cancelled,
    ClockOutcome,
    DueChanged,
    Met,
    Outcome,
    PolicyApplied,
    Resumed,
    Seconds,
    Started,
    Warned,
)
from services.sla.engine.reckoning import elapsed_us
from services.sla.engine.rulebook import Rulebook
from services.sla.engine.state import PAUSED, State, to_seconds, to_us

Status = Literal["running", "paused", "met", "breached", "cancelled"]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How one cycle of one metric stands at the moment of evaluation.

    `status` is `breached` as soon as the deadline passed, also if it was met later (`met_at`).
    `is_open`: the clock still runs or is paused. `elapsed_seconds` and the like are those at the
    evaluation, or at the end of the cycle. `margin_seconds` (target - elapsed) is set when met.
    `warnings` are the moments at which a threshold was passed.
    """

    metric: str
    cycle: int
    status: Status
    is_open: bool
    policy_id: str
    policy_version: int
    calendar_id: str | None
    calendar_version: int | None
    started_at: datetime
    target_seconds: Seconds
    due_at: datetime | None
    remaining_seconds: Seconds
    elapsed_seconds: Seconds
    paused_seconds: Seconds
    breached_at: datetime | None = None
    met_at: datetime | None = None
    margin_seconds: Seconds | None = None
    cancelled_reason: str | None = None
    warnings: tuple[datetime, ...] = ()


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """The state at the end, everything told on the way, and the verdicts by start."""

    state: State
    outcomes: tuple[Outcome, ...]
    verdicts: tuple[Verdict, ...]


def evaluate(rules: Rulebook, timeline: Iterable[Fact], now: datetime) -> Evaluation:
    """Judge a whole timeline as of `now`; facts after `now` have not happened yet.

    Facts are ordered by their moment, those of one moment stay in the given order.

    Raises:
        TicketNotCreated: nothing up to `now`, or it does not begin with `Created`.
    """
    facts = [fact for fact in sorted(timeline, key=_moment_of) if fact.at <= now]
    if not facts:
        raise TicketNotCreated(f"nothing has happened until {now.isoformat()}")
    first = facts[0]
    if not isinstance(first, Created):
        raise TicketNotCreated(f"{type(first).__name__} at {first.at.isoformat()}")
    # What `fold` does fact by fact, without its copies: nobody else has seen this state, and in
    # order of time nothing is late.
    work = begin(first, rules)
    heard = [fact for fact in facts[1:] if not isinstance(fact, SILENT)]
    for fact in heard:
        at_us = to_us(fact.at)
        work.speak(at_us)
        apply(work, fact)
        work.state.last_us = at_us
    work.speak(to_us(now))
    remember(work.state, work.state, rules, first, *heard)
    return Evaluation(
        state=work.state, outcomes=tuple(work.told), verdicts=_verdicts(work, to_us(now))
    )


_moment_of = attrgetter("at")


def _verdicts(work: Clockwork, now_us: int) -> tuple[Verdict, ...]:
    cycles: dict[tuple[str, int], list[ClockOutcome]] = {}
    for outcome in work.told:
        if not isinstance(outcome, PolicyApplied):
            cycles.setdefault((outcome.metric, outcome.cycle), []).append(outcome)
    found = [_verdict(work, told, now_us) for told in cycles.values()]
    return tuple(sorted(found, key=lambda verdict: verdict.started_at))


def _verdict(work: Clockwork, told: list[ClockOutcome], now_us: int) -> Verdict:
    last = told[-1]
    due_at, elapsed, paused = last.due_at, last.elapsed_seconds, last.paused_seconds
    clock = work.state.clock(last.metric)
    status: Status = "met" if isinstance(last, Met) else "cancelled"
    is_open = clock is not None and clock.cycle == last.cycle and clock.is_open
    if clock is not None and is_open:
        calendar = work.calendar_of(clock)
        elapsed_now = elapsed_us(clock, calendar, now_us)
        passed = calendar.between_us(clock.started_us, now_us)
        elapsed, paused = to_seconds(elapsed_now), to_seconds(passed - elapsed_now)
        status = "paused" if clock.status == PAUSED else "running"
    breach, met, cancelled = _latest(told)
    if breach is not None:
        status = "breached"
    return Verdict(
        metric=last.metric,
        cycle=last.cycle,
        status=status,
        is_open=is_open,
        policy_id=last.policy_id,
        policy_version=last.policy_version,
        calendar_id=last.calendar_id,
        calendar_version=last.calendar_version,
        started_at=last.started_at,
        target_seconds=last.target_seconds,
        due_at=due_at,
        elapsed_seconds=elapsed,
        paused_seconds=paused,
        remaining_seconds=last.target_seconds - elapsed,
        breached_at=breach.breached_at if breach else None,
        met_at=met.met_at if met else None,
        margin_seconds=met.margin_seconds if met else None,
        cancelled_reason=cancelled.reason if cancelled else None,
        warnings=tuple(entry.at for entry in told if isinstance(entry, Warned)),
    )


def _latest(told: list[ClockOutcome]) -> tuple[Breached | None, Met | None, Cancelled | None]:
    """What still holds of the breach, the meeting and the cancellation of a cycle."""
    breach: Breached | None = None
    met: Met | None = None
    cancelled: Cancelled | None = None
    for outcome in told:
        match outcome:
            case Breached():
                breach = outcome
            case BreachRetracted():
                breach = None
            case Met():
                met, cancelled = outcome, None
            case Cancelled():
                cancelled, met = outcome, None
            case Started() | Resumed() | DueChanged():
                met = cancelled = None
            case _:
                pass
    return breach, met, cancelled
