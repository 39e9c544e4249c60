"""What a late fact is judged anew from: the latest facts of a ticket, and the state before them (rule S20)."""

from msgspec.structs import replace

from services.sla.engine import facts as told
from services.sla.engine.applying import apply, begin
from services.sla.engine.clockwork import Clockwork
from services.sla.engine.rulebook import Rulebook
from services.sla.engine.state import State, to_us

JOURNAL_LIMIT = 64
"""Facts kept for late ones: nine in ten tickets have fewer, and the state stays under 6 kB."""
_FOLDED = JOURNAL_LIMIT // 2
"""So many of the oldest become the state before the others when there are more: half are always kept."""


def remember(state: State, before: State, rules: Rulebook, *facts: told.Fact) -> None:
    """Remember facts in a state that is being made; `before` is the one that it is made from."""
    if (
        state.base is None and not state.journal_is_whole
    ):  # stored when what was too much was dropped
        state.base = _bare(before)
    journal = [*state.journal, *facts]
    while len(journal) > JOURNAL_LIMIT:
        state.base = _bare(_lived(state, journal[:_FOLDED], rules).state)
        journal = journal[_FOLDED:]
    state.journal, state.journal_is_whole = journal, state.base is None


def reaches(state: State, at_us: int) -> bool:
    """Say whether this moment can be judged anew, or has too much happened since."""
    return state.journal_is_whole if state.base is None else at_us >= state.base.last_us


def replay(
    state: State,
    journal: list[told.Fact],
    rules: Rulebook,
    until_us: int,
    retractions: dict[str, int] | None = None,
) -> Clockwork:
    """Judge these facts instead of the state's own, and let time speak until this instant."""
    work = _lived(state, journal, rules, retractions)
    work.speak(until_us)
    return work


def _lived(
    state: State,
    journal: list[told.Fact],
    rules: Rulebook,
    retractions: dict[str, int] | None = None,
) -> Clockwork:
    if state.base is not None:
        work, further = Clockwork(state.base, rules), journal
    else:
        first, *further = journal
        if not isinstance(first, told.Created):  # the journal of a state begins with its creation
            raise TypeError(f"a journal begins with {type(first).__name__}")
        work = begin(first, rules)
    work.state.retractions = state.retractions if retractions is None else retractions
    work.state.reviews = state.reviews
    for fact in further:
        work.speak(to_us(fact.at))
        apply(work, fact)
        work.state.last_us = to_us(fact.at)
    return work


def _bare(state: State) -> State:
    """Without what is kept in the state that comes of it."""
    return replace(state, base=None, journal=[], journal_is_whole=True, retractions={}, reviews=[])
