"""Tags, custom fields and the like as rows, so that lists find and order tickets by them: one row a value."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from services.query.facets import FIELD, TAG, VALUE_CHARS_MAX
from services.query.projections.tables import as_json, as_text

Row = tuple[UUID, str, str, float | None]
"""Ticket, name, value as text, and as number where it is one."""


def rows_of(
    ticket_id: UUID, own: Mapping[str, str | None], tags: Sequence[str], fields: Mapping[str, Any]
) -> Iterator[Row]:
    """The rows of one ticket, each value once. Values that are neither words, numbers nor lists of them have none."""
    for name, word in own.items():
        if word:
            yield ticket_id, name, as_text(word)[:VALUE_CHARS_MAX], None
    for tag in dict.fromkeys(tags):
        yield ticket_id, TAG, as_text(tag), None
    for name, value in fields.items():
        told = value if isinstance(value, list) else [value]
        for text, number in dict.fromkeys(filter(None, map(_compared, told))):
            yield ticket_id, as_text(FIELD + name), text, number


def _compared(value: Any) -> tuple[str, float | None] | None:
    match value:
        case str():
            return as_text(value)[:VALUE_CHARS_MAX], None
        case bool():
            return as_json(value), None
        case int() | float():
            return as_json(value), float(value)
        case _:
            return None
