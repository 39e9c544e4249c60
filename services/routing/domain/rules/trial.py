"""A rule set on trial: what would it make of a ticket, and what is that different from the rules in force. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from services.routing.domain.rules.book import RuleBook, Verdict
from services.routing.domain.rules.conditions import Question
from services.routing.domain.ticket import RANKS, Facts
from shared.events.base import Priority

_NO_RULE = Verdict(())


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One ticket as it came.

    Attributes:
        id: how the answer names it.
        at: when it came, for conditions on business hours.
        is_body_known: whether `facts.body` is the message; else conditions on it may go either way.
    """

    id: str
    facts: Facts
    priority: Priority
    at: datetime
    group: str | None = None
    is_body_known: bool = True


class Ruled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a rule set makes of a ticket. `rules` empty: none takes it, and it waits without a group."""

    rules: tuple[str, ...]
    group: str | None = None
    skills: Mapping[str, int] = {}
    optional_skills: Mapping[str, int] = {}
    priority: Priority
    tags: tuple[str, ...] = ()
    strategy: str | None = None


class RuledChange(msgspec.Struct, frozen=True):
    """Something that the new rules say otherwise."""

    what: str
    before: Any
    after: Any


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One ticket under both rule sets.

    Attributes:
        outcome: under the rules on trial.
        changes: against the rules in force; empty when nothing changes for the ticket (another rule with the same
            results is no change).
        doubt: why `outcome` may be another one: the message is not known; None when it does not matter.
    """

    id: str
    outcome: Ruled
    before: Ruled
    changes: list[RuledChange]
    doubt: str | None = None


def question_of(sample: Sample) -> Question:
    """The ticket as the conditions see it."""
    return Question(sample.facts, RANKS[sample.priority], sample.at, sample.group)


def try_rules(current: RuleBook, wanted: RuleBook, sample: Sample) -> Tried:
    """What becomes of the ticket under the wanted rules and under the current ones."""
    question = question_of(sample)
    after, doubt = _judged(wanted, question, is_body_known=sample.is_body_known)
    before, doubt_before = _judged(current, question, is_body_known=sample.is_body_known)
    told, was = _outcome(sample, after), _outcome(sample, before)
    doubts = [
        f"{which} {text}" for which, text in (("new:", doubt), ("now:", doubt_before)) if text
    ]
    return Tried(
        id=sample.id,
        outcome=told,
        before=was,
        changes=[
            RuledChange(what, getattr(was, what), getattr(told, what))
            for what in Ruled.__struct_fields__
            if what != "rules" and getattr(was, what) != getattr(told, what)
        ],
        doubt="; ".join(doubts) or None,
    )


def _judged(
    book: RuleBook, question: Question, *, is_body_known: bool
) -> tuple[Verdict | None, str | None]:
    if is_body_known:
        return book.match(question), None
    verdict, otherwise = book.match_without_body(question)
    if verdict == otherwise:
        return verdict, None
    # Without the words a condition on them is taken not to hold: most tickets do not hold any given word.
    either = verdict.name if verdict else "no rule"
    other = otherwise.name if otherwise else "no rule"
    return otherwise, f"{other}, or {either} if its message says so (messages are not kept here)"


def _outcome(sample: Sample, verdict: Verdict | None) -> Ruled:
    found = verdict or _NO_RULE
    added = [tag for tag in found.tags if tag not in sample.facts.tags]
    return Ruled(
        rules=found.rules,
        group=found.group if found.group is not None else sample.group,
        skills=dict(found.skills),
        optional_skills=dict(found.optional_skills),
        priority=found.priority or sample.priority,
        tags=(*sample.facts.tags, *added),
        strategy=found.strategy.value if found.strategy else None,
    )
