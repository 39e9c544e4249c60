"""Which parts are the message and which are attached to it."""

import hashlib
import mimetypes
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from services.intake.channels.mail import html as markup
from services.intake.channels.mail import structure
from services.intake.channels.mail.charsets import decode
from services.intake.channels.mail.headers import message_ids, one_line
from services.intake.channels.mail.structure import Part

NAME_CHARS_MAX: Final = 255
"""No file system takes longer names."""

TEXT_CHARS_MAX: Final = 1_000_000
"""Characters of text and of HTML each; the whole message can be downloaded as it came."""

_TEXT_BYTES_MAX: Final = 4 * TEXT_CHARS_MAX
_TOO_LONG: Final = f"more than {TEXT_CHARS_MAX} characters of text; the rest is left out"

_NAMES: Final = {
    "message/rfc822": ".eml",
    "message/global": ".eml",
    "message/delivery-status": ".txt",
    "message/global-delivery-status": ".txt",
    "message/disposition-notification": ".txt",
    "text/calendar": ".ics",
    "text/plain": ".txt",
    "text/html": ".html",
    "text/rfc822-headers": ".txt",
    "application/ms-tnef": ".dat",
    "application/octet-stream": ".bin",
    "application/pgp-signature": ".asc",
    "application/pkcs7-signature": ".p7s",
    "application/x-pkcs7-signature": ".p7s",
    "image/jpg": ".jpg",
    "image/jpeg": ".jpg",
}
_READABLE: Final = frozenset({"text/plain", "text/html"})
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f<>:\"|?*\u202a-\u202e\u2066-\u2069]+")
_USUAL_PREAMBLE: Final = re.compile(
    rb"mime|multi-?part|\bmail (?:reader|client|program)", re.IGNORECASE
)


class Attachment(msgspec.Struct, frozen=True):
    """A file that came with a message.

    Attributes:
        name: without folders and control characters; made from the type when the sender gave none.
        content_type: as the sender declared it, which proves nothing.
        size: bytes, transfer encoding taken off.
        sha256: of these bytes, hexadecimal.
        inline: shown within the HTML body (RFC 2392), or a picture the sender placed between the words.
        content_id: the id the HTML body uses, without brackets; None if the part has none.
        content: the bytes; a contained message is exactly what was sent.
    """

    name: str
    content_type: str
    size: int
    sha256: str
    inline: bool
    content_id: str | None
    content: bytes


@dataclass(slots=True)
class Bodies:
    """What the parts say.

    Attributes:
        text: what a person reads, lines ended by a line feed; made from the HTML where there is no plain text.
            None: there are no words.
        html: as sent, not cleaned; several pieces in their order. None: there is none.
        text_is_from_html: no plain text was sent.
        attachments: every other part.
        defects: what was wrong, one sentence each.
    """

    text: str | None = None
    html: str | None = None
    text_is_from_html: bool = False
    attachments: list[Attachment] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Piece:
    """One stretch of the message: the same words as plain text, as HTML, or as both."""

    text: str | None = None
    html: str | None = None


def declared_charset(root: Part) -> str | None:
    """The first charset that a readable part declares."""
    return next(
        (
            part.parameters["charset"]
            for part in _leaves(root)
            if part.kind == "text" and part.parameters.get("charset")
        ),
        None,
    )


def read(root: Part) -> Bodies:
    """Sort all parts into the message's words and its attachments; no part is left out, and it never fails."""
    bodies = Bodies()
    attached: list[Part] = []
    pieces = _pieces(root, bodies, attached)
    said = [piece for piece in pieces if (piece.text or "").strip() or (piece.html or "").strip()]
    html = "\n".join(piece.html for piece in said if piece.html is not None)
    if any(piece.html is not None for piece in said):
        bodies.html = _limited(html, bodies)
    texts = [words for words in map(_words, said) if words.strip()]
    if texts:
        bodies.text = _limited("\n".join(texts), bodies)
        bodies.text_is_from_html = all(not (piece.text or "").strip() for piece in said)
    elif bodies.html is None:
        bodies.text = _stray_words(root, bodies)
    shown = markup.content_ids(html)
    bodies.attachments = [_attachment(part, at, shown) for at, part in enumerate(attached, 1)]
    return bodies


def _pieces(part: Part, bodies: Bodies, attached: list[Part]) -> list[_Piece]:
    if part.children:
        below = [_pieces(child, bodies, attached) for child in _ordered(part)]
        if part.content_type == "multipart/alternative":
            return _alternative(below)
        return [piece for pieces in below for piece in pieces]
    if part.kind == "multipart":
        # Its parts could not be told apart: the words are in there.
        return [_Piece(text=_decoded(part, bodies))] if part.content.strip() else []
    if not _is_readable(part):
        attached.append(part)
        return []
    words = _decoded(part, bodies)
    return [_Piece(html=words)] if part.content_type == "text/html" else [_Piece(text=words)]


