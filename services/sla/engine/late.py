"""Facts that arrive late: put into their place, and what that changes is told (rules S20, S21).

The state keeps its latest facts. A late one is inserted by its moment and the ticket is judged anew
from before them, once without and once with it; the difference is told: breaches that did not
happen are retracted, new outcomes are added, moved deadlines are named. Nothing is edited silently.
"""

from bisect import bisect_right
from collections import Counter
from datetime import datetime, timedelta

import msgspec

from services.sla.engine import facts as told
from services.sla.engine import outcomes as tell
from services.sla.engine.applying import apply, counts_as_reply
from services.sla.engine.clockwork import Clockwork
from services.sla.engine.journal import reaches, remember, replay
from services.sla.engine.rulebook import Rulebook
from services.sla.engine.state import Clock, State, to_moment, to_seconds, to_us

REVIEW_AFTER = timedelta(hours=24)
"""Later than this a person decides about a retraction (S20)."""

LATE_FACT = "late_fact"


def is_late(state: State, at_us: int) -> bool:
    """Say whether something was already judged that this moment could change."""
    return at_us < state.last_us or at_us <= state.spoke_us


def fold_late(
    state: State, fact: told.Fact, rules: Rulebook, *, known_at: datetime | None
) -> tuple[State, list[tell.Outcome]]:
    """Judge a late fact in its own time; see the module's sentence."""
    if isinstance(fact, told.AgentReplied) and not counts_as_reply(fact):
        return state, []
    horizon_us = max(state.last_us, state.spoke_us + 1)
    if not reaches(state, to_us(fact.at)):
        return _fold_clamped(state, fact, rules, horizon_us)
    journal = _inserted(state, fact)
    before = replay(state, state.journal, rules, horizon_us)
    after = replay(state, journal, rules, horizon_us)
    happened = {_identity(outcome) for outcome in after.told}
    undone = [one for one in _standing(before.told) if _identity(one) not in happened]
    if undone:
        lateness = (known_at or to_moment(horizon_us)) - fact.at
        if lateness > REVIEW_AFTER:
            return _fold_clamped(state, fact, rules, horizon_us)
        retractions = dict(state.retractions)
        for breach in undone:
            key = f"{breach.metric}:{breach.cycle}"
            retractions[key] = retractions.get(key, 0) + 1
        after = replay(state, journal, rules, horizon_us, retractions)
    _keep_warned(state, after)
    outcomes: list[tell.Outcome] = [_retraction(breach, fact) for breach in undone]
    outcomes += _added(before.told, after.told)
    outcomes += _moved(state, after, outcomes)
    after.state.last_us = max(state.last_us, to_us(fact.at))
    after.state.spoke_us = max(state.spoke_us, after.state.spoke_us)
    after.state.base, after.state.journal, after.state.journal_is_whole = state.base, [], True
    remember(after.state, state, rules, *journal)
    return after.state, outcomes


def _inserted(state: State, fact: told.Fact) -> list[told.Fact]:
    """Put a fact behind those of the same moment; never before the creation."""
    journal, first = state.journal, 0 if state.base is not None else 1
    if first and fact.at < journal[0].at:
        fact = msgspec.structs.replace(fact, at=journal[0].at)
    index = max(first, bisect_right(journal, fact.at, key=lambda known: known.at))
    return [*journal[:index], fact, *journal[index:]]


def _fold_clamped(
    state: State, fact: told.Fact, rules: Rulebook, horizon_us: int
) -> tuple[State, list[tell.Outcome]]:
    """Too late, or too much has happened: judge it now, and ask a person about the breaches."""
    now = msgspec.structs.replace(fact, at=to_moment(horizon_us))
    work = Clockwork(state, rules)
    work.speak(horizon_us)
    work.at_us, work.cause = horizon_us, LATE_FACT
    doubtful: list[Clock] = [
        clock
        for clock in work.state.clocks
        if clock.is_open and clock.breached_us is not None and clock.breached_us >= to_us(fact.at)
    ]
    was = {clock.metric: (clock.status, clock.running_since_us) for clock in doubtful}
    apply(work, now)
    for clock in doubtful:
        if (clock.status, clock.running_since_us) != was[clock.metric]:
            work.cause = LATE_FACT
            work.tell(
                tell.NeedsReview,
                clock,
                work.calendar_of(clock),
                breached_at=to_moment(clock.breached_us or 0),
                attempt=work.attempt(clock),
                fact_at=fact.at,
            )
    asked = [one for one in work.told if isinstance(one, tell.NeedsReview)]
    new = [one for one in asked if state.review(one.metric, one.cycle) is None]
    work.state.reviews = [*state.reviews, *new]
    work.state.last_us = horizon_us
    remember(work.state, state, rules, now)
    return work.state, work.told


