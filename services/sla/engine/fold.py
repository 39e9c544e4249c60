"""The incremental fold: a fact in, a new state and its outcomes out; and time speaking alone."""

from datetime import datetime

from services.sla.engine import facts as told
from services.sla.engine.applying import apply, begin
from services.sla.engine.clockwork import Clockwork
from services.sla.engine.journal import remember
from services.sla.engine.late import fold_late, is_late
from services.sla.engine.outcomes import Outcome
from services.sla.engine.rulebook import Rulebook
from services.sla.engine.state import State, to_moment, to_us


class TicketNotCreated(ValueError):
    """A fact came before the ticket's creation: hold it back until that has come."""


def fold(
    state: State | None,
    fact: told.Fact,
    rules: Rulebook,
    *,
    known_at: datetime | None = None,
) -> tuple[State, list[Outcome]]:
    """Judge one fact: first what time did before it, then what the fact itself does.

    The first fact of a ticket is `Created` with `state` `None`; a second `Created` says nothing.
    Outcomes come in order of time. A fact at a deadline is in time: time speaks strictly before
    it (S4). `known_at` is when we heard of the fact, for the 24 h limit on retractions (S20); leave
    it out for imported history. A late fact may give outcomes about the past (S20).

    Raises:
        TicketNotCreated: no state, and the fact is not `Created`.
        UnknownVersion: `rules` lacks a version the ticket has pinned.
    """
    if state is None:
        if not isinstance(fact, told.Created):
            raise TicketNotCreated(f"{type(fact).__name__} at {fact.at.isoformat()}")
        work = begin(fact, rules)
        work.state.journal = [fact]
        return work.state, work.told
    if isinstance(fact, told.SILENT):
        return state, []
    at_us = to_us(fact.at)
    if is_late(state, at_us):
        return fold_late(state, fact, rules, known_at=known_at)
    work = Clockwork(state, rules)
    work.speak(at_us)
    apply(work, fact)
    work.state.last_us = at_us
    remember(work.state, state, rules, fact)
    return work.state, work.told


def advance(state: State, now: datetime, rules: Rulebook) -> tuple[State, list[Outcome]]:
    """Tell every warning and breach strictly before `now`, once, in order of time (S4, S24).

    Gives the same state object back when there is nothing to tell.
    """
    now_us = to_us(now)
    if state.next_us is None or state.next_us >= now_us:
        return state, []
    work = Clockwork(state, rules)
    work.speak(now_us)
    return work.state, work.told


def next_due(state: State) -> datetime | None:
    """The earliest moment at which `advance` would tell something: the ticket's timer (S23).

    That is one microsecond after the warning or deadline itself, because what happens exactly at
    it is still in time; `None` while time alone changes nothing.
    """
    return None if state.next_us is None else to_moment(state.next_us + 1)
