"""Bytes to text: the declared charset where it is true, a guess where it is missing or false."""

import codecs
import re
from typing import Final

from charset_normalizer import from_bytes

GUESS_BYTES_MAX: Final = 8_192
"""How much is looked at to guess a charset: guessing costs milliseconds a kilobyte, and more text changes no guess."""

GUESS_BYTES_MIN: Final = 32
"""Shorter than this, every 8-bit charset looks plausible; windows-1252 is then right most often."""

# Labels as mail writes them, with the codec that reads what is really sent under them: WHATWG Encoding, §4.2, does the
# same (every `iso-8859-1` is read as windows-1252), and the East Asian supersets contain what the label promises.
_READ_AS: Final = {
    "ansi_x3.110-1983": "cp1252",
    "ascii": "cp1252",
    "big5": "big5hkscs",
    "cp932": "cp932",
    "euc-kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-8859-1": "cp1252",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-9": "cp1254",
    "iso8859-1": "cp1252",
    "ks_c_5601": "cp949",
    "ks_c_5601-1987": "cp949",
    "ksc5601": "cp949",
    "latin1": "cp1252",
    "macintosh": "mac-roman",
    "mac": "mac-roman",
    "shift-jis": "cp932",
    "shift_jis": "cp932",
    "sjis": "cp932",
    "tis-620": "cp874",
    "unicode-1-1-utf-7": "utf-7",
    "us-ascii": "cp1252",
    "utf8mb4": "utf-8",
    "windows-31j": "cp932",
    "windows-874": "cp874",
}

# Python calls these text encodings; none is a charset of mail, and punycode takes quadratic time on hostile input.
_NEVER: Final = frozenset(
    {"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape", "mbcs", "oem"}
)
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


def codec_for(label: str) -> str | None:
    """The codec that reads what is sent under this charset label, or None if there is none."""
    name = label.strip().strip("\"'").lower()
    name = _READ_AS.get(name) or _READ_AS.get(name.removeprefix("x-"), name)
    for candidate in (name, name.removeprefix("x-"), name.replace("cp-", "cp").replace("_", "-")):
        try:
            found = codecs.lookup(candidate)
            # Asks for a decoder of text; `zip`, `hex` and their like refuse. (Without a byte, nobody is asked.)
            b" ".decode(found.name, "ignore")
        except (LookupError, ValueError):
            # ValueError: a NUL or a non-ASCII character in the label.
            continue
        return None if found.name.replace("-", "_") in _NEVER else found.name
    return None


def decode(
    raw: bytes, declared: str | None, *, likely: str | None = None
) -> tuple[str, str | None]:
    """Read bytes as text; never fails.

    Args:
        raw: the bytes, transfer encoding already removed.
        declared: the charset label the sender gave, if any.
        likely: a charset the rest of the message uses; tried before guessing.

    Returns:
        The text, free of lone surrogates, and what was wrong in one sentence, or None.
    """
    codec = codec_for(declared) if declared else None
    if declared and codec is not None:
        return _as_declared(raw, declared, codec, likely)
    guessed, used = _guess(raw, likely)
    if declared:
        return guessed, f"unknown charset {declared[:40]!r}; read as {used}"
    return guessed, None if raw.isascii() else f"no charset declared for 8-bit text; read as {used}"


def _as_declared(
    raw: bytes, declared: str, codec: str, likely: str | None
) -> tuple[str, str | None]:
    text = _strictly(raw, codec)
    if codec == "cp1252" and not raw.isascii():
        # Western text is never valid UTF-8 by accident, and this label is many programs' default.
        as_utf8 = _strictly(raw, "utf-8")
        if as_utf8 is not None:
            return as_utf8, f"text is not {declared[:40]!r} as declared; read as utf-8"
    if text is not None:
        return text, None
    guessed, used = _guess(raw, likely)
    # Most of the text being right under the declared charset beats a guess.
    lenient = raw.decode(codec, "replace")
    if used != "utf-8" and lenient.count("\ufffd") * 50 < len(lenient):
        return _sound(lenient), f"some bytes are not {declared[:40]!r}"
    return guessed, f"text is not {declared[:40]!r} as declared; read as {used}"


def _guess(raw: bytes, likely: str | None) -> tuple[str, str]:
    utf8 = _strictly(raw, "utf-8")
    if utf8 is not None:
        return utf8, "utf-8"
    codec = codec_for(likely) if likely else None
    if codec is not None:
        text = _strictly(raw, codec)
        if text is not None:
            return text, codec
    if len(raw) >= GUESS_BYTES_MIN:
        best = from_bytes(_interesting(raw)).best()
        if best is not None and codec_for(best.encoding) is not None:
            return _sound(raw.decode(best.encoding, "replace")), best.encoding
    return _sound(raw.decode("cp1252", "replace")), "cp1252"


def _interesting(raw: bytes) -> bytes:
    """A stretch that begins just before the first byte that is not ASCII: the rest tells nothing."""
    if len(raw) <= GUESS_BYTES_MAX:
        return raw
    first = re.search(rb"[\x80-\xff]", raw)
    start = max(0, first.start() - 200) if first else 0
    return raw[start : start + GUESS_BYTES_MAX]


def _strictly(raw: bytes, codec: str) -> str | None:
    try:
        text = raw.decode("utf-8-sig" if codec == "utf-8" else codec)
    except UnicodeError:
        if codec != "cp1252":
            return None
        # Five bytes have no meaning in windows-1252; senders of `iso-8859-1` mean control characters by them.
        return raw.decode("latin-1") if _few_controls(raw) else None
    return _sound(text)


def _few_controls(raw: bytes) -> bool:
    return len(re.findall(rb"[\x81\x8d\x8f\x90\x9d]", raw)) * 20 <= len(raw)


def _sound(text: str) -> str:
    """Codecs such as utf-7 and utf-16 can make halves of characters; no JSON can hold them."""
    return _SURROGATES.sub("\ufffd", text)
