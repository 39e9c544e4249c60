"""How a condition may compare, and what its value must look like."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from shared.conditions import patterns
from shared.conditions.question import fold


class Operator(msgspec.Struct, frozen=True):
    """How a value is compared, and what it must look like in the rule.

    `when_absent`: the answer when the ticket has no such field.
    """

    fault: Callable[[Any], str | None]
    holds: Callable[[Any, Any], bool]
    prepare: Callable[[Any], Any]
    when_absent: bool = False

    def ask(self, value: Any, wanted: Any) -> bool:
        """Whether it holds for this value, which may not be there."""
        if value is None or value == ():
            return not wanted if self.holds is _exists else self.when_absent
        return self.holds(value, wanted)


def _exists(value: Any, wanted: Any) -> bool:
    return (value is not None) is wanted


def _is(value: Any, wanted: Any) -> bool:
    return bool(value == wanted) or (isinstance(value, tuple) and wanted in value)


def _is_in(value: Any, wanted: Any) -> bool:
    return any(_is(value, one) for one in wanted)


def _contains(value: Any, wanted: Any) -> bool:
    if isinstance(value, str):
        return isinstance(wanted, str) and wanted in value
    return isinstance(value, tuple) and wanted in value


def _contains_any(value: Any, wanted: Sequence[Any]) -> bool:
    return any(_contains(value, one) for one in wanted)


def _starts(value: Any, wanted: Any) -> bool:
    return isinstance(value, str) and value.startswith(wanted)


def _matches(value: Any, wanted: Any) -> bool:
    if isinstance(value, str):
        return patterns.found(wanted, value)
    return isinstance(value, tuple) and any(
        isinstance(one, str) and patterns.found(wanted, one) for one in value
    )


def comparable(value: Any, wanted: Any) -> bool:
    """Numbers with numbers, text (such as ISO dates) with text; anything else does not compare."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return False
    if isinstance(value, int | float):
        return isinstance(wanted, int | float)
    return isinstance(value, str) and isinstance(wanted, str)


def _scalar_fault(value: Any) -> str | None:
    return None if isinstance(value, str | int | float | bool) else "a text, number or boolean"


def _list_fault(value: Any) -> str | None:
    if not isinstance(value, list | tuple) or not value:
        return "a list with at least one value"
    return next((fault for fault in map(_scalar_fault, value) if fault), None)


def _text_fault(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "a text that is not empty"


def _texts_fault(value: Any) -> str | None:
    if not isinstance(value, list | tuple) or not value:
        return "a list with at least one text"
    return next((fault for fault in map(_text_fault, value) if fault), None)


def _order_fault(value: Any) -> str | None:
    is_fit = isinstance(value, str | int | float) and not isinstance(value, bool)
    return None if is_fit else "a number or text"


def _flag_fault(value: Any) -> str | None:
    return None if isinstance(value, bool) else "true or false"


OPERATORS: Final = {
    "is": Operator(_scalar_fault, _is, fold),
    "is_not": Operator(_scalar_fault, lambda v, w: not _is(v, w), fold, when_absent=True),
    "in": Operator(_list_fault, _is_in, fold),
    "not_in": Operator(_list_fault, lambda v, w: not _is_in(v, w), fold, when_absent=True),
    "contains": Operator(_text_fault, _contains, fold),
    "not_contains": Operator(_text_fault, lambda v, w: not _contains(v, w), fold, when_absent=True),
    "contains_any": Operator(_texts_fault, _contains_any, fold),
    "starts_with": Operator(_text_fault, _starts, fold),
    "matches": Operator(patterns.fault, _matches, patterns.prepare),
    "gte": Operator(_order_fault, lambda v, w: comparable(v, w) and v >= w, fold),
    "lte": Operator(_order_fault, lambda v, w: comparable(v, w) and v <= w, fold),
    "gt": Operator(_order_fault, lambda v, w: comparable(v, w) and v > w, fold),
    "lt": Operator(_order_fault, lambda v, w: comparable(v, w) and v < w, fold),
    "exists": Operator(_flag_fault, _exists, lambda value: value),
}
"""How a condition may compare. `matches` is a regular expression of RE2: its time grows with the text and no faster."""
