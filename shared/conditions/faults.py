"""What is wrong with conditions: each fault with its path."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from shared.conditions.operators import OPERATORS
from shared.conditions.question import CLOSED, HOURS, OPEN, Vocabulary
from shared.errors import FieldError
from shared.events.conditions import Condition

CONDITIONS_MAX: Final = 50
"""In one rule, nested ones counted. More is a decision table that belongs into several rules."""

DEPTH_MAX: Final = 5
"""Deeper nesting nobody reads."""

VALUES_MAX: Final = 200
"""In one list; a longer one (of customers, say) belongs into a custom field of the ticket."""

VALUE_CHARACTERS_MAX: Final = 500

_EXACT: Final = frozenset({"is", "is_not", "in", "not_in"})
_ORDER: Final = frozenset({"gte", "lte", "gt", "lt"})


class _Names(msgspec.Struct, frozen=True):
    """What may be named: fields, the words of some of them, calendars."""

    vocabulary: Vocabulary
    words: Mapping[str, Collection[str]]
    calendars: Collection[str]


def condition_faults(
    when: Sequence[Condition],
    path: str,
    vocabulary: Vocabulary,
    *,
    words: Mapping[str, Collection[str]],
    calendars: Collection[str],
) -> Iterator[FieldError]:
    """Everything that is wrong with a rule's conditions; nothing when they can be asked.

    Args:
        when: the conditions, all of which are to hold.
        path: of the list in the document.
        vocabulary: the fields.
        words: fields that may only be compared with what exists (groups, say), beside those with closed words.
        calendars: ids that exist.
    """
    count = sum(map(_count, when))
    if count > CONDITIONS_MAX:
        yield FieldError(path, f"at most {CONDITIONS_MAX} conditions, got {count}")
        return
    names = _Names(vocabulary, {**words, **vocabulary.closed}, calendars)
    for place, condition in enumerate(when):
        yield from _condition_faults(condition, f"{path}[{place}]", names, depth=1)


def _count(condition: Condition) -> int:
    """Conditions in it; nesting too deep is found elsewhere, and cut off here."""
    total, layer, depth = 0, [condition], 0
    while layer and depth <= DEPTH_MAX + 1:
        total += len(layer)
        layer = [part for one in layer for part in (*one.all, *one.any, *one.none)]
        depth += 1
    return total


def _condition_faults(
    condition: Condition, path: str, names: _Names, *, depth: int
) -> Iterator[FieldError]:
    forms = [form for form in ("all", "any", "none") if getattr(condition, form)]
    is_test = bool(condition.field or condition.op)
    if len(forms) + is_test != 1:
        yield FieldError(path, "one of: field with op and value; all; any; none (each not empty)")
        return
    if is_test:
        yield from _test_faults(condition, path, names)
        return
    if depth == DEPTH_MAX:
        yield FieldError(path, f"nested at most {DEPTH_MAX} deep")
        return
    for place, part in enumerate(getattr(condition, forms[0])):
        yield from _condition_faults(part, f"{path}.{forms[0]}[{place}]", names, depth=depth + 1)


def _test_faults(condition: Condition, path: str, names: _Names) -> Iterator[FieldError]:
    field, value = condition.field, condition.value
    if not names.vocabulary.has(field):
        known = ", ".join(names.vocabulary.names)
        yield FieldError(f"{path}.field", f"unknown field {field[:64]!r}; one of {known}")
        return
    operator = OPERATORS.get(condition.op)
    if operator is None:
        message = f"unknown operator {condition.op[:64]!r}; one of {', '.join(OPERATORS)}"
        yield FieldError(f"{path}.op", message)
        return
    fault = operator.fault(value) or _size_fault(value) or _word_fault(condition, names)
    if fault is not None:
        yield FieldError(f"{path}.value", fault)
    elif field.startswith(HOURS) and condition.op not in {"is", "is_not"}:
        yield FieldError(f"{path}.op", "hours are asked with is or is_not")
    elif field in names.vocabulary.ordered and condition.op not in _EXACT | _ORDER:
        yield FieldError(f"{path}.op", f"a {field} is asked with is, in, gte, lte, gt or lt")
    elif field.startswith(HOURS) and field.removeprefix(HOURS) not in names.calendars:
        name = field.removeprefix(HOURS)[:64]
        yield FieldError(f"{path}.field", f"there is no calendar {name!r}")


def _size_fault(value: object) -> str | None:
    values = value if isinstance(value, list | tuple) else [value]
    if len(values) > VALUES_MAX:
        return f"at most {VALUES_MAX} values"
    if any(isinstance(one, str) and len(one) > VALUE_CHARACTERS_MAX for one in values):
        return f"at most {VALUE_CHARACTERS_MAX} characters"
    return None


def _word_fault(condition: Condition, names: _Names) -> str | None:
    words = names.words.get(condition.field)
    if condition.field.startswith(HOURS):
        words = (OPEN, CLOSED)
    if words is None or condition.op not in _EXACT | _ORDER:
        return None
    values = condition.value if isinstance(condition.value, list | tuple) else [condition.value]
    for value in values:
        if value not in words:
            return f"{str(value)[:64]!r} is none of {', '.join(list(words)[:20])}"
    return None
