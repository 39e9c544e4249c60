"""Regular expressions that are plain words, said in the words' own operators, which can be compared with each other."""

import re
from typing import Final

from shared.conditions.question import Vocabulary
from shared.events.conditions import Condition

_WORD: Final = re.compile(r"(?:[A-Za-z0-9 _@#%&,;:!\"'<>=/~-]|\\[^A-Za-z0-9\s])+", re.ASCII)
"""Characters that stand for themselves, or are escaped; other languages' letters may fold in ways of their own."""

_ESCAPED: Final = re.compile(r"\\(.)")


def plain(condition: Condition, vocabulary: Vocabulary) -> Condition:
    """The same condition; a pattern of free text that is a word, its beginning, or one of several words says so."""
    if condition.op == "matches" and condition.field in vocabulary.texts:
        return _of_words(condition)
    if not (condition.all or condition.any or condition.none):
        return condition
    return Condition(
        all=tuple(plain(one, vocabulary) for one in condition.all),
        any=tuple(plain(one, vocabulary) for one in condition.any),
        none=tuple(plain(one, vocabulary) for one in condition.none),
    )


def _of_words(condition: Condition) -> Condition:
    pattern = str(condition.value)
    is_start = pattern.startswith("^")
    words = _words(pattern.removeprefix("^"))
    if not words or (is_start and len(words) > 1):
        return condition
    if len(words) > 1:
        return Condition(condition.field, "contains_any", words)
    return Condition(condition.field, "starts_with" if is_start else "contains", words[0])


def _words(pattern: str) -> list[str]:
    """What a pattern of words asks for; nothing when it is more than that."""
    found, place = [], 0
    while word := _WORD.match(pattern, place):
        found.append(_ESCAPED.sub(r"\1", word.group()))
        place = word.end()
        if place == len(pattern):
            return found
        if pattern[place] != "|":
            return []
        place += 1
    return []
