"""Rules that never have their say although their conditions hold: found among tickets, where logic finds nothing."""

from collections import Counter
from typing import Final

import msgspec

from services.routing.domain.rules import RuleBook
from services.routing.domain.rules.book import DEFAULT_RULE
from services.routing.domain.rules.trial import Sample, question_of

NAMED_MAX: Final = 5
"""Rules that are named as those that were before it, the most frequent first."""


class Overshadowed(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that had nothing to say on any of the tickets, and would have had on some.

    Attributes:
        rule: which.
        held_count: tickets for which its conditions hold.
        by: the rules that decided these instead → how many.
        example: one of the tickets.
    """

    rule: str
    held_count: int
    by: dict[str, int]
    example: str


class Shadows:
    """Looks for them while tickets are judged. A rule that has spoken once is asked no more, so this costs little.

    Args:
        book: on trial.
    """

    def __init__(self, book: RuleBook) -> None:
        self._book = book
        self._silent = {rule.id for rule in book.rules if rule.is_enabled} - {DEFAULT_RULE}
        self._held: Counter[str] = Counter()
        self._by: dict[str, Counter[str]] = {}
        self._example: dict[str, str] = {}

    def look(self, sample: Sample, acted: tuple[str, ...]) -> None:
        """Note for which silent rules this ticket, which others decided, is one that they would have had."""
        self._silent.difference_update(acted)
        if not self._silent:
            return
        question, is_known = question_of(sample), sample.is_body_known
        for rule in self._book.holding(question, self._silent, is_body_known=is_known):
            self._held[rule] += 1
            self._by.setdefault(rule, Counter()).update(acted)
            self._example.setdefault(rule, sample.id)

    def told(self) -> list[Overshadowed]:
        """Those that have said nothing to the end, in the order of the rules."""
        return [
            Overshadowed(
                rule=rule.id,
                held_count=self._held[rule.id],
                by=dict(self._by[rule.id].most_common(NAMED_MAX)),
                example=self._example[rule.id],
            )
            for rule in self._book.rules
            if rule.id in self._silent and rule.id in self._by
        ]
