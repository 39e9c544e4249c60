"""What conditions may ask of a kind of ticket, and one ticket at one moment as they see it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

TEXT_CHARACTERS_MAX: Final = 65_536
"""So much of a message is looked at, from its beginning: what a person asks for stands there, and a pasted log of
megabytes must not hold up everybody else."""

CUSTOM: Final = "fields."
"""Before the name of a custom field."""

HOURS: Final = "hours."
"""Before the name of a calendar, which is `OPEN` or `CLOSED`."""

OPEN, CLOSED = "open", "closed"


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked, beside `fields.<name>` and `hours.<calendar>`.

    Attributes:
        fields: every name, combined ones too.
        closed: fields that always have one of few words.
        ordered: of those, the rank of each word; they can be compared.
        combined: a field that stands for several: one of them holds (for negative operators: each).
        single: other fields that have one value or none. `texts`: that hold free text. `lists`: several values.
    """

    fields: tuple[str, ...]
    closed: Mapping[str, tuple[str, ...]] = {}
    ordered: Mapping[str, Mapping[str, int]] = {}
    combined: Mapping[str, tuple[str, ...]] = {}
    single: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset({"tags"})

    @property
    def names(self) -> tuple[str, ...]:
        """Everything, for people."""
        return (*self.fields, f"{CUSTOM}<name>", f"{HOURS}<calendar>")

    def has(self, field: str) -> bool:
        """Whether there is such a field."""
        if field.startswith((CUSTOM, HOURS)):
            return bool(field.partition(".")[2])
        return field in self.fields

    def ranked(self, field: str, value: Any) -> Any:
        """Words of an ordered field as ranks; anything else as it is."""
        if isinstance(value, list | tuple):
            return tuple(self.ranked(field, item) for item in value)
        ranks = self.ordered[field]
        return ranks.get(value, value) if isinstance(value, str) else value


class Question:
    """One ticket at one moment. Text is folded once, however many conditions look at it.

    Args:
        at: the moment that `hours.<calendar>` asks about.
    """

    __slots__ = ("_folded", "at")

    def __init__(self, at: datetime | None = None) -> None:
        self.at = at
        self._folded: dict[str, Any] = {}

    def look(self, field: str) -> Any:
        """The value of a field as it is; of an ordered one its rank. Asked once."""
        raise NotImplementedError

    def value(self, field: str) -> Any:
        """The same without regard to case, cut to what is looked at."""
        folded = self._folded
        if field not in folded:
            found = self.look(field)
            if isinstance(found, str) and len(found) > TEXT_CHARACTERS_MAX:
                found = found[:TEXT_CHARACTERS_MAX]
            folded[field] = fold(found)
        return folded[field]


def fold(value: Any) -> Any:
    """Text is compared without regard to case, here and in the rule."""
    if isinstance(value, str):
        return value.casefold()
    if isinstance(value, list | tuple):
        return tuple(fold(item) for item in value)
    return value
