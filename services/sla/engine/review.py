"""A person's decision about a breach that a very late fact has put in doubt (rule S20)."""

from datetime import datetime

from msgspec.structs import asdict, replace

from services.sla.engine.facts import BreachTakenBack
from services.sla.engine.fold import fold
from services.sla.engine.outcomes import BreachRetracted, BreachUpheld, NeedsReview, Outcome
from services.sla.engine.rulebook import Rulebook
from services.sla.engine.state import State
from services.sla.engine.taking_back import REVIEWED


def review(
    state: State, asked: NeedsReview, rules: Rulebook, *, stands: bool, at: datetime
) -> tuple[State, list[Outcome]]:
    """Uphold the breach, or take it back; either way it is decided once.

    The decision itself is the first outcome. A breach taken back lets a cycle that is not over go
    on, which is told behind it. Decisions are facts: a late fact that is judged anew finds them.

    Raises:
        UnknownVersion: `rules` lacks a version the ticket has pinned.
    """
    said = asdict(asked) | {"at": at, "cause": REVIEWED}
    state = replace(state, reviews=[one for one in state.reviews if one is not asked])
    if stands:
        return state, [BreachUpheld(**said)]
    decision = BreachTakenBack(
        at=at,
        metric=asked.metric,
        cycle=asked.cycle,
        since=asked.fact_at,
        until=asked.at,
        attempt=asked.attempt,
    )
    after, told = fold(state, decision, rules)
    # In the words of the question: its cycle may be over, and then the clock knows nothing of it.
    further = [one for one in told if not isinstance(one, BreachRetracted)]
    return after, [BreachRetracted(**said), *further]