def _identity(outcome: tell.Outcome) -> tuple[object, ...]:
    """What makes an outcome the same one in two judgements."""
    match outcome:
        case tell.PolicyApplied():
            return ("policy_applied", outcome.at, outcome.policy_id, outcome.policy_version)
        case tell.Warned():
            key = (outcome.percent, outcome.seconds_before)
            return ("warning", outcome.metric, outcome.cycle, key)
        case tell.Started():
            return ("started", outcome.metric, outcome.cycle, outcome.at, outcome.started_at)
        case _:
            return (type(outcome).__name__, outcome.metric, outcome.cycle, outcome.at)


def _standing(told_before: list[tell.Outcome]) -> list[tell.Breached]:
    """The breaches that nobody has taken back."""
    found: dict[tuple[str, int], tell.Breached] = {}
    for outcome in told_before:
        if isinstance(outcome, tell.Breached):
            found[outcome.metric, outcome.cycle] = outcome
        elif isinstance(outcome, tell.BreachRetracted):
            found.pop((outcome.metric, outcome.cycle), None)
    return list(found.values())


def _added(before: list[tell.Outcome], after: list[tell.Outcome]) -> list[tell.Outcome]:
    """What the new judgement has on top; of several new warnings of a cycle only the last."""
    known = Counter(_identity(outcome) for outcome in before)
    added: list[tell.Outcome] = []
    for outcome in after:
        identity = _identity(outcome)
        if known[identity] > 0:
            known[identity] -= 1
            continue
        if isinstance(outcome, tell.Warned):
            added = [
                other
                for other in added
                if not isinstance(other, tell.Warned)
                or (other.metric, other.cycle) != (outcome.metric, outcome.cycle)
            ]
        added.append(outcome)
    return added


def _keep_warned(state: State, after: Clockwork) -> None:
    """A threshold told once is not told again, wherever it lies now (S17)."""
    for clock in after.state.clocks:
        known = state.clock(clock.metric)
        if known is None or known.cycle != clock.cycle:
            continue
        clock.warned = [*clock.warned, *(key for key in known.warned if key not in clock.warned)]
        if clock.warning_us is not None and clock.warning_key in clock.warned:
            after.schedule_warning(clock)
    after.settle()


def _retraction(breach: tell.Breached, fact: told.Fact) -> tell.BreachRetracted:
    fields = {
        name: getattr(breach, name)
        for name in tell.BreachRetracted.__struct_fields__
        if name not in ("cause", "fact_at")
    }
    return tell.BreachRetracted(**fields, cause=told.TAGS[type(fact)], fact_at=fact.at)


def _moved(state: State, after: Clockwork, outcomes: list[tell.Outcome]) -> list[tell.Outcome]:
    """Name the deadlines that lie elsewhere now, unless an outcome has just said so."""
    last_said = {
        outcome.metric: outcome.due_at
        for outcome in outcomes
        if not isinstance(outcome, tell.PolicyApplied | tell.BreachRetracted)
    }
    first = len(after.told)
    after.cause = LATE_FACT
    for clock in after.state.clocks:
        known = state.clock(clock.metric)
        if not clock.is_open or clock.breached_us is not None or known is None:
            continue
        due_at = None if clock.due_us is None else to_moment(clock.due_us)
        said = clock.metric in last_said and last_said[clock.metric] == due_at
        if known.due_us == clock.due_us or said:
            continue
        after.tell(
            tell.DueChanged,
            clock,
            after.calendar_of(clock),
            previous_due_at=None if known.due_us is None else to_moment(known.due_us),
            previous_target_seconds=to_seconds(known.target_us),
            previous_calendar_id=known.calendar_id,
            previous_calendar_version=known.calendar_version,
        )
    return after.told[first:]
