"""Ordered rules that say to which group a ticket goes; the first that matches wins."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final

import msgspec

from services.routing.domain.ticket import RANKS, Facts
from shared.errors import FieldError
from shared.events.agents import Condition, RoutingRule
from shared.events.base import Channel, Priority
from shared.identifiers import is_slug

DEFAULT_RULE: Final = "default"
"""The rule made from `default_group`: last, without conditions, so it takes whatever no other rule took."""

RULES_MAX: Final = 500
"""Every new ticket is compared with every rule before the one that matches: 500 cost it about 100 µs."""

CONDITIONS_MAX: Final = 20
"""More in one rule is a decision table that belongs into several rules."""

SKILL_LEVELS: Final = range(1, 6)

Test = Callable[[Facts, int], bool]

_PLAIN_FIELDS: Final = {
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
}
_RANK_OF: Final = {priority.value: rank for priority, rank in RANKS.items()}
_CUSTOM_FIELD: Final = "fields."
_CLOSED_WORDS: Final = {
    "channel": tuple(channel.value for channel in Channel),
    "priority": tuple(priority.value for priority in Priority),
}

FIELDS: Final = (*_PLAIN_FIELDS, "priority", "fields.<name>")
"""What a condition may ask."""


class RuleBook:
    """A rule set made ready for asking.

    Args:
        rules: in order.
        version: of the rule set's stream; told with every decision.
    """

    def __init__(self, rules: Sequence[RoutingRule] = (), version: int = 0) -> None:
        self.rules = tuple(rules)
        self.version = version
        self._compiled = [
            (rule, [_compile(condition) for condition in rule.when]) for rule in self.rules
        ]

    def match(self, facts: Facts, rank: int) -> RoutingRule | None:
        """The first rule whose conditions all hold, or None. `rank`: of the priority."""
        for rule, tests in self._compiled:
            if all(test(facts, rank) for test in tests):
                return rule
        return None


def faults(rules: Sequence[RoutingRule], groups: Collection[str]) -> Iterator[FieldError]:
    """Everything that is wrong with a rule set, each with its path; nothing when it can be used."""
    if len(rules) > RULES_MAX:
        yield FieldError("rules", f"at most {RULES_MAX} rules, got {len(rules)}")
        return
    seen: set[str] = set()
    for number, rule in enumerate(rules):
        path = f"rules[{number}]"
        if not is_slug(rule.id):
            yield FieldError(f"{path}.id", "must match [a-z0-9][a-z0-9._-]{0,63}")
        elif rule.id in seen:
            yield FieldError(f"{path}.id", f"{rule.id!r} is used twice")
        seen.add(rule.id)
        if rule.group not in groups:
            yield FieldError(f"{path}.group", f"there is no group {rule.group!r}")
        yield from skill_faults(rule.skills, path)
        if len(rule.when) > CONDITIONS_MAX:
            yield FieldError(f"{path}.when", f"at most {CONDITIONS_MAX} conditions")
        for place, condition in enumerate(rule.when):
            yield from _condition_faults(condition, f"{path}.when[{place}]")


def skill_faults(skills: dict[str, int], path: str) -> Iterator[FieldError]:
    """Names must be slugs, levels 1 to 5."""
    for name, level in skills.items():
        if not is_slug(name):
            yield FieldError(f"{path}.skills", f"{name[:64]!r} is no skill name")
        if level not in SKILL_LEVELS:
            yield FieldError(f"{path}.skills.{name[:64]}", "a level is 1 to 5")


def _condition_faults(condition: Condition, path: str) -> Iterator[FieldError]:
    is_custom = condition.field.startswith(_CUSTOM_FIELD) and len(condition.field) > len(
        _CUSTOM_FIELD
    )
    if not (is_custom or condition.field == "priority" or condition.field in _PLAIN_FIELDS):
        yield FieldError(f"{path}.field", f"unknown field; one of {', '.join(FIELDS)}")
        return
    shape = _OPERATORS.get(condition.op)
    if shape is None:
        yield FieldError(f"{path}.op", f"unknown operator; one of {', '.join(_OPERATORS)}")
        return
    message = shape.fault(condition.value)
    if message is not None:
        yield FieldError(f"{path}.value", message)
        return
    words = _CLOSED_WORDS.get(condition.field)
    if words and condition.op in {"is", "is_not", "in", "not_in", "gte", "lte", "gt", "lt"}:
        values = condition.value if isinstance(condition.value, list | tuple) else [condition.value]
        for value in values:
            if value not in words:
                yield FieldError(f"{path}.value", f"one of {', '.join(words)}")
                return


class _Operator(msgspec.Struct, frozen=True):
    """How a value is compared, and what it must look like in the rule.

    `when_absent`: the answer when the ticket has no such field.
    """

    fault: Callable[[Any], str | None]
    holds: Callable[[Any, Any], bool]
    prepare: Callable[[Any], Any]
    when_absent: bool = False


def _compile(condition: Condition) -> Test:
    operator = _OPERATORS[condition.op]
    holds, absent = operator.holds, operator.when_absent
    if condition.field == "priority":
        ranked = _map_ranks(condition.value)
        return lambda _facts, rank: holds(rank, ranked)
    wanted = operator.prepare(condition.value)
    if condition.field.startswith(_CUSTOM_FIELD):
        name = condition.field.removeprefix(_CUSTOM_FIELD)
        return lambda facts, _rank: _ask(facts.fields.get(name), wanted, holds, absent=absent)
    attribute = _PLAIN_FIELDS[condition.field]
    return lambda facts, _rank: _ask(getattr(facts, attribute), wanted, holds, absent=absent)


def _ask(value: Any, wanted: Any, holds: Callable[[Any, Any], bool], *, absent: bool) -> bool:
    if value is None or value == ():
        return not wanted if holds is _exists else absent
    return holds(_fold(value), wanted)


def _fold(value: Any) -> Any:
    """Text is compared without regard to case, here and in the rule."""
    if isinstance(value, str):
        return value.casefold()
    if isinstance(value, list | tuple):
        return tuple(_fold(item) for item in value)
    return value


def _map_ranks(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_map_ranks(item) for item in value)
    return _RANK_OF.get(value, value) if isinstance(value, str) else value


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


def _starts(value: Any, wanted: Any) -> bool:
    return isinstance(value, str) and value.startswith(wanted)


def _comparable(value: Any, wanted: Any) -> bool:
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


def _order_fault(value: Any) -> str | None:
    is_fit = isinstance(value, str | int | float) and not isinstance(value, bool)
    return None if is_fit else "a number or text"


def _flag_fault(value: Any) -> str | None:
    return None if isinstance(value, bool) else "true or false"


_OPERATORS: Final = {
    "is": _Operator(_scalar_fault, _is, _fold),
    "is_not": _Operator(_scalar_fault, lambda v, w: not _is(v, w), _fold, when_absent=True),
    "in": _Operator(_list_fault, _is_in, _fold),
    "not_in": _Operator(_list_fault, lambda v, w: not _is_in(v, w), _fold, when_absent=True),
    "contains": _Operator(_text_fault, _contains, _fold),
    "not_contains": _Operator(
        _text_fault, lambda v, w: not _contains(v, w), _fold, when_absent=True
    ),
    "starts_with": _Operator(_text_fault, _starts, _fold),
    "gte": _Operator(_order_fault, lambda v, w: _comparable(v, w) and v >= w, _fold),
    "lte": _Operator(_order_fault, lambda v, w: _comparable(v, w) and v <= w, _fold),
    "gt": _Operator(_order_fault, lambda v, w: _comparable(v, w) and v > w, _fold),
    "lt": _Operator(_order_fault, lambda v, w: _comparable(v, w) and v < w, _fold),
    "exists": _Operator(_flag_fault, _exists, lambda value: value),
}
