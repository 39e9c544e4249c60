"""What conditions say about each other: that some can never hold together, that one set holds whenever another does.

Sound and not complete: what is found is so; what asks too much thinking (two regular expressions that are no plain
words, say) is not found. A rule set is refused only for what is found; a dry run looks for the rest among tickets.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, lru_cache
from itertools import product
from typing import Any, Final

from shared.conditions.operators import OPERATORS, comparable
from shared.conditions.question import CLOSED, CUSTOM, HOURS, OPEN, Vocabulary, fold
from shared.conditions.words import plain
from shared.events.conditions import Condition

_OPPOSITES: Final = {
    "is": "is_not",
    "is_not": "is",
    "in": "not_in",
    "not_in": "in",
    "contains": "not_contains",
    "not_contains": "contains",
}
_NEGATIVE: Final = frozenset({"is_not", "not_in", "not_contains"})
_EXACT: Final = frozenset({"is", "in", "is_not", "not_in"})
_ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "gte": lambda a, b: a >= b,
    "gt": lambda a, b: a > b,
    "lte": lambda a, b: a <= b,
    "lt": lambda a, b: a < b,
}


class Shape:
    """The conditions of one rule, flattened: tests that must all hold, and what is left of the nesting.

    Args:
        when: without faults.
        vocabulary: what their fields mean.
    """

    def __init__(self, when: Sequence[Condition], vocabulary: Vocabulary) -> None:
        self.terms = _flat([plain(one, vocabulary) for one in when])
        self._vocabulary = vocabulary
        self._keyed = [(term, _key(term)) for term in self.terms]
        self._keys = {key for _, key in self._keyed}
        self._fields = {term.field for term in self.terms}

    @cached_property
    def contradiction(self) -> tuple[Condition, ...] | None:
        """Tests that never hold together; None when none are found."""
        by_field: dict[str, list[Condition]] = {}
        for term in self.terms:
            if term.field:
                by_field.setdefault(term.field, []).append(term)
        for tests in by_field.values():
            if len(tests) > 1 and not _can_hold(tests, self._vocabulary):
                return tuple(tests)
            if len(tests) == 1 and _allowed(tests[0], self._vocabulary) == frozenset():
                return tuple(tests)
        return None

    def implies(self, other: "Shape") -> bool:
        """Whether the other's conditions hold whenever these do."""
        return all(key in self._keys or self._implies(term) for term, key in other._keyed)  # noqa: SLF001

    def implies_one(self, wanted: Condition) -> bool:
        """Whether this condition holds whenever these do."""
        return _key(wanted) in self._keys or self._implies(wanted)

    def _implies(self, wanted: Condition) -> bool:
        if wanted.all:
            return all(self.implies_one(part) for part in wanted.all)
        if wanted.any:
            return any(self.implies_one(part) for part in wanted.any)
        return not wanted.none and self._implies_test(wanted)

    def _implies_test(self, wanted: Condition) -> bool:
        if wanted.field not in self._fields:
            return any(
                bool(term.any)
                and all(Shape([part], self._vocabulary).implies_one(wanted) for part in term.any)
                for term in self.terms
            )
        tests = [term for term in self.terms if term.field == wanted.field]
        allowed = _allowed(wanted, self._vocabulary)
        if allowed is not None:
            narrowed = _narrowed(tests, self._vocabulary)
            return narrowed is not None and narrowed <= allowed
        return any(_test_implies(test, wanted, self._vocabulary) for test in tests)


def _flat(conditions: Iterable[Condition]) -> list[Condition]:
    """All-of inside all-of is one; none-of of tests is their opposites, where a test has one."""
    found: list[Condition] = []
    for condition in conditions:
        if condition.all:
            found += _flat(condition.all)
        elif len(condition.any) == 1:
            found += _flat(condition.any)
        elif condition.none:
            for part in condition.none:
                if part.any:  # none of any of these: none of these
                    found += _flat([Condition(none=part.any)])
                elif part.none:  # none of none of these: any of these
                    found += _flat([Condition(any=part.none)])
                else:
                    found.append(_opposite(part))
        else:
            found.append(condition)
    return found


def _opposite(condition: Condition) -> Condition:
    if condition.op in _OPPOSITES:
        return Condition(condition.field, _OPPOSITES[condition.op], condition.value)
    if condition.op == "exists":
        return Condition(condition.field, "exists", not condition.value)
    return Condition(none=(condition,))


def _key(condition: Condition) -> str:
    """Equal for conditions that say the same, however they are written."""
    parts = (condition.all, condition.any, condition.none)
    if not any(parts):
        return f"{condition.field}\0{condition.op}\0{sorted(map(repr, _values(condition)))}"
    return repr([sorted(map(_key, some)) for some in parts])


def _values(condition: Condition) -> frozenset[Any]:
    value = condition.value
    return frozenset(fold(one) for one in (value if isinstance(value, list | tuple) else (value,)))


