"""JSON answers that say how old they may be, and query parameters that PostgreSQL can take."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import Response
from pydantic import AfterValidator, BeforeValidator, StringConstraints

from services.query.parts import Parts
from shared.errors import Invalid

_ENCODER: Final = msgspec.json.Encoder()
_PARAMETER_CHARS_MAX: Final = 500
"""Longer than any name, id or sensible search; short enough to be harmless."""

_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2091, 1, 1, tzinfo=UTC)


def answer(parts: Parts, content: dict[str, Any], *, version: int | None = None) -> Response:
    """`content` with `as_of`; `version` becomes the ETag. Age and position are added by `KnownFirst`."""
    headers = {"Cache-Control": "private, no-store"}
    if version is not None:
        headers["ETag"] = f'"{version}"'
    body = _ENCODER.encode({"as_of": parts.lag.known.as_of, **content})
    return Response(body, media_type="application/json", headers=headers)


Bound = tuple[str, datetime | None]
"""A parameter's name and its moment, where it is given."""


def check_range(begin: Bound, end: Bound) -> None:
    """Of two bounds of a question, `begin` inclusive and `end` exclusive.

    Raises:
        Invalid: nothing can lie between them; an empty answer would look like one.
    """
    for name, at in (begin, end):
        if at is not None and not _FIRST <= at < _LAST:
            raise Invalid.of(
                f"query {name}",
                f"nothing can be there: give a moment from {_FIRST.year} to {_LAST.year - 1}",
            )
    if begin[1] is not None and end[1] is not None and begin[1] >= end[1]:
        raise Invalid.of(f"query {end[0]}", f"is not after {begin[0]}")


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain the NUL character")
    return text


def _split(values: Any) -> Any:
    """`a,b` and repeated parameters mean the same."""
    if isinstance(values, str):
        values = [values]
    if isinstance(values, list):
        return [part for value in values for part in str(value).split(",") if part]
    return values


Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=_PARAMETER_CHARS_MAX),
    AfterValidator(_without_nul),
]
Several = BeforeValidator(_split)
