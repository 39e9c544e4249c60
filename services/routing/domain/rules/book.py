"""A rule set made ready for asking, and what it says of a ticket."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

import msgspec

from services.routing.domain.rules.conditions import BODY, OF_BODY, VOCABULARY, Question
from shared.conditions import OpenAt, Test, asks_of, compile_condition
from shared.events.agents import RoutingRule, RuleMode, Strategy
from shared.events.base import Priority

Asked = tuple[RoutingRule, list[Test]]

DEFAULT_RULE: Final = "default"
"""The rule made from `default_group`: last, without conditions, so it takes whatever no other rule took."""

RULES_NAMED_MAX: Final = 10
"""So many of the rules that acted are named in an event; who wants all of them asks for a dry run."""


class Verdict(msgspec.Struct, frozen=True):
    """What the rules make of a ticket; what none of them names stays as it is.

    Attributes:
        rules: the ids of those that set something, in order; one under mode `first`.
        skills: name → least level; under mode `all` the highest that any rule asks. `optional_skills`: the same of
            those that are only liked.
        tags: to add, in order.
    """

    rules: tuple[str, ...]
    group: str | None = None
    skills: Mapping[str, int] = {}
    priority: Priority | None = None
    tags: tuple[str, ...] = ()
    strategy: Strategy | None = None
    optional_skills: Mapping[str, int] = {}

    @property
    def name(self) -> str:
        """The rules as events name them: `vip`, or `vip+german` under mode `all`."""
        more = "+…" if len(self.rules) > RULES_NAMED_MAX else ""
        return "+".join(self.rules[:RULES_NAMED_MAX]) + more


class RuleBook:
    """A rule set made ready for asking.

    Args:
        rules: in order, without faults.
        version: of the rule set's stream; told with every decision.
        mode: the first that matches, or all that do.
        calendars: whether a calendar is open at a moment, by id (`hours.<calendar>`).
    """

    def __init__(
        self,
        rules: Sequence[RoutingRule] = (),
        version: int = 0,
        mode: RuleMode = RuleMode.FIRST,
        calendars: Mapping[str, OpenAt] | None = None,
    ) -> None:
        self.rules = tuple(rules)
        self.version = version
        self.mode = mode
        self.calendars = dict(calendars or {})
        self._compiled = self._compile()
        self._doubtful = {
            rule.id for rule in rules if any(asks_of(one, OF_BODY) for one in rule.when)
        }

    def with_calendars(self, calendars: Mapping[str, OpenAt]) -> "RuleBook":
        """The same rules with other calendars."""
        return RuleBook(self.rules, self.version, self.mode, calendars)

    def match(self, question: Question) -> Verdict | None:
        """What the rules say; None when none matches, or those that do have nothing to say."""
        return self._judge(self._compiled, question)

    def match_without_body(self, question: Question) -> tuple[Verdict | None, Verdict | None]:
        """The same of a ticket whose message is not known any more.

        Returns:
            What they say if every doubtful condition helped, and if every one failed; equal when it does not matter.
        """
        if not self._doubtful:
            verdict = self.match(question)
            return verdict, verdict
        helped, failed = self._without_body
        return self._judge(helped, question), self._judge(failed, question)

    def holding(
        self, question: Question, among: Collection[str], *, is_body_known: bool
    ) -> Iterator[str]:
        """Which of these rules' conditions hold, whatever the rules before them say; doubtful ones do not."""
        rules = self._compiled if is_body_known else self._without_body[1]
        chosen = [asked for asked in rules if asked[0].id in among]
        return (rule.id for rule in _matching(chosen, question))

    @cached_property
    def _without_body(self) -> tuple[list[Asked], list[Asked]]:
        return self._compile(assume_body=True), self._compile(assume_body=False)

    def _compile(self, *, assume_body: bool | None = None) -> list[Asked]:
        unknown = frozenset() if assume_body is None else BODY
        return [
            (
                rule,
                [
                    compile_condition(
                        one, VOCABULARY, self.calendars, unknown=unknown, assume=bool(assume_body)
                    )
                    for one in rule.when
                ],
            )
            for rule in self.rules
            if rule.is_enabled
        ]

    def _judge(self, rules: Sequence[Asked], question: Question) -> Verdict | None:
        matching = _matching(rules, question)
        if self.mode is RuleMode.FIRST:
            rule = next(matching, None)
            return None if rule is None else _alone(rule)
        return _together(matching)


def _matching(rules: Sequence[Asked], question: Question) -> Iterator[RoutingRule]:
    for rule, tests in rules:
        for test in tests:
            if not test(question):
                break
        else:
            yield rule


def _alone(rule: RoutingRule) -> Verdict:
    return Verdict(
        (rule.id,),
        rule.group,
        rule.skills,
        rule.priority,
        tuple(rule.tags),
        rule.strategy,
        rule.optional_skills,
    )


def _together(matching: Iterable[RoutingRule]) -> Verdict | None:
    acted: list[str] = []
    group = priority = strategy = None
    skills: dict[str, int] = {}
    liked: dict[str, int] = {}
    tags: dict[str, None] = {}
    for rule in matching:
        before = (group, priority, strategy, dict(skills), dict(liked), len(tags))
        group = group if group is not None else rule.group
        priority = priority if priority is not None else rule.priority
        strategy = strategy if strategy is not None else rule.strategy
        for skill, level in rule.skills.items():
            skills[skill] = max(level, skills.get(skill, 0))
        for skill, level in rule.optional_skills.items():
            liked[skill] = max(level, liked.get(skill, 0))
        tags.update(dict.fromkeys(rule.tags))
        if before != (group, priority, strategy, skills, liked, len(tags)):
            acted.append(rule.id)
    if not acted:
        return None
    return Verdict(tuple(acted), group, skills, priority, tuple(tags), strategy, liked)
