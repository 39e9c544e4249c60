"""What is wrong with a rule set: each fault with its path and the rule's name; a set with one is refused whole."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

import msgspec

from services.routing.domain.rules.book import DEFAULT_RULE
from services.routing.domain.rules.conditions import VOCABULARY
from shared.conditions import Shape, condition_faults, describe
from shared.errors import FieldError
from shared.events.agents import RoutingRule, RuleMode
from shared.identifiers import is_slug

RULES_MAX: Final = 500
"""Every new ticket is compared with every rule before the one that matches: 500 cost it a millisecond at most."""

TAGS_MAX: Final = 20
"""Tags that one rule adds."""

TAG_CHARACTERS_MAX: Final = 64
NOTE_CHARACTERS_MAX: Final = 500
SKILL_LEVELS: Final = range(1, 6)
FAULTS_TOLD_MAX: Final = 50
"""Whoever has more faults than that mends these first."""


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
    yield from condition_faults(
        rule.when,
        f"{path}.when",
        VOCABULARY,
        words={"group": sorted(known.groups)},
        calendars=known.calendars,
    )


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


def _clashes(rules: Sequence[RoutingRule], mode: RuleMode) -> Iterator[FieldError]:
    """Rules that can never hold, never be reached, or never have their say."""
    shapes = [(number, rule, Shape(rule.when, VOCABULARY)) for number, rule in enumerate(rules)]
    earlier: list[tuple[RoutingRule, Shape]] = []
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
