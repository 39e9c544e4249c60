"""JSON in and out by msgspec: typed, fast, and every fault named with its field."""

import re
from collections.abc import Callable, Hashable, Mapping
from functools import cache
from typing import Any, Final, TypeVar, cast

import msgspec
from fastapi import Request, Response

from shared.errors import Invalid, Refused
from shared.http.limits import TooLarge, refuse_announced

__all__ = ["NotJson", "TooLarge", "WrongMediaType", "decode_json", "json_answer", "read_json"]

T = TypeVar("T")

DEPTH_MAX: Final = 32
"""Nested lists and objects in one body: custom fields need two; far below what encoders and PostgreSQL refuse."""

_ENCODER: Final = msgspec.json.Encoder()
_WHERE: Final = re.compile(r" - at `(?:key in )?\$?(.*?)`$", re.DOTALL)
_TYPES: Final = re.compile(r"`([a-z0-9]+(?: \| [a-z0-9]+)*)`")
_WORDS: Final = {
    "object": "an object",
    "array": "a list",
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
}
_NAMED: Final = re.compile(r"(?:missing required|contains unknown) field `([^`]*)`")


class NotJson(Refused):
    """The body is not JSON at all."""

    status = 400
    title = "Not JSON"


class WrongMediaType(Refused):
    """The body is of another kind than this address accepts."""

    status = 415
    title = "Unsupported media type"


async def read_json(request: Request, type: type[T]) -> T:  # noqa: A002
    """The request's body as `type`. The raw bytes stay available as `await request.body()`.

    Raises:
        Invalid: (422) fields are missing or malformed; each is named by its path.
        NotJson: (400) the bytes are not JSON.
        TooLarge: (413) more bytes than the address accepts.
        WrongMediaType: (415) the Content-Type says that it is something else.
    """
    require_media_type(request, _is_json, "application/json")
    refuse_announced(request.scope)
    return decode_json(await request.body(), type)


def decode_json(raw: bytes, type: type[T], *, path: str = "") -> T:  # noqa: A002
    """The same for bytes already in hand; `path` is put before the field names."""
    try:
        value: T = _decoder(cast("Hashable", type)).decode(raw)
        # Rare in honest bodies, so the search through the whole is paid only when the bytes suggest a find.
        if b"\\u0000" in raw or raw.count(b"[") + raw.count(b"{") > DEPTH_MAX:
            _inspect(msgspec.json.decode(raw), path, DEPTH_MAX)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), path) from None
    except RecursionError:
        raise Invalid.of(path or "body", f"nested deeper than {DEPTH_MAX} levels") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotJson(f"{path or 'body'}: {_in_words(error)}", field=path or "body") from None
    return value


def json_answer(
    value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """An `application/json` answer encoded by msgspec, past FastAPI's own encoder."""
    return Response(
        _ENCODER.encode(value),
        status_code=status,
        headers=None if headers is None else dict(headers),
        media_type="application/json",
    )


def require_media_type(request: Request, accepts: Callable[[str], bool], wanted: str) -> None:
    """Refuse what is declared as something else; an undeclared body is taken for what is wanted.

    Raises:
        WrongMediaType: the declared type is not accepted, or the body is compressed.
    """
    headers = request.headers
    declared = headers.get("content-type")
    if declared is not None:
        essence = declared.partition(";")[0].strip().lower()
        if essence and not accepts(essence):
            raise WrongMediaType(f"Expected {wanted}.", field="header Content-Type")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise WrongMediaType("Compressed bodies are not read.", field="header Content-Encoding")


def _is_json(essence: str) -> bool:
    return essence == "application/json" or essence.endswith("+json")


@cache  # bounded by the number of body types in the code
def _decoder(type_: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(cast("Any", type_))


def _invalid(message: str, path: str) -> Invalid:
    """From msgspec's "Expected `int`, got `str` - at `$.tags[2]`" to the field and the reason."""
    where = _WHERE.search(message)
    reason = message[: where.start()] if where else message
    field = where[1].lstrip(".") if where else ""
    if named := _NAMED.search(reason):
        field = f"{field}.{named[1]}" if field else named[1]
        reason = "is required" if "missing required" in reason else "is not a known field"
    return Invalid.of(_joined(path, field) or "body", _sentence(reason))


def _sentence(reason: str) -> str:
    """“Expected `object | null`, got `str`” becomes “must be an object or null, not text”."""
    if not reason.startswith("Expected "):
        return reason
    wanted, got, other = reason.removeprefix("Expected ").partition(", got ")
    # An `int` is a number, and a number that is no `int` has a fraction.
    other = "a fraction" if other == "`float`" else _in_types(other)
    return f"must be {_in_types(wanted.replace('int | float', 'float'))}{', not ' if got else ''}{other}"


def _in_types(text: str) -> str:
    return _TYPES.sub(
        lambda found: " or ".join(_WORDS.get(one, one) for one in found[1].split(" | ")), text
    )


def _joined(path: str, field: str) -> str:
    if not path or not field:
        return path or field
    return f"{path}{field}" if field.startswith("[") else f"{path}.{field}"


def _inspect(value: Any, path: str, depth: int) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise Invalid.of(path or "body", "holds a NUL character")
        return
    if not isinstance(value, dict | list):
        return
    if depth == 0:
        raise Invalid.of(path or "body", f"nested deeper than {DEPTH_MAX} levels")
    if isinstance(value, dict):
        for key, item in value.items():
            if "\0" in key:
                raise Invalid.of(path or "body", "a key holds a NUL character")
            _inspect(item, _joined(path, key), depth - 1)
    else:
        for index, item in enumerate(value):
            _inspect(item, f"{path}[{index}]", depth - 1)


def _in_words(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 (byte {error.start})"
    return str(error)
