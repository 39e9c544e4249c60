"""The one language of conditions on tickets: checked, made ready for asking, put into words. Pure."""

from shared.conditions.body import ConditionBody
from shared.conditions.compiling import OpenAt, Test, asks_of, compile_condition
from shared.conditions.faults import CONDITIONS_MAX, DEPTH_MAX, condition_faults
from shared.conditions.logic import Shape
from shared.conditions.operators import OPERATORS
from shared.conditions.question import CUSTOM, HOURS, TEXT_CHARACTERS_MAX, Question, Vocabulary
from shared.conditions.wording import describe

__all__ = [
    "CONDITIONS_MAX",
    "CUSTOM",
    "DEPTH_MAX",
    "HOURS",
    "OPERATORS",
    "TEXT_CHARACTERS_MAX",
    "ConditionBody",
    "OpenAt",
    "Question",
    "Shape",
    "Test",
    "Vocabulary",
    "asks_of",
    "compile_condition",
    "condition_faults",
    "describe",
]