def _allowed(condition: Condition, vocabulary: Vocabulary) -> frozenset[Any] | None:
    """The values with which a test holds, for fields that always have one of few; None for other fields."""
    field, op, values = condition.field, condition.op, _values(condition)
    if field in vocabulary.ordered:
        ranks = vocabulary.ordered[field]
        every: frozenset[Any] = frozenset(ranks.values())
        values = frozenset(ranks.get(one, one) for one in values)
        if op in _ORDERS:
            (bound,) = values
            return frozenset(rank for rank in every if _ORDERS[op](rank, bound))
    elif field in vocabulary.closed:
        every = frozenset(vocabulary.closed[field])
    elif field.startswith(HOURS):
        every = frozenset({OPEN, CLOSED})
    else:
        return None
    if op in {"is", "in"}:
        return values
    return every - values if op in {"is_not", "not_in"} else None


def _narrowed(tests: Sequence[Condition], vocabulary: Vocabulary) -> frozenset[Any] | None:
    """The values with which all these tests of one field can hold; None: any."""
    sets = [allowed for test in tests if (allowed := _allowed(test, vocabulary)) is not None]
    return frozenset.intersection(*sets) if sets else None


def _can_hold(tests: Sequence[Condition], vocabulary: Vocabulary) -> bool:
    """Whether these tests of one field can hold together, as far as that can be seen."""
    if _allowed(tests[0], vocabulary) is not None:
        return bool(_narrowed(tests, vocabulary))
    absent = [t for t in tests if t.op == "exists" and t.value is False]
    if absent and any(t.op not in _NEGATIVE and t not in absent for t in tests):
        return False
    wanted = [_values(t) for t in tests if t.op in {"is", "in"}]
    unwanted = frozenset[Any]().union(*(_values(t) for t in tests if t.op in {"is_not", "not_in"}))
    if any(values <= unwanted for values in wanted):
        return False
    if tests[0].field in vocabulary.single and wanted:
        # One of few values, so all of them can be tried.
        tried = frozenset.intersection(*wanted)
        return any(all(_holds(test, value) for test in tests) for value in tried)
    held = frozenset[Any]().union(*(_values(t) for t in tests if t.op == "contains"))
    if held & frozenset[Any]().union(*(_values(t) for t in tests if t.op == "not_contains")):
        return False
    return not tests[0].field.startswith(CUSTOM) or _bounds_meet(tests)


def _bounds_meet(tests: Sequence[Condition]) -> bool:
    lows = [t for t in tests if t.op in {"gte", "gt"}]
    highs = [t for t in tests if t.op in {"lte", "lt"}]
    for low, high in product(lows, highs):
        least, most = fold(low.value), fold(high.value)
        if not comparable(least, most) or least > most:
            return False
        if least == most and (low.op, high.op) != ("gte", "lte"):
            return False
    return True


def _holds(test: Condition, value: Any) -> bool:
    """Whether a test holds for a field that has this one value."""
    if test.op == "matches":
        return OPERATORS[test.op].ask(value, _pattern(test.value))
    operator = OPERATORS[test.op]
    return operator.ask(value, operator.prepare(test.value))


_pattern = lru_cache(maxsize=2_048)(OPERATORS["matches"].prepare)


def _test_implies(test: Condition, wanted: Condition, vocabulary: Vocabulary) -> bool:
    """Whether one test of a field holds only if another of it does."""
    if wanted.op == "exists":
        is_held = test.op not in _NEGATIVE and (test.op != "exists" or test.value is True)
        return wanted.value is True and is_held
    if test.op in {"is", "in"} and (test.field in vocabulary.single or wanted.op == "matches"):
        return all(_holds(wanted, value) for value in _values(test))
    if test.op in _EXACT and wanted.op in _EXACT:
        return _exact_implies(test, wanted)
    if test.op in _ORDERS and wanted.op in _ORDERS:
        return _bound_implies(test, wanted)
    return wanted.op in {"contains", "starts_with", "contains_any"} and _text_implies(
        test, wanted, vocabulary
    )


def _exact_implies(test: Condition, wanted: Condition) -> bool:
    is_positive = test.op not in _NEGATIVE
    if is_positive and wanted.op not in _NEGATIVE:
        return _values(test) <= _values(wanted)
    if is_positive:
        return False  # a list may hold both; of a single field every value was tried
    return wanted.op in _NEGATIVE and _values(wanted) <= _values(test)


def _text_implies(test: Condition, wanted: Condition, vocabulary: Vocabulary) -> bool:
    if test.field in vocabulary.texts:
        if test.op == "starts_with" and wanted.op == "starts_with":
            return bool(fold(test.value).startswith(fold(wanted.value)))
        if wanted.op == "starts_with" or test.op not in {"contains", "starts_with", "contains_any"}:
            return False
        return all(any(part in one for part in _values(wanted)) for one in _values(test))
    holders = {"contains", "contains_any", "is", "in"}
    if test.field in vocabulary.lists and test.op in holders and wanted.op != "starts_with":
        return _values(test) <= _values(wanted)
    return False


def _bound_implies(test: Condition, wanted: Condition) -> bool:
    given, bound = fold(test.value), fold(wanted.value)
    if test.op[0] != wanted.op[0] or not comparable(given, bound):
        return False
    if given == bound:
        return test.op == wanted.op or wanted.op in {"gte", "lte"}
    return bool(_ORDERS[test.op[0] + "t"](given, bound))
