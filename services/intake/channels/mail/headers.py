"""Header fields as people meant them: encoded words, undeclared bytes, message ids, dates."""

import binascii
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_tz
from typing import Final

from services.intake.channels.mail.charsets import decode

VALUE_CHARS_MAX: Final = 64 * 1024
"""Longer values are cut: a field with a thousand addresses needs less."""

MESSAGE_IDS_MAX: Final = 200
"""Ids read from one field; a thread of that length is found by any of them."""

MESSAGE_ID_CHARS_MAX: Final = 998
"""RFC 5322, 2.1.1: no line, so no id, is longer."""

# RFC 2047, 2; real ones also hold spaces and a language (RFC 2231, 5), and lack the end of their base64.
_ENCODED_WORD: Final = re.compile(
    r"=\?(?P<charset>[^?\s*]{1,64})(?:\*[^?\s]{0,64})?\?(?P<how>[bBqQ])\?(?P<what>(?:[^?]|\?(?!=)){0,2000})\?="
)
_CONTROLS: Final = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")
_ESCAPE: Final = re.compile(rb"=([0-9A-Fa-f]{2})")
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/]")
_MESSAGE_ID: Final = re.compile(r"<\s*([^<>\s]{1,998})\s*>")


class Headers:
    """The fields of one header block, in order, asked for by name; values are raw until asked for.

    Args:
        fields: name and value; bytes over 127 as lone surrogates, as `email.feedparser` leaves them.
    """

    def __init__(self, fields: Iterable[tuple[str, str]]) -> None:
        self._fields: dict[str, list[str]] = {}
        for name, value in fields:
            self._fields.setdefault(name.strip().lower(), []).append(value[:VALUE_CHARS_MAX])
        self.likely_charset: str | None = None
        """What the bodies declare: undeclared bytes in the header are most often the same."""

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._fields

    def undecoded(self, name: str) -> str:
        """The first value with readable 8-bit text but encoded words left alone; "" if absent."""
        return next(self.all_undecoded(name), "")

    def all_undecoded(self, name: str) -> Iterator[str]:
        """Every value of the name, as `undecoded` gives the first."""
        for value in self._fields.get(name.lower(), ()):
            yield undeclared(value, self.likely_charset)

    def text(self, name: str) -> str:
        """The first value as people read it, on one line; "" if absent."""
        return decode_words(self.undecoded(name), self.likely_charset)

    def names(self) -> Iterable[str]:
        """Lower-case names, each once."""
        return self._fields.keys()


def undeclared(value: str, likely: str | None = None) -> str:
    """Bytes that a header may not hold, but does: as UTF-8, then as the bodies' charset, then guessed."""
    raw = value.encode("utf-8", "surrogateescape")
    return value if raw.isascii() else decode(raw, None, likely=likely)[0]


def decode_words(value: str, likely: str | None = None) -> str:
    """Encoded words (RFC 2047) in their text, in every way they are broken; on one line, without control characters.

    Space between two encoded words is no part of the text (6.2). Words that share a charset are read together,
    because senders cut characters in two.
    """
    said: list[str] = []
    waiting: list[bytes] = []
    charset: str | None = None
    end = 0

    def spoken() -> None:
        if waiting:
            said.append(decode(b"".join(waiting), charset, likely=likely)[0])
            waiting.clear()

    for word in _ENCODED_WORD.finditer(value):
        between = value[end : word.start()]
        end = word.end()
        if between.strip() or charset is None:
            spoken()
            said.append(between)
        if word["charset"].lower() != charset:
            spoken()
            charset = word["charset"].lower()
        waiting.append(_unpacked(word["how"], word["what"]))
    spoken()
    said.append(value[end:])
    return one_line("".join(said))


def one_line(text: str) -> str:
    """Runs of white space and control characters as one space each: no value can pretend to be two fields."""
    return _CONTROLS.sub(" ", text).strip()


def message_ids(value: str) -> list[str]:
    """The ids in a field such as References, without brackets, each once, in order.

    Fields without any bracket are read as words: some programs forget them. Others take a long id for a word and
    encode it.
    """
    if "=?" in value:
        value = decode_words(value)
    found = _MESSAGE_ID.findall(value)
    if not found and "<" not in value:
        found = [word for word in re.split(r"[\s,;]+", value) if "@" in word]
    ids = dict.fromkeys(one_line(one)[:MESSAGE_ID_CHARS_MAX] for one in found)
    return [one for one in ids if one][:MESSAGE_IDS_MAX]


def moment(value: str) -> datetime | None:
    """A Date field in UTC; None when it cannot be read or names no real moment.

    Without a zone, or with `-0000`, it is taken as UTC (RFC 5322, 3.3).
    """
    if not value.isascii() or len(value) > 200:  # noqa: PLR2004 - no date is that long
        return None
    try:
        return _moment(one_line(value))
    except (ValueError, OverflowError, IndexError, TypeError):
        # A date that is none: the day 45, the year 0, a zone of 99 hours, or a word the library trips over.
        return None


def _moment(value: str) -> datetime | None:
    parts = parsedate_tz(value)
    if parts is not None:
        seen = datetime(*parts[:6], tzinfo=UTC)
        offset_seconds = parts[9] or 0
        return datetime.fromtimestamp(seen.timestamp() - offset_seconds, UTC)
    read = datetime.fromisoformat(value)
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)


def _unpacked(how: str, what: str) -> bytes:
    raw = what.encode("utf-8", "surrogateescape")
    if how in "qQ":
        return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), raw.replace(b"_", b" "))
    kept = _NOT_BASE64.sub(b"", raw)
    # One sign left over carries six bits: no byte at all.
    kept = kept[: len(kept) - (len(kept) % 4 == 1)]
    return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4))