def _ordered(part: Part) -> list[Part]:
    """Parts as read. In `multipart/related` the root may be named (RFC 2387, 3.2) and then comes first."""
    start = part.parameters.get("start", "").strip("<> ")
    if part.content_type != "multipart/related" or not start:
        return part.children
    return sorted(part.children, key=lambda child: _content_id(child) != start)


def _alternative(below: list[list[_Piece]]) -> list[_Piece]:
    """The same words several times: all that is plain of the first plain one, all HTML of the last HTML one."""
    plain = next((p for p in below if any((one.text or "").strip() for one in p)), None)
    rich = next((p for p in reversed(below) if any((one.html or "").strip() for one in p)), None)
    if plain is None or rich is None or plain is rich:
        return plain or rich or [piece for pieces in below[:1] for piece in pieces]
    text = "\n".join(one.text for one in plain if one.text is not None)
    html = "\n".join(one.html for one in rich if one.html is not None)
    return [_Piece(text=text, html=html)]


def _words(piece: _Piece) -> str:
    if piece.text is not None and piece.text.strip():
        return piece.text
    return markup.to_text(piece.html or "")


def _is_readable(part: Part) -> bool:
    if part.content_type not in _READABLE or part.disposition == "attachment":
        return False
    return not _declared_name(part)


def _decoded(part: Part, bodies: Bodies) -> str:
    content = part.content
    if len(content) > _TEXT_BYTES_MAX:
        # No character has more than four bytes; cut between lines, so that none is cut in two.
        content = content[: content.rfind(b"\n", 1, _TEXT_BYTES_MAX) + 1 or _TEXT_BYTES_MAX]
        bodies.defects.append(_TOO_LONG)
    text, defect = decode(content, part.parameters.get("charset"))
    if defect is not None and defect not in bodies.defects:
        bodies.defects.append(defect)
    # PostgreSQL's text holds no NUL.
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "\ufffd")


def _limited(text: str, bodies: Bodies) -> str:
    if len(text) <= TEXT_CHARS_MAX:
        return text
    bodies.defects.append(_TOO_LONG)
    return text[:TEXT_CHARS_MAX]


def _stray_words(root: Part, bodies: Bodies) -> str | None:
    """What stands before the first part, when nothing else says anything; programs put words there by mistake."""
    said = root.preamble.strip()
    if not said or _USUAL_PREAMBLE.search(said):
        return None
    bodies.defects.append("the only words stand before the first part")
    text, _ = decode(said, None)
    return text.replace("\r\n", "\n").replace("\x00", "\ufffd")[:TEXT_CHARS_MAX]


def _attachment(part: Part, number: int, shown: frozenset[str]) -> Attachment:
    content_id = _content_id(part)
    in_html = content_id is not None and content_id.lower() in shown
    placed = part.disposition == "inline" and part.kind == "image"
    return Attachment(
        name=_name(part, number),
        content_type=part.content_type,
        size=len(part.content),
        sha256=hashlib.sha256(part.content).hexdigest(),
        inline=in_html or placed,
        content_id=content_id,
        content=part.content,
    )


def _content_id(part: Part) -> str | None:
    value = part.headers.undecoded("content-id")
    return next(iter(message_ids(value)), None) or one_line(value).strip("<>")[:998] or None


def _declared_name(part: Part) -> str:
    filename = part.disposition_parameters.get("filename", "")
    name = part.parameters.get("name", "") or part.parameters.get("filename", "")
    if filename.count("?") > name.count("?") and name and not name.isascii():
        # The sender's own lossy copy of a name that the other field holds whole.
        return name
    return filename or name


def _name(part: Part, number: int) -> str:
    declared = one_line(_declared_name(part)).replace("\\", "/")
    name = _UNSAFE.sub("_", posixpath.basename(declared.rstrip("/"))).strip(" .")
    if not name and part.content_type in {"message/rfc822", "message/global"}:
        subject = structure.header_block(part.content).text("subject")
        name = _UNSAFE.sub("_", subject.replace("/", "_").replace("\\", "_")).strip(" .")[:100]
        name = f"{name}.eml" if name else ""
    if not name:
        ending = _NAMES.get(part.content_type) or mimetypes.guess_extension(part.content_type)
        return f"attachment-{number}{ending or '.bin'}"
    if len(name) <= NAME_CHARS_MAX:
        return name
    stem, ending = posixpath.splitext(name)
    ending = ending[:20]
    return stem[: NAME_CHARS_MAX - len(ending)] + ending


def _leaves(part: Part) -> Iterator[Part]:
    if not part.children:
        yield part
    for child in part.children:
        yield from _leaves(child)
