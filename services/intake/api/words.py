"""The words of the wire: types of fields with their limits, each checked while the bytes are read."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from services.intake.domain import limits

_NOT_BLANK = r"\S"
_ONE_LINE = r"^[^\r\n]*\S[^\r\n]*$"
_SLUG = r"^[a-z0-9][a-z0-9._-]{0,63}$"

Subject = Annotated[str, Meta(pattern=_ONE_LINE, max_length=limits.SUBJECT_CHARS_MAX)]
Body = Annotated[str, Meta(pattern=_NOT_BLANK, max_length=limits.BODY_BYTES_MAX)]
Summary = Annotated[str, Meta(pattern=_NOT_BLANK, max_length=limits.SUMMARY_CHARS_MAX)]
Reason = Annotated[str, Meta(pattern=_NOT_BLANK, max_length=limits.REASON_CHARS_MAX)]
Word = Annotated[str, Meta(pattern=_ONE_LINE, max_length=limits.WORD_CHARS_MAX)]
Name = Annotated[str, Meta(pattern=_ONE_LINE, max_length=limits.NAME_CHARS_MAX)]
Email = Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+$", max_length=limits.EMAIL_CHARS_MAX)]
Identity = Annotated[str, Meta(pattern=_ONE_LINE, max_length=limits.IDENTITY_CHARS_MAX)]
Language = Annotated[
    str, Meta(pattern=r"^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$", max_length=limits.LANGUAGE_CHARS_MAX)
]
Moment = Annotated[datetime, Meta(tz=True)]
Version = Annotated[int, Meta(ge=1)]

Tags = Annotated[tuple[Word, ...], Meta(max_length=limits.TAGS_MAX)]

_FieldText = Annotated[str, Meta(max_length=limits.FIELD_TEXT_CHARS_MAX)]
_Integer = Annotated[
    int, Meta(ge=-(2**53) + 1, le=2**53 - 1)
]  # what every reader of JSON keeps exact
_Scalar = _FieldText | _Integer | float | bool | None
FieldValue = _Scalar | Annotated[list[_Scalar], Meta(max_length=limits.FIELD_LIST_MAX)]
FieldName = Annotated[str, Meta(pattern=_SLUG)]
Fields = Annotated[dict[FieldName, FieldValue], Meta(max_length=limits.FIELDS_MAX)]
