"""JSON answers that say how old they may be, and query parameters that PostgreSQL can take."""

from typing import Annotated, Any, Final

import msgspec
from fastapi import Response
from pydantic import AfterValidator, BeforeValidator, StringConstraints

from services.query.parts import Parts

_ENCODER: Final = msgspec.json.Encoder()
_PARAMETER_CHARS_MAX: Final = 500
"""Longer than any name, id or sensible search; short enough to be harmless."""


def answer(parts: Parts, content: dict[str, Any], *, version: int | None = None) -> Response:
    """`content` with `as_of`, and headers `X-Freshness-Seconds` and `X-Position`; `version` becomes the ETag."""
    fresh = parts.lag.known
    seconds = fresh.seconds()
    headers = {"Cache-Control": "private, no-store", "X-Position": str(fresh.position)}
    headers["X-Freshness-Seconds"] = "unknown" if seconds is None else f"{seconds:.3f}"
    if version is not None:
        headers["ETag"] = f'"{version}"'
    body = _ENCODER.encode({"as_of": fresh.as_of, **content})
    return Response(body, media_type="application/json", headers=headers)


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
