"""Ordered rules that say what becomes of a ticket: where it goes, what it needs, how it is shared out. Pure."""

from services.routing.domain.rules.book import DEFAULT_RULE, RuleBook, Verdict
from services.routing.domain.rules.conditions import FIELDS, OPERATORS, Question
from services.routing.domain.rules.faults import (
    CONDITIONS_MAX,
    DEPTH_MAX,
    FAULTS_TOLD_MAX,
    RULES_MAX,
    Known,
    faults,
    skill_faults,
)

__all__ = [
    "CONDITIONS_MAX",
    "DEFAULT_RULE",
    "DEPTH_MAX",
    "FAULTS_TOLD_MAX",
    "FIELDS",
    "OPERATORS",
    "RULES_MAX",
    "Known",
    "Question",
    "RuleBook",
    "Verdict",
    "faults",
    "skill_faults",
]
