"""What is wrong with a rule set: each fault with its path and the rule's name; a set with one is refused whole."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

import msgspec

from services.routing.domain.rules import conditions, logic
from services.routing.domain.rules.book import DEFAULT_RULE, describe
from services.routing.domain.rules.conditions import CUSTOM, FIELDS, HOURS, OPERATORS, PLAIN_FIELDS
from shared.errors import FieldError
from shared.events.agents import Condition, RoutingRule, RuleMode
from shared.events.base import Channel, Priority
from shared.identifiers import is_slug

RULES_MAX: Final = 500
"""Every new ticket is compared with every rule before the one that matches: 500 cost it a millisecond at most."""

CONDITIONS_MAX: Final = 50
"""In one rule, nested ones counted. More is a decision table that belongs into several rules."""

DEPTH_MAX: Final = 5
"""Deeper nesting nobody reads."""

TAGS_MAX: Final = 20
"""Tags that one rule adds."""

TAG_CHARACTERS_MAX: Final = 64
NOTE_CHARACTERS_MAX: Final = 500
VALUES_MAX: Final = 200
"""In one list; a longer one (of customers, say) belongs into a custom field of the ticket."""

VALUE_CHARACTERS_MAX: Final = 500
SKILL_LEVELS: Final = range(1, 6)
FAULTS_TOLD_MAX: Final = 50
"""Whoever has more faults than that mends these first."""

_CLOSED_WORDS: Final = {
    "channel": tuple(channel.value for channel in Channel),
    "priority": tuple(priority.value for priority in Priority),
}
_EXACT: Final = frozenset({"is", "is_not", "in", "not_in"})
_ORDER: Final = frozenset({"gte", "lte", "gt", "lt"})


class Known(msgspec.Struct, frozen=True):
    """What exists, so that a rule can only name that."""

    groups: Collection[str]
    skills: Collection[str]
    calendars: Collection[str] = ()


def faults(
    rules: Sequence[RoutingRule], known: Known, mode: RuleMode = RuleMode.FIRST
) -> Iterator[FieldError]:
    """Everything that is wrong with a rule set, each with its path; nothing when it can be used."""
    if len(rules) > RULES_MAX:
        yield FieldError("rules", f"at most {RULES_MAX} rules, got {len(rules)}")
        return
    is_faulty = False
    seen: set[str] = set()
    for number, rule in enumerate(rules):
        for fault in _rule_faults(rule, _path(number, rule), known, mode, seen):
            is_faulty = True
            yield FieldError(fault.field, f"rule {rule.id[:64]!r}: {fault.message}")
        seen.add(rule.id)
    if not is_faulty:  # the logic of rules asks for rules that can be read
        yield from _clashes(rules, mode)


def skill_faults(skills: dict[str, int], path: str) -> Iterator[FieldError]:
    """Names must be slugs, levels 1 to 5."""
    for name, level in skills.items():
        if not is_slug(name):
            yield FieldError(f"{path}.skills", f"{name[:64]!r} is no skill name")
        if level not in SKILL_LEVELS:
            yield FieldError(f"{path}.skills.{name[:64]}", "a level is 1 to 5")


def _path(number: int, rule: RoutingRule) -> str:
    return f"rules[{number}]" if rule.id != DEFAULT_RULE else "default_group"


def _rule_faults(
    rule: RoutingRule, path: str, known: Known, mode: RuleMode, seen: Collection[str]
) -> Iterator[FieldError]:
    if not is_slug(rule.id):
        yield FieldError(f"{path}.id", "must match [a-z0-9][a-z0-9._-]{0,63}")
    elif rule.id in seen:
        yield FieldError(f"{path}.id", f"{rule.id!r} is used twice")
    yield from _result_faults(rule, path, known, mode)
    count = sum(map(_count, rule.when))
    if count > CONDITIONS_MAX:
        yield FieldError(f"{path}.when", f"at most {CONDITIONS_MAX} conditions, got {count}")
        return
    for place, condition in enumerate(rule.when):
        yield from _condition_faults(condition, f"{path}.when[{place}]", known, depth=1)


def _result_faults(
    rule: RoutingRule, path: str, known: Known, mode: RuleMode
) -> Iterator[FieldError]:
    if rule.group is None and mode is RuleMode.FIRST:
        yield FieldError(f"{path}.group", "under mode first every rule names the group")
    if rule.group is not None and rule.group not in known.groups:
        field = path if rule.id == DEFAULT_RULE else f"{path}.group"
        yield FieldError(field, f"there is no group {rule.group[:64]!r}")
    if not (rule.group or rule.skills or rule.priority or rule.tags or rule.strategy):
        yield FieldError(path, "does nothing: no group, skills, priority, tags or strategy")
    yield from skill_faults(rule.skills, path)
    for fault in skill_faults(rule.optional_skills, path):
        yield FieldError(fault.field.replace(".skills", ".optional_skills", 1), fault.message)
    for name in rule.skills:
        if is_slug(name) and name not in known.skills:
            yield FieldError(f"{path}.skills.{name}", "no agent has this skill")
    if len(rule.tags) > TAGS_MAX:
        yield FieldError(f"{path}.tags", f"at most {TAGS_MAX}")
    for place, tag in enumerate(rule.tags):
        if not tag.strip() or len(tag) > TAG_CHARACTERS_MAX or not tag.isprintable():
            yield FieldError(
                f"{path}.tags[{place}]", f"1 to {TAG_CHARACTERS_MAX} printable characters"
            )
    if len(rule.note) > NOTE_CHARACTERS_MAX:
        yield FieldError(f"{path}.note", f"at most {NOTE_CHARACTERS_MAX} characters")


def _count(condition: Condition) -> int:
    """Conditions in it; nesting too deep is found elsewhere, and cut off here."""
    total, layer, depth = 0, [condition], 0
    while layer and depth <= DEPTH_MAX + 1:
        total += len(layer)
        layer = [part for one in layer for part in (*one.all, *one.any, *one.none)]
        depth += 1
    return total


def _condition_faults(
    condition: Condition, path: str, known: Known, *, depth: int
) -> Iterator[FieldError]:
    forms = [form for form in ("all", "any", "none") if getattr(condition, form)]
    is_test = bool(condition.field or condition.op)
    if len(forms) + is_test != 1:
        yield FieldError(path, "one of: field with op and value; all; any; none (each not empty)")
        return
    if is_test:
        yield from _test_faults(condition, path, known)
        return
    if depth == DEPTH_MAX:
        yield FieldError(path, f"nested at most {DEPTH_MAX} deep")
        return
    for place, part in enumerate(getattr(condition, forms[0])):
        yield from _condition_faults(part, f"{path}.{forms[0]}[{place}]", known, depth=depth + 1)


def _test_faults(condition: Condition, path: str, known: Known) -> Iterator[FieldError]:
    field, value = condition.field, condition.value
    if not _is_field(field):
        yield FieldError(
            f"{path}.field", f"unknown field {field[:64]!r}; one of {', '.join(FIELDS)}"
        )
        return
    operator = OPERATORS.get(condition.op)
    if operator is None:
        message = f"unknown operator {condition.op[:64]!r}; one of {', '.join(OPERATORS)}"
        yield FieldError(f"{path}.op", message)
        return
    fault = operator.fault(value) or _size_fault(value) or _word_fault(condition, known)
    if fault is not None:
        yield FieldError(f"{path}.value", fault)
    elif field.startswith(HOURS) and condition.op not in {"is", "is_not"}:
        yield FieldError(f"{path}.op", "hours are asked with is or is_not")
    elif field == "priority" and condition.op not in _EXACT | _ORDER:
        yield FieldError(f"{path}.op", "a priority is asked with is, in, gte, lte, gt or lt")
    elif field.startswith(HOURS) and field.removeprefix(HOURS) not in known.calendars:
        name = field.removeprefix(HOURS)[:64]
        yield FieldError(f"{path}.field", f"there is no calendar {name!r}")


def _is_field(field: str) -> bool:
    if field.startswith((CUSTOM, HOURS)):
        return bool(field.partition(".")[2])
    return field in {"priority", "group", "text"} or field in PLAIN_FIELDS


def _size_fault(value: object) -> str | None:
    values = value if isinstance(value, list | tuple) else [value]
    if len(values) > VALUES_MAX:
        return f"at most {VALUES_MAX} values"
    if any(isinstance(one, str) and len(one) > VALUE_CHARACTERS_MAX for one in values):
        return f"at most {VALUE_CHARACTERS_MAX} characters"
    return None


def _word_fault(condition: Condition, known: Known) -> str | None:
    words = _CLOSED_WORDS.get(condition.field)
    if condition.field.startswith(HOURS):
        words = (conditions.OPEN, conditions.CLOSED)
    if words is None and condition.field == "group":
        words = tuple(sorted(known.groups))
    if words is None or condition.op not in _EXACT | _ORDER:
        return None
    values = condition.value if isinstance(condition.value, list | tuple) else [condition.value]
    for value in values:
        if value not in words:
            return f"{str(value)[:64]!r} is none of {', '.join(words[:20])}"
    return None


def _clashes(rules: Sequence[RoutingRule], mode: RuleMode) -> Iterator[FieldError]:
    """Rules that can never hold, never be reached, or never have their say."""
    shapes = [(number, rule, logic.Shape(rule.when)) for number, rule in enumerate(rules)]
    earlier: list[tuple[RoutingRule, logic.Shape]] = []
    for number, rule, shape in shapes:
        if not rule.is_enabled:
            continue
        path = _path(number, rule)
        if (pair := shape.contradiction) is not None:
            message = f"can never hold: {describe(pair)}"
            yield FieldError(f"{path}.when", f"rule {rule.id!r}: {message}")
            continue
        for other, before in earlier:
            if shape.implies(before) and (clash := _clash(rule, other, mode)) is not None:
                yield FieldError(path, f"rule {rule.id!r}: {clash}")
                break
        earlier.append((rule, shape))


def _clash(rule: RoutingRule, other: RoutingRule, mode: RuleMode) -> str | None:
    """What is wrong with a rule when another before it holds whenever it does."""
    if mode is RuleMode.FIRST:
        return f"is never reached: rule {other.id!r} before it takes every ticket that it would"
    if rule.id == DEFAULT_RULE:
        return None
    for name in ("group", "priority", "strategy"):
        mine, theirs = getattr(rule, name), getattr(other, name)
        if mine is not None and theirs is not None and mine != theirs:
            return (
                f"contradicts rule {other.id!r} before it, which holds whenever this one does and has set {name}"
                f" to {theirs} (here {mine})"
            )
    return None
