"""What may be kept, under which name, and how it may be shown. Pure."""

import posixpath
import re
from typing import Final
from urllib.parse import quote

from shared.events.messages import PICTURES

NAME_CHARS_MAX: Final = 255
"""No file system takes longer names."""

TYPE_CHARS_MAX: Final = 127
"""RFC 6838, 4.2: 127 for both halves together is more than any registered type has."""

REFUSED_ENDINGS: Final = frozenset(
    (  # noqa: SIM905  # a list of words
        "ade adp apk appx bat cab chm cmd com cpl dll dmg exe hta ins isp iso jar js jse lib lnk mde msc msi msix "
        "msp mst nsh pif ps1 scr sct shb sys vb vbe vbs vhd vxd wsc wsf wsh xll"
    ).split()
)
"""What Gmail does not deliver either: files that run when they are opened."""

HARMLESS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers with which a kept file is served: whatever is in it, no browser runs it or lends it to another site."""

PICTURE_HEAD_BYTES: Final = 12
_PICTURE_MARKS: Final = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}

_DANGEROUS: Final = re.compile(r"(?:html|xml|script|svg|xhtml|multipart|message/)", re.IGNORECASE)
_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f<>:\"|?*\u202a-\u202e\u2066-\u2069]+")


def clean_name(given: str) -> str:
    """A name without folders, control characters and signs that turn the reading direction."""
    name = posixpath.basename(given.replace("\\", "/").rstrip("/"))
    return _UNSAFE.sub("_", name).strip(" .")[:NAME_CHARS_MAX] or "file"


def clean_type(given: str | None) -> str:
    """The media type without parameters; `application/octet-stream` for what is none."""
    essence = (given or "").partition(";")[0].strip().lower()
    is_type = len(essence) <= TYPE_CHARS_MAX and _TYPE.fullmatch(essence)
    return essence if is_type else "application/octet-stream"


def refusal(name: str) -> str | None:
    """Why a file of this name is not kept by itself; None if it is."""
    ending = posixpath.splitext(name.lower().rstrip(". "))[1].removeprefix(".")
    return f"files of type .{ending} are not kept" if ending in REFUSED_ENDINGS else None


def served_type(content_type: str) -> str:
    """The type it is sent with: what a browser could run is bytes and nothing else."""
    return "application/octet-stream" if _DANGEROUS.search(content_type) else content_type


def picture_type(head: bytes) -> str | None:
    """Which picture without script begins with these `PICTURE_HEAD_BYTES`; None: none does."""
    if head[:4] == b"RIFF":
        return "image/webp" if head[8:12] == b"WEBP" else None
    if head[4:8] == b"ftyp":
        return "image/avif" if head[8:12] in {b"avif", b"avis"} else None
    return next((kind for mark, kind in _PICTURE_MARKS.items() if head.startswith(mark)), None)


def disposition(name: str, content_type: str, *, wants_inline: bool) -> str:
    """`Content-Disposition`: inline only for pictures without script; the name in both spellings (RFC 6266)."""
    how = "inline" if wants_inline and content_type in PICTURES else "attachment"
    plain = re.sub(r'[^\x20-\x7e]|["\\%]', "_", name)
    return f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
