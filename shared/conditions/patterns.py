"""Regular expressions for rules, by RE2: linear in the text whatever the pattern, so no rule can hold up the desk."""

from typing import Any, Final

import re2

PATTERN_CHARACTERS_MAX: Final = 500
"""More is a program, and nobody can say what it takes."""

_MEMORY_BYTES_MAX: Final = 2 * 1024 * 1024
"""For one compiled pattern; RE2 refuses what needs more (such as nested large repetitions)."""


def fault(value: Any) -> str | None:
    """What is wrong with a pattern; None when it can be used."""
    if not isinstance(value, str) or not value:
        return "a regular expression that is not empty"
    if len(value) > PATTERN_CHARACTERS_MAX:
        return f"at most {PATTERN_CHARACTERS_MAX} characters"
    try:
        prepare(value)
    except re2.error as error:
        message = error.args[0] if error.args else error
        text = message.decode(errors="replace") if isinstance(message, bytes) else str(message)
        return f"no regular expression of RE2: {text}"
    return None


def prepare(value: str) -> Any:
    """The pattern, compiled; without regard to case.

    Raises:
        re2.error: it is none, or needs too much memory.
    """
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = _MEMORY_BYTES_MAX
    return re2.compile(value, options)


def found(pattern: Any, text: str) -> bool:
    """Whether it matches anywhere in the text."""
    return pattern.search(text) is not None
