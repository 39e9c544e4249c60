"""What the calendar and the engine refuse, in the words of the whole product; and moments that need a zone."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.calendar import FieldError as Wrong
from shared.errors import FieldError, Invalid


def refused(errors: Iterable[Wrong], *, at: str = "") -> Invalid:
    """The refusal that names these fields; `at` is their place in the question."""
    found = [FieldError(_joined(at, each.field), each.message) for each in errors]
    return Invalid("; ".join(f"{each.field}: {each.message}" for each in found), errors=found)


def aware(moment: datetime, field: str) -> datetime:
    """The moment in UTC.

    Raises:
        Invalid: it has no time zone, or lies at the very edge of the dates there are.
    """
    if moment.tzinfo is None:
        raise Invalid.of(field, "needs a time zone, 2026-01-31T09:00:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise Invalid.of(field, "is no date in UTC") from error


def decoded(raw: bytes, field: str) -> Any:
    """A part of a question that was left unread so far.

    Raises:
        Invalid: it is not JSON after all, such as text that is not UTF-8.
    """
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid.of(field, f"is not JSON: {error}") from error


def _joined(at: str, field: str) -> str:
    if not at or not field:
        return at or field
    return f"{at}{field}" if field.startswith("[") else f"{at}.{field}"
