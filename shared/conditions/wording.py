"""Conditions in words."""

from collections.abc import Sequence

from shared.events.conditions import Condition


def describe(when: Sequence[Condition]) -> str:
    """Conditions in one line for people: `channel is email and any of (tags contains vip, priority gte high)`."""
    return " and ".join(map(_in_words, when)) or "always"


def _in_words(condition: Condition) -> str:
    for word, parts in (
        ("all of", condition.all),
        ("any of", condition.any),
        ("none of", condition.none),
    ):
        if parts:
            return f"{word} ({', '.join(map(_in_words, parts))})"
    value = condition.value
    told = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"{condition.field} {condition.op.replace('_', ' ')} {told}"
