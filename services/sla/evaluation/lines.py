"""One line of NDJSON to one answer: whatever is wrong with a line stays with that line."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from services.sla.evaluation.calendars import CalendarQuestion
from services.sla.evaluation.timelines import TimelineQuestion
from shared.errors import Refused
from shared.http.bodies import decode_json
from shared.http.problems import problem_of

Q = TypeVar("Q", CalendarQuestion, TimelineQuestion)


def answer_line(
    raw: bytes, index: int, kind: type[Q], answer: Callable[[Q], dict[str, Any]]
) -> dict[str, Any]:
    """`{"id", "result"}`, or `{"id", "error"}` with a problem that names the field.

    Args:
        raw: the line.
        index: its place, from 0; told when the line could not be read, for it may have no id.
        kind: what the line asks.
        answer: answers it.
    """
    try:
        question = decode_json(raw, kind)
    except Refused as refusal:
        return refused_line(raw, index, refusal)
    try:
        return {"id": question.id, **answer(question)}
    except Refused as refusal:
        return {"id": question.id, "error": problem_of(refusal)}


def refused_line(raw: bytes, index: int, refusal: Refused) -> dict[str, Any]:
    """The answer to a line that could not be read, under its id where at least that can be read."""
    return {"id": _id_in(raw), "index": index, "error": problem_of(refusal)}


class _Named(msgspec.Struct):
    id: Any = None


_NAMES = msgspec.json.Decoder(_Named)


def _id_in(raw: bytes) -> Any:
    try:
        return _NAMES.decode(raw).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # not even an id: the line's index must do
