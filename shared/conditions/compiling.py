"""A condition as a function of a question."""

from collections.abc import Callable, Mapping
from datetime import datetime

from shared.conditions.operators import OPERATORS
from shared.conditions.question import CLOSED, HOURS, OPEN, Question, Vocabulary
from shared.events.conditions import Condition

OpenAt = Callable[[datetime], bool]
"""Whether a calendar is open at a moment."""

Test = Callable[[Question], bool]


def compile_condition(
    condition: Condition,
    vocabulary: Vocabulary,
    calendars: Mapping[str, OpenAt],
    *,
    unknown: frozenset[str] = frozenset(),
    assume: bool = False,
    is_inverted: bool = False,
) -> Test:
    """The condition as a function.

    Args:
        condition: without faults.
        vocabulary: what its fields mean.
        calendars: by id; one that is not known (any more) is never open.
        unknown: fields of which nobody knows the value any more.
        assume: what conditions on these shall do to the whole, help it hold (True) or fail (False).
        is_inverted: under an odd number of `none`.
    """
    if condition.all or condition.any or condition.none:
        tests = [
            compile_condition(
                part,
                vocabulary,
                calendars,
                unknown=unknown,
                assume=assume,
                is_inverted=is_inverted is not bool(condition.none),
            )
            for part in condition.all or condition.any or condition.none
        ]
        if condition.all:
            return lambda q: all(test(q) for test in tests)
        if condition.any:
            return lambda q: any(test(q) for test in tests)
        return lambda q: not any(test(q) for test in tests)
    asked = (condition.field, *vocabulary.combined.get(condition.field, ()))
    if not unknown.isdisjoint(asked):
        return _doubtful(condition, vocabulary, unknown, answer=assume is not is_inverted)
    return _compile_test(condition, vocabulary, calendars)


def asks_of(condition: Condition, fields: frozenset[str]) -> bool:
    """Whether it, or anything in it, asks one of these fields."""
    parts = (*condition.all, *condition.any, *condition.none)
    return condition.field in fields or any(asks_of(part, fields) for part in parts)


def _doubtful(
    condition: Condition, vocabulary: Vocabulary, unknown: frozenset[str], *, answer: bool
) -> Test:
    """A condition on what is not known: as assumed, unless those of its fields that are known decide it."""
    tests = [
        _compile_test(Condition(part, condition.op, condition.value), vocabulary, {})
        for part in vocabulary.combined.get(condition.field, ())
        if part not in unknown
    ]
    if OPERATORS[condition.op].when_absent:
        return lambda q: answer and all(test(q) for test in tests)
    return lambda q: answer or any(test(q) for test in tests)


def _compile_test(
    condition: Condition, vocabulary: Vocabulary, calendars: Mapping[str, OpenAt]
) -> Test:
    operator = OPERATORS[condition.op]
    ask, holds = operator.ask, operator.holds
    field = condition.field
    if field in vocabulary.ordered:
        ranked = vocabulary.ranked(field, condition.value)
        return lambda q: holds(q.value(field), ranked)
    wanted = operator.prepare(condition.value)
    if field.startswith(HOURS):
        is_open = calendars.get(field.removeprefix(HOURS), _never)
        return lambda q: holds(OPEN if q.at is not None and is_open(q.at) else CLOSED, wanted)
    if field in vocabulary.combined:
        parts = vocabulary.combined[field]
        # Not in any, or in one of them.
        combine = all if operator.when_absent else any
        return lambda q: combine(ask(q.value(part), wanted) for part in parts)
    return lambda q: ask(q.value(field), wanted)


def _never(_moment: datetime) -> bool:
    return False
