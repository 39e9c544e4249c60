"""A person's decision about a breach that a very late fact has put in doubt (rule S20)."""

from datetime import datetime

from msgspec.structs import asdict, replace

from services.sla.engine.outcomes import BreachRetracted, BreachUpheld, NeedsReview
from services.sla.engine.state import Clock, State

REVIEWED = "reviewed"
"""The cause of what was decided."""


def review(
    state: State, asked: NeedsReview, *, stands: bool, at: datetime
) -> tuple[State, BreachUpheld | BreachRetracted]:
    """Uphold the breach, or take it back; either way it is decided once.

    A cycle that still runs stays as it is: its verdict is the person's now, and time says nothing more about it.
    """
    said = asdict(asked) | {"at": at, "cause": REVIEWED}
    left = [one for one in state.reviews if one is not asked]
    if stands:
        return replace(state, reviews=left), BreachUpheld(**said)
    key = f"{asked.metric}:{asked.cycle}"

    def verdict(clock: Clock) -> Clock:
        is_meant = (clock.metric, clock.cycle) == (asked.metric, asked.cycle)
        return replace(clock, breached_us=None) if is_meant and not clock.is_alive else clock

    after = replace(
        state,
        reviews=left,
        clocks=[verdict(clock) for clock in state.clocks],
        retractions={**state.retractions, key: state.retractions.get(key, 0) + 1},
    )
    return after, BreachRetracted(**said)
