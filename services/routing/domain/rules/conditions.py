"""What one condition asks of a ticket, made ready for asking: fields, operators, nesting."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from services.routing.domain.hours import OpenAt
from services.routing.domain.rules import patterns
from services.routing.domain.ticket import RANKS, Facts
from shared.events.agents import Condition

TEXT_CHARACTERS_MAX: Final = 65_536
"""So much of a message is looked at, from its beginning: what a person asks for stands there, and a pasted log of
megabytes must not hold up the desk."""

PLAIN_FIELDS: Final = {
    "channel": "channel",
    "subject": "subject",
    "body": "body",
    "type": "ticket_type",
    "language": "language",
    "tags": "tags",
    "is_outbound": "is_outbound",
    "requester.id": "requester_id",
    "requester.email": "requester_email",
    "requester.organization": "organization",
    "requester.tier": "tier",
}
CUSTOM: Final = "fields."
HOURS: Final = "hours."
OPEN, CLOSED = "open", "closed"
RANK_OF: Final = {priority.value: rank for priority, rank in RANKS.items()}
FIELDS: Final = (*PLAIN_FIELDS, "text", "priority", "group", "fields.<name>", "hours.<calendar>")
"""What a condition may ask. `text`: subject or body; `group`: where the ticket is already."""

OF_BODY: Final = frozenset({"body", "text"})
"""Fields that are known only while the ticket opens: the words of the message are not kept here."""

Test = Callable[["Question"], bool]


class Question:
    """One ticket at one moment, as the conditions see it. Text is folded once, however many rules look at it.

    Args:
        facts: of the ticket.
        rank: of its priority.
        at: the moment that `hours.<calendar>` asks about.
        group: where the ticket is already.
    """

    __slots__ = ("_folded", "at", "facts", "group", "rank")

    def __init__(
        self, facts: Facts, rank: int, at: datetime | None = None, group: str | None = None
    ) -> None:
        self.facts = facts
        self.rank = rank
        self.at = at
        self.group = group
        self._folded: dict[str, Any] = {}

    def value(self, attribute: str) -> Any:
        """An attribute of the facts, without regard to case, cut to what is looked at."""
        folded = self._folded
        if attribute not in folded:
            found = getattr(self.facts, attribute)
            if isinstance(found, str) and len(found) > TEXT_CHARACTERS_MAX:
                found = found[:TEXT_CHARACTERS_MAX]
            folded[attribute] = fold(found)
        return folded[attribute]

    def custom(self, name: str) -> Any:
        """A custom field."""
        key = CUSTOM + name
        if key not in self._folded:
            self._folded[key] = fold(self.facts.fields.get(name))
        return self._folded[key]


class Operator(msgspec.Struct, frozen=True):
    """How a value is compared, and what it must look like in the rule.

    `when_absent`: the answer when the ticket has no such field.
    """

    fault: Callable[[Any], str | None]
    holds: Callable[[Any, Any], bool]
    prepare: Callable[[Any], Any]
    when_absent: bool = False


def compile_condition(
    condition: Condition,
    calendars: Mapping[str, OpenAt],
    *,
    assume_body: bool | None = None,
    is_inverted: bool = False,
) -> Test:
    """The condition as a function.

    Args:
        condition: without faults.
        calendars: by id; one that is not known (any more) is never open.
        assume_body: for tickets whose message is not known any more: what conditions on it shall do to the whole,
            help it hold (True) or fail (False).
        is_inverted: under an odd number of `none`.
    """
    if condition.all or condition.any or condition.none:
        parts = condition.all or condition.any or condition.none
        tests = [
            compile_condition(
                part,
                calendars,
                assume_body=assume_body,
                is_inverted=is_inverted is not bool(condition.none),
            )
            for part in parts
        ]
        if condition.all:
            return lambda q: all(test(q) for test in tests)
        if condition.any:
            return lambda q: any(test(q) for test in tests)
        return lambda q: not any(test(q) for test in tests)
    if assume_body is not None and condition.field in OF_BODY:
        return _doubtful(condition, answer=assume_body is not is_inverted)
    return _compile_test(condition, calendars)


def asks_of(condition: Condition, fields: frozenset[str]) -> bool:
    """Whether it, or anything in it, asks one of these fields."""
    parts = (*condition.all, *condition.any, *condition.none)
    return condition.field in fields or any(asks_of(part, fields) for part in parts)


def _doubtful(condition: Condition, *, answer: bool) -> Test:
    """A condition on a message that is not known: as assumed, unless the subject decides it."""
    if condition.field == "body":
        return lambda _q: answer
    subject = _compile_test(Condition("subject", condition.op, condition.value), {})
    if OPERATORS[condition.op].when_absent:
        return lambda q: answer and subject(q)
    return lambda q: answer or subject(q)


def _compile_test(condition: Condition, calendars: Mapping[str, OpenAt]) -> Test:
    operator = OPERATORS[condition.op]
    holds, absent = operator.holds, operator.when_absent
    field = condition.field
    if field == "priority":
        ranked = map_ranks(condition.value)
        return lambda q: holds(q.rank, ranked)
    wanted = operator.prepare(condition.value)
    if field.startswith(HOURS):
        is_open = calendars.get(field.removeprefix(HOURS), _never)
        return lambda q: holds(OPEN if q.at is not None and is_open(q.at) else CLOSED, wanted)
    if field.startswith(CUSTOM):
        name = field.removeprefix(CUSTOM)
        return lambda q: _ask(q.custom(name), wanted, holds, absent=absent)
    if field == "group":
        return lambda q: _ask(q.group, wanted, holds, absent=absent)
    if field == "text":
        # Not in either, or in one of both.
        combine = all if absent else any
        return lambda q: combine(
            _ask(q.value(one), wanted, holds, absent=absent) for one in ("subject", "body")
        )
    attribute = PLAIN_FIELDS[field]
    return lambda q: _ask(q.value(attribute), wanted, holds, absent=absent)


def _never(_moment: datetime) -> bool:
    return False


def _ask(value: Any, wanted: Any, holds: Callable[[Any, Any], bool], *, absent: bool) -> bool:
    if value is None or value == ():
        return not wanted if holds is _exists else absent
    return holds(value, wanted)


def fold(value: Any) -> Any:
    """Text is compared without regard to case, here and in the rule."""
    if isinstance(value, str):
        return value.casefold()
    if isinstance(value, list | tuple):
        return tuple(fold(item) for item in value)
    return value


def map_ranks(value: Any) -> Any:
    """Words of priorities as ranks."""
    if isinstance(value, list | tuple):
        return tuple(map_ranks(item) for item in value)
    return RANK_OF.get(value, value) if isinstance(value, str) else value


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
