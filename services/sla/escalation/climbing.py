"""When steps of ladders are due, by the clocks they belong to. Pure.

A step stands at an amount of its clock's own time, or at so many seconds of the wall's clock around the
deadline. Pauses, targets and calendars move it exactly as they move the deadline, because it is
computed from the same clock each time: nothing that was planned earlier can fire.
"""

from collections.abc import Iterator
from itertools import takewhile

import msgspec

from services.sla import engine
from services.sla.engine.reckoning import reached_us
from services.sla.engine.state import RUNNING
from services.sla.escalation.state import Climb, Escalation
from shared.calendar import NoOpenTime


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A step whose moment has passed. `number` counts from 1; `is_silent`: a later one tells people instead."""

    climb: Climb
    clock: engine.Clock
    step: engine.Step
    number: int
    steps_count: int
    planned_us: int
    is_silent: bool = False


def ladder_of(
    state: engine.State, clock: engine.Clock, rules: engine.Rulebook
) -> engine.Ladder | None:
    """The ladder of a clock under the policy version that the ticket has pinned."""
    policy = rules.policy(state.policy_id, state.policy_version)
    return policy.ladder(clock.metric) if policy is not None and policy.escalation else None


def planned_us(step: engine.Step, clock: engine.Clock, rules: engine.Rulebook) -> int | None:
    """When the step is due; `None` while the clock stands, or when its calendar has too little time (S7, C9)."""
    if clock.status != RUNNING or clock.running_since_us is None:
        return None
    if step.time == "calendar":
        if clock.due_us is None:
            return None
        away = ((step.seconds_after or 0) - (step.seconds_before or 0)) * 1_000_000
        # What falls into a pause waits for its end (S8).
        return max(clock.due_us + away, clock.running_since_us)
    calendar = rules.calendar(clock.calendar_id, clock.calendar_version)
    amount = step.amount_us(clock.target_us)
    if calendar is None or amount <= 0:
        return clock.started_us if calendar is not None else None
    try:
        return reached_us(clock, calendar, amount)
    except NoOpenTime:
        return None


def settled(escalation: Escalation, state: engine.State, rules: engine.Rulebook) -> None:
    """Let the climbs follow the clocks: a new cycle begins at the foot, another policy where time already is."""
    for clock in state.clocks:
        climb = escalation.climb(clock.metric)
        if not clock.is_alive:
            if climb is not None:
                climb.stopped = None  # a reopening goes on with the steps that are left (S14)
            continue
        ladder = ladder_of(state, clock, rules)
        if ladder is None:
            continue
        pinned = state.policy_id or "", state.policy_version or 0
        if climb is None or climb.cycle != clock.cycle:
            if climb is not None:
                escalation.climbs.remove(climb)
            climb = Climb(
                metric=clock.metric,
                cycle=clock.cycle,
                policy_id=pinned[0],
                policy_version=pinned[1],
                attempt=attempt_of(clock, state),
            )
            escalation.climbs.append(climb)
        elif (climb.policy_id, climb.policy_version) != pinned:
            climb.policy_id, climb.policy_version = pinned
            climb.done = _passed(ladder, clock, rules, climb.last_us)
        if climb.attempt < (attempt := attempt_of(clock, state)):
            # The breach was taken back: what was done about it is done again for the next one (S20).
            climb.attempt, climb.stopped = attempt, None
            climb.done = min(climb.done, _before_deadline(ladder))


def attempt_of(clock: engine.Clock, state: engine.State) -> int:
    """How often the breach of this cycle was taken back."""
    return state.retractions.get(f"{clock.metric}:{clock.cycle}", 0)


def due_steps(
    escalation: Escalation, state: engine.State, rules: engine.Rulebook, horizon_us: int
) -> list[Due]:
    """The steps before this instant that have not fired, in order of time (S24).

    Of several of one clock only the last that calls people does so: after an outage nobody is called
    three times about one ticket.
    """
    found: list[Due] = []
    for climb, clock, ladder in _climbing(escalation, state, rules):
        mine: list[Due] = []
        for number, step in enumerate(ladder.steps[climb.done :], start=climb.done + 1):
            moment = planned_us(step, clock, rules)
            if moment is None or moment >= horizon_us:
                break
            mine.append(
                Due(
                    climb=climb,
                    clock=clock,
                    step=step,
                    number=number,
                    steps_count=len(ladder.steps),
                    planned_us=moment,
                )
            )
        telling = max((due.number for due in mine if due.step.tells_somebody), default=0)
        found += [msgspec.structs.replace(due, is_silent=due.number < telling) for due in mine]
    return sorted(found, key=lambda due: due.planned_us)


def next_us(escalation: Escalation, state: engine.State, rules: engine.Rulebook) -> int | None:
    """When time will next have something to say here: a microsecond after the step or the level's end."""
    moments: list[int] = []
    for climb, clock, ladder in _climbing(escalation, state, rules):
        moment = planned_us(ladder.steps[climb.done], clock, rules)
        if moment is not None:
            moments.append(moment)
    for page in escalation.pages:
        moment = level_ends_us(page.escalates_us, state.clock(page.metric))
        if page.state == "paged" and moment is not None:
            moments.append(moment)
    return min(moments) + 1 if moments else None


def level_ends_us(escalates_us: int | None, clock: engine.Clock | None) -> int | None:
    """When the next level is paged: not while the clock stands (S8)."""
    if escalates_us is None or clock is None or clock.status != RUNNING:
        return None
    return max(escalates_us, clock.running_since_us or escalates_us)


def _climbing(
    escalation: Escalation, state: engine.State, rules: engine.Rulebook
) -> Iterator[tuple[Climb, engine.Clock, engine.Ladder]]:
    for climb in escalation.climbs:
        clock = state.clock(climb.metric)
        if climb.stopped is not None or clock is None or clock.cycle != climb.cycle:
            continue
        ladder = ladder_of(state, clock, rules) if clock.is_open else None
        if ladder is not None and climb.done < len(ladder.steps):
            yield climb, clock, ladder


def _passed(
    ladder: engine.Ladder, clock: engine.Clock, rules: engine.Rulebook, last_us: int | None
) -> int:
    """How many steps of another ladder stand at or before the last step that fired."""
    count = 0
    for step in ladder.steps:
        moment = planned_us(step, clock, rules)
        if last_us is None or moment is None or moment > last_us:
            break
        count += 1
    return count


def _before_deadline(ladder: engine.Ladder) -> int:
    """How many steps come before the first that stands at the deadline or behind it."""
    return sum(1 for _ in takewhile(lambda step: step.is_before_deadline, ladder.steps))
