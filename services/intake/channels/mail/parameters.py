"""Parameters of Content-Type and Content-Disposition: quoted, unquoted, continued, encoded, broken."""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from services.intake.channels.mail.charsets import decode
from services.intake.channels.mail.headers import decode_words, undeclared

PARAMETERS_MAX: Final = 200
"""A name of 998 characters continues over some 15; more than this is no honest field."""

_NAME: Final = re.compile(r"[^\s=;\"]{1,100}")
# RFC 2231, 3 and 4: name*, name*0, name*0*. Four digits: more pieces than PARAMETERS_MAX are not read anyway.
_PIECE: Final = re.compile(r"(?P<base>[^*]+)(?:\*(?P<number>[0-9]{1,4}))?(?P<encoded>\*)?")
_END_OF_ITEM: Final = re.compile(r"\s{0,100}(?:;|$)")
_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")


def field(value: str) -> tuple[str, dict[str, str]]:
    """A structured field's own value, lower-case, and its parameters by lower-case name; never fails.

    Encoded forms (RFC 2231, and RFC 2047 where it does not belong but stands) are decoded. Of a parameter given
    twice the first counts.
    """
    first, *rest = _split(value)
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for item in rest[:PARAMETERS_MAX]:
        name, equals, content = item.partition("=")
        name = name.strip().lower()
        if not equals or not _NAME.fullmatch(name):
            continue
        content = _unquoted(content.strip())
        found = _PIECE.fullmatch(name)
        if found is None or "*" not in name:
            plain.setdefault(name, content)
        else:
            number = int(found["number"] or 0)
            pieces.setdefault(found["base"], {}).setdefault(
                number, (content, found["encoded"] is not None)
            )
    values = {name: decode_words(undeclared(content)) for name, content in plain.items()}
    # The encoded form is the sender's better one (RFC 6266, 4.3 says so for the web).
    values.update({name: _joined(numbered) for name, numbered in pieces.items()})
    return first.strip().lower(), values


def media_type(value: str) -> str | None:
    """`type/subtype` in lower case if the text is one."""
    cleaned = value.strip().strip("\"'").lower()
    return cleaned if _TYPE.fullmatch(cleaned) else None


def _split(value: str) -> list[str]:
    """At semicolons that stand outside quotes; a quote that never ends is taken as a letter."""
    if ";" not in value:
        return [value]
    items: list[str] = []
    start = at = 0
    while at < len(value):
        sign = value[at]
        if sign == '"':
            end = _closing_quote(value, at)
            at = end if end is not None else at
        elif sign == ";":
            items.append(value[start:at])
            start = at + 1
            if len(items) > PARAMETERS_MAX:
                break
        at += 1
    items.append(value[start:])
    return items


def _closing_quote(value: str, start: int) -> int | None:
    at = start + 1
    while True:
        at = value.find('"', at)
        if at < 0:
            return None
        slashes = 0
        while slashes < at - start - 1 and value[at - slashes - 1] == "\\":
            slashes += 1
        # `"C:\"` ends there although the backslash says otherwise: only a semicolon or the end follows.
        if slashes % 2 == 0 or _END_OF_ITEM.match(value, at + 1):
            return at
        at += 1


def _unquoted(content: str) -> str:
    if not content.startswith('"'):
        return content
    end = _closing_quote(content, 0)
    # A backslash before anything but a quote or itself is a path on Windows, not an escape.
    return re.sub(r'\\(["\\])', r"\1", content[1:end])


def _joined(numbered: dict[int, tuple[str, bool]]) -> str:
    """The pieces in their order; `charset'language'` stands before the first encoded one."""
    charset: str | None = None
    raw = b""
    for at, (content, encoded) in enumerate(numbered[number] for number in sorted(numbered)):
        text = content
        if encoded and at == 0 and text.count("'") >= 2:  # noqa: PLR2004 - charset'language'text
            charset, _, text = text.split("'", 2)
        raw += (
            unquote_to_bytes(text.encode("utf-8", "surrogateescape"))
            if encoded
            else text.encode("utf-8", "surrogateescape")
        )
    text, _ = decode(raw, charset or None)
    return decode_words(text)
