"""A breach that a person takes back: the clock goes on as if the late fact had been heard in time (rule S20)."""

from services.sla.engine import outcomes as tell
from services.sla.engine.clockwork import UNKNOWN, Clockwork
from services.sla.engine.facts import BreachTakenBack
from services.sla.engine.reckoning import last_running_start, recount
from services.sla.engine.state import LATENT, Clock, to_moment, to_seconds, to_us

REVIEWED = "reviewed"
"""The cause of what a person decided."""


def take_back(work: Clockwork, fact: BreachTakenBack) -> None:
    """Retract the breach; a clock that is not over gets a deadline again, and may miss that one too.

    The late fact was judged at `until`. What the clock counted between it and `since` is left out.
    """
    clock = work.state.clock(fact.metric)
    if clock is None or clock.cycle != fact.cycle or clock.breached_us is None:
        return
    work.cause = REVIEWED
    work.tell(
        tell.BreachRetracted,
        clock,
        work.rules.calendar(clock.calendar_id, clock.calendar_version) or UNKNOWN,
        breached_at=to_moment(clock.breached_us),
        attempt=fact.attempt,
        fact_at=fact.since,
    )
    key = f"{fact.metric}:{fact.cycle}"
    # A replay of the journal knows the final count already.
    count = max(work.state.retractions.get(key, 0), fact.attempt + 1)
    work.state.retractions = {**work.state.retractions, key: count}
    clock.breached_us = None
    if clock.is_alive:
        # The late fact may have been judged at a moment that was still ahead of us (S21).
        _leave_out(clock, to_us(fact.since), min(to_us(fact.until), work.at_us))
        _go_on(work, clock)


def _leave_out(clock: Clock, since_us: int, until_us: int) -> None:
    """Make this span a pause, united with the pauses it touches."""
    known = zip(clock.pauses[::2], clock.pauses[1::2], strict=True)
    united: list[int] = []
    for start, end in sorted([*known, (max(since_us, clock.started_us), until_us)]):
        if united and start <= united[-1]:
            united[-1] = max(united[-1], end)
        else:
            united += start, end
    if clock.paused_since_us is not None and united[-1] >= clock.paused_since_us:
        clock.paused_since_us, united = united[-2], united[:-2]
    clock.pauses = united
    if clock.running_since_us is not None:
        clock.running_since_us = last_running_start(clock)


def _go_on(work: Clockwork, clock: Clock) -> None:
    before_us = clock.due_us
    if clock.status == LATENT:
        clock.due_us = None
        return
    calendar = work.calendar_of(clock)
    recount(clock, calendar)
    work.place(clock, calendar)
    if clock.due_us != before_us:
        work.tell(
            tell.DueChanged,
            clock,
            calendar,
            previous_due_at=None if before_us is None else to_moment(before_us),
            previous_target_seconds=to_seconds(clock.target_us),
            previous_calendar_id=clock.calendar_id,
            previous_calendar_version=clock.calendar_version,
        )
    if clock.due_us is None or clock.due_us >= work.at_us:
        work.schedule_warning(clock, calendar)
        return
    # It was missed since then all the same: at its own moment, not at that of the decision (S19).
    decided_us = work.at_us
    work.settle()
    work.speak(decided_us)
    work.at_us, work.cause = decided_us, REVIEWED
