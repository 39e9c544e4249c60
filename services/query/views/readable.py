"""Values of events as words within a sentence. Pure."""

from datetime import datetime
from typing import Any, Final

_HOUR_MINUTES: Final = 60


class Readable(dict[str, str]):
    """The facts of an event in words; one that an older event lacks is a dash."""

    def __init__(self, facts: dict[str, Any]) -> None:
        super().__init__(
            (name, _duration(value) if name.endswith("_seconds") else readable(value))
            for name, value in facts.items()
        )

    def __missing__(self, key: str) -> str:
        return "-"


def readable(value: Any) -> str:
    """A moment as `2026-03-02 09:00 UTC`, a list by commas, nothing as a dash."""
    if value is None or value == "":
        return "-"
    if isinstance(value, str) and value[10:11] == "T":
        try:
            return f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M} UTC"
        except ValueError:
            return value
    if isinstance(value, list | tuple):
        return ", ".join(map(readable, value))
    return str(value)


def in_words(words: dict[str, str], code: Any) -> str:
    """The words for a code; one of a later version says its own name in plain letters."""
    return words.get(code) or readable(code).replace("_", " ")


def _duration(value: Any) -> str:
    if not isinstance(value, int | float):
        return "-"
    minutes = round(abs(value) / _HOUR_MINUTES)
    hours, rest = divmod(minutes, _HOUR_MINUTES)
    text = f"{hours} h {rest} min" if hours else f"{minutes} min"
    return f"-{text}" if value < 0 else text
