"""Content-Transfer-Encoding taken off, as far as the bytes allow."""

import binascii
import quopri
import re
from typing import Final

_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/=]+")
# A line of base64 that ended before the text did: programs encode pieces and put them one behind the other.
_PADDING_INSIDE: Final = re.compile(rb"=+(?=[A-Za-z0-9+/])")
_MORE_BEHIND_PADDING: Final = re.compile(rb"=[^A-Za-z0-9+/]*[A-Za-z0-9+/]")
_AS_IT_IS: Final = frozenset({"", "7bit", "8bit", "binary", "7-bit", "8-bit", "none"})


def unpacked(raw: bytes, encoding: str) -> tuple[bytes, str | None]:
    """The bytes that were packed, and what was wrong in one sentence, or None; never fails.

    Args:
        raw: the body of a part.
        encoding: the field's value as sent, such as `base64`.
    """
    name = encoding.partition(";")[0].strip().strip("\"'").lower()
    if name in _AS_IT_IS:
        return raw, None
    if name == "base64":
        return _base64(raw)
    if name == "quoted-printable":
        return quopri.decodestring(raw), None
    if name in {"x-uuencode", "uuencode", "x-uue", "uue"}:
        return _uuencoded(raw)
    return raw, f"unknown transfer encoding {name[:40]!r}; taken as it is"


def _base64(raw: bytes) -> tuple[bytes, str | None]:
    if _MORE_BEHIND_PADDING.search(raw) is None:
        try:
            return binascii.a2b_base64(raw), None
        except binascii.Error:
            return _mended_base64(raw)
    return _mended_base64(raw)


def _mended_base64(raw: bytes) -> tuple[bytes, str | None]:
    kept = _NOT_BASE64.sub(b"", raw)
    pieces = _PADDING_INSIDE.split(kept)
    defect = "base64 in several pieces" if len(pieces) > 1 else None
    out: list[bytes] = []
    for piece in pieces:
        body = piece.rstrip(b"=")
        if len(body) % 4 == 1:
            # One sign carries six bits: no byte.
            body = body[:-1]
            defect = "base64 is cut off"
        out.append(binascii.a2b_base64(body + b"=" * (-len(body) % 4)))
    return (out[0] if len(out) == 1 else b"".join(out)), defect


def _uuencoded(raw: bytes) -> tuple[bytes, str | None]:
    lines = iter(raw.splitlines())
    out: list[bytes] = []
    for line in lines:
        if line.startswith(b"begin "):
            break
    else:
        return raw, "uuencode without its first line; taken as it is"
    for line in lines:
        if line.strip() == b"end":
            return b"".join(out), None
        try:
            out.append(binascii.a2b_uu(line))
        except binascii.Error:
            # Known from old programs: the line says a length that its padding does not hold.
            wanted = (((line[0] - 32) & 63) * 4 + 5) // 3 if line else 0
            try:
                out.append(binascii.a2b_uu(line[:wanted]))
            except binascii.Error:
                return b"".join(out), "uuencode is broken"
    return b"".join(out), "uuencode is cut off"
