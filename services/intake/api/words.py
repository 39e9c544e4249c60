"""The words of the wire: types of fields with their limits, each checked while the bytes are read."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from msgspec import Meta

from services.intake.domain import limits
from shared.errors import Invalid
from shared.identifiers import is_slug

_NOT_BLANK = r"\S"
_ONE_LINE = r"^[^\r\n]*\S[^\r\n]*$"

Subject = Annotated[str, Meta(pattern=_ONE_LINE, max_length=limits.SUBJECT_CHARS_MAX)]
Body = Annotated[str, Meta(pattern=_NOT_BLANK, max_length=limits.BODY_BYTES_MAX)]
Summary = Annotated[str, Meta(pattern=_NOT_BLANK, max_length=limits.SUMMARY_CHARS_MAX)]
Reason = Annotated[str, Meta(pattern=_NOT_BLANK, max_length=limits.REASON_CHARS_MAX)]
SurveyComment = Annotated[str, Meta(pattern=_NOT_BLANK, max_length=limits.SURVEY_COMMENT_CHARS_MAX)]
Word = Annotated[str, Meta(pattern=_ONE_LINE, max_length=limits.WORD_CHARS_MAX)]
Name = Annotated[str, Meta(pattern=_ONE_LINE, max_length=limits.NAME_CHARS_MAX)]
Email = Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+$", max_length=limits.EMAIL_CHARS_MAX)]
Phone = Annotated[
    str,
    Meta(
        pattern=r"^\+[1-9][0-9 ()./-]{5,30}$",
        description="with its country's code, such as +49 30 123456",
    ),
]
Identity = Annotated[str, Meta(pattern=_ONE_LINE, max_length=limits.IDENTITY_CHARS_MAX)]
Language = Annotated[
    str, Meta(pattern=r"^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$", max_length=limits.LANGUAGE_CHARS_MAX)
]
Moment = Annotated[datetime, Meta(tz=True)]
Version = Annotated[int, Meta(ge=1)]

Tags = Annotated[tuple[Word, ...], Meta(max_length=limits.TAGS_MAX)]
Uploads = Annotated[
    tuple[UUID, ...],
    Meta(max_length=limits.FILES_MAX, description="ids of files sent ahead to /v1/attachments"),
]

_INTEGER_MAX: Final = 2**53 - 1
"""What every reader of JSON keeps exact (RFC 8259, section 6)."""

_SCALARS = [
    {"type": "string", "maxLength": limits.FIELD_TEXT_CHARS_MAX},
    {"type": "integer", "minimum": -_INTEGER_MAX, "maximum": _INTEGER_MAX},
    {"type": "number"},
    {"type": "boolean"},
    {"type": "null"},
]
_LIST = {"type": "array", "maxItems": limits.FIELD_LIST_MAX, "items": {"anyOf": _SCALARS}}
_FieldValue = Annotated[Any, Meta(extra_json_schema={"anyOf": [*_SCALARS, _LIST]})]

Fields = Annotated[dict[str, _FieldValue], Meta(max_length=limits.FIELDS_MAX)]
"""Custom fields: slug → scalar or list of scalars. `check_fields` says more than a decoder could: which one."""


def check_fields(fields: Mapping[str, Any]) -> None:
    """Raises Invalid naming the first field whose name or value is not one."""
    for name, value in fields.items():
        if not is_slug(name):
            raise Invalid.of(
                f"fields.{name[: limits.WORD_CHARS_MAX]}",
                "a field's name is lower-case letters, digits, `.`, `_`, `-`, at most 64",
            )
        if isinstance(value, list):
            if len(value) > limits.FIELD_LIST_MAX:
                raise Invalid.of(f"fields.{name}", f"has over {limits.FIELD_LIST_MAX} values")
            for place, item in enumerate(value):
                _check_scalar(item, f"fields.{name}[{place}]")
        else:
            _check_scalar(value, f"fields.{name}")


def _check_scalar(value: Any, field: str) -> None:
    match value:
        case str():
            if len(value) > limits.FIELD_TEXT_CHARS_MAX:
                raise Invalid.of(field, f"is over {limits.FIELD_TEXT_CHARS_MAX} characters long")
        case bool() | float() | None:
            pass
        case int():
            if abs(value) > _INTEGER_MAX:
                raise Invalid.of(field, "is beyond what JSON readers keep exact; send it as text")
        case _:
            raise Invalid.of(field, "expected text, a number, true, false, null or a list of these")
