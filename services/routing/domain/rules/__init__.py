"""Ordered rules that say what becomes of a ticket: where it goes, what it needs, how it is shared out. Pure."""

from services.routing.domain.rules.book import DEFAULT_RULE, RuleBook, Verdict
from services.routing.domain.rules.conditions import VOCABULARY, Question
from services.routing.domain.rules.faults import (
    FAULTS_TOLD_MAX,
    RULES_MAX,
    Known,
    faults,
    skill_faults,
)

__all__ = [
    "DEFAULT_RULE",
    "FAULTS_TOLD_MAX",
    "RULES_MAX",
    "VOCABULARY",
    "Known",
    "Question",
    "RuleBook",
    "Verdict",
    "faults",
    "skill_faults",
]
