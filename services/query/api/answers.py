"""JSON answers that say how old they may be, and query parameters that PostgreSQL can take."""

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import Response
from pydantic import AfterValidator, BeforeValidator, StringConstraints

from services.query.parts import Parts
from shared.errors import Invalid

_ENCODER: Final = msgspec.json.Encoder()
_PARAMETER_CHARS_MAX: Final = 500
"""Longer than any name, id or sensible search; short enough to be harmless."""


def answer(parts: Parts, content: dict[str, Any], *, version: int | None = None) -> Response:
    """`content` with `as_of`; `version` becomes the ETag. Age and position are added by `KnownFirst`."""
    headers = {"Cache-Control": "private, no-store"}
    if version is not None:
        headers["ETag"] = f'"{version}"'
    body = _ENCODER.encode({"as_of": parts.lag.known.as_of, **content})
    return Response(body, media_type="application/json", headers=headers)


def check_range(end_name: str, begin: datetime | None, end: datetime | None) -> None:
    """Of two bounds of a question, `begin` inclusive and `end` exclusive.

    Raises:
        Invalid: nothing can lie between them.
    """
    if begin is not None and end is not None and begin >= end:
        raise Invalid.of(f"query {end_name}", "is not after the beginning of the range")


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
