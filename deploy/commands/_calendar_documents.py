"""Calendar documents on the command line: read one, print one so that a person can go through it line by line."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from deploy.local.problems import CannotStart
from shared.calendar import InvalidCalendar, parse_calendar

_STDIN: Final = Path("-")


def read_bytes(file: Path) -> bytes:
    """All of a file; `-` is standard input.

    Raises:
        CannotStart: it cannot be read.
    """
    try:
        return sys.stdin.buffer.read() if file == _STDIN else file.read_bytes()
    except OSError as error:
        raise CannotStart(f"{file} cannot be read: {error.strerror}") from None


def read_document(file: Path) -> dict[str, Any]:
    """A calendar document that would be accepted as it is.

    Raises:
        CannotStart: it cannot be read, or would be refused.
    """
    try:
        document = json.loads(read_bytes(file))
        parse_calendar(document)
    except InvalidCalendar as error:
        raise CannotStart(f"{file}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise CannotStart(f"{file} is not JSON: {error}") from None
    assert isinstance(document, dict)  # the parser accepts nothing else
    return document


def print_document(document: Mapping[str, Any]) -> None:
    """Print it as JSON, one holiday or interval a line: approving is editing lines."""
    sys.stdout.write("\n".join(_lines(document)) + "\n")


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    yield "{"
    fields = list(document.items())
    for place, (name, value) in enumerate(fields):
        comma = "," if place < len(fields) - 1 else ""
        match value:
            case [*entries] if entries:
                yield f"  {_json(name)}: ["
                yield ",\n".join(f"    {_json(each)}" for each in entries)
                yield f"  ]{comma}"
            case {**parts} if parts:
                yield f"  {_json(name)}: {{"
                yield ",\n".join(f"    {_json(key)}: {_json(each)}" for key, each in parts.items())
                yield f"  }}{comma}"
            case _:
                yield f"  {_json(name)}: {_json(value)}{comma}"
    yield "}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
