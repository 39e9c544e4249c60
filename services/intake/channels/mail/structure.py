"""A raw message as a tree of parts, by their places in the bytes received.

The standard library's parser is not used here. It keeps every line as an object (37 times the size of a message of
short lines), follows the sender's nesting with Python's stack, ends a header at the first line that is no field, takes
contained messages apart (which then no longer have the bytes that were sent), and fails on a charset in RFC 2231 form.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from services.intake.channels.mail import parameters
from services.intake.channels.mail.headers import Headers
from services.intake.channels.mail.transfer import unpacked

DEPTH_MAX: Final = 30
"""Multiparts in multiparts; real mail has some five. Deeper ones are kept as they are."""

PARTS_MAX: Final = 1_000
"""Parts read; a digest of a busy list has some hundred."""

HEAD_BYTES_MAX: Final = 512 * 1024
"""How far a header is looked for; Postfix refuses a fifth of it."""

FIELDS_MAX: Final = 20_000
"""Fields kept of all headers together; a much travelled message has some hundred."""

BOUNDARY_CHARS_MAX: Final = 200
"""RFC 2046, 5.1.1 allows 70."""

_RECOVERIES_MAX: Final = 4

_FIELD: Final = re.compile(rb"[!-9;-~]{1,200}[ \t]*:")
_KNOWN_FIELD: Final = re.compile(
    rb"(?:subject|from|to|cc|date|message-id|mime-version|content-type|reply-to)[ \t]*:",
    re.IGNORECASE,
)
_BLANK_LINE: Final = re.compile(rb"(?:\r{0,2}\n|\r(?!\r?\n))[ \t]*(?:\r{0,2}\n|\r(?!\r?\n))")
_LINE: Final = re.compile(rb"[^\r\n]*(?:\r{0,2}\n|\r)|[^\r\n]+")
_LINE_END: Final = re.compile(rb"[ \t]*(?:\r{0,2}\n|\r|\Z)")
_BEGINNING: Final = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*")
_LIKELY_BOUNDARY: Final = re.compile(
    rb"^--([^\s-][^\r\n]{0,199}?|-{1,40}[^\s-][^\r\n]{0,159}?)[ \t]*\r?\n(?=content-[a-z-]{1,60}[ \t]*:)",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(slots=True)
class Part:
    """One node of the tree; a leaf has content, a multipart has children.

    Attributes:
        headers: its fields.
        content_type: `type/subtype` in lower case; RFC 2045, 5.2, where the sender gave none that can be read.
        parameters: of Content-Type, decoded.
        disposition: `attachment`, `inline`, another word, or "".
        disposition_parameters: decoded.
        children: the parts of a multipart, in order.
        content: transfer encoding taken off; of a multipart whose parts cannot be told apart, everything.
        preamble: what stands before the first part of a multipart.
    """

    headers: Headers
    content_type: str
    parameters: dict[str, str]
    disposition: str
    disposition_parameters: dict[str, str]
    children: list["Part"] = field(default_factory=list)
    content: bytes = b""
    preamble: bytes = b""

    @property
    def kind(self) -> str:
        """The main type, such as `text`."""
        return self.content_type.partition("/")[0]


def read(raw: bytes) -> tuple[Part, list[str]]:
    """The tree, and what was wrong with it, one sentence each; never fails."""
    reading = _Reading(raw)
    root = reading.part(0, len(raw), "text/plain", depth=0)
    return root, list(reading.defects)


def header_block(raw: bytes) -> Headers:
    """Only the fields at the beginning of a contained message or of a block of a report."""
    return _Reading(raw).head(0, len(raw))[0]


def blocks(raw: bytes) -> Iterator[Headers]:
    """The blocks of a delivery report (RFC 3464, 2.1): fields, separated by blank lines."""
    for count, block in enumerate(re.split(rb"(?:\r?\n[ \t]*){2,}", raw[:HEAD_BYTES_MAX])):
        if count >= PARTS_MAX:
            return
        if block.strip():
            yield header_block(block)


class _Reading:
    """One message while it is read: its bytes, what is left of the limits, what was wrong."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._parts_left = PARTS_MAX
        self._fields_left = FIELDS_MAX
        self._recoveries_left = _RECOVERIES_MAX
        self.defects: dict[str, None] = {}

    def part(self, start: int, end: int, default_type: str, *, depth: int) -> Part:
        """The part that lies between these places, header first."""
        headers, body = self.head(start, end)
        declared, found = parameters.field(headers.undecoded("content-type"))
        content_type = parameters.media_type(declared) or default_type
        disposition, disposition_parameters = parameters.field(
            headers.undecoded("content-disposition")
        )
        part = Part(headers, content_type, found, disposition, disposition_parameters)
        if part.kind != "multipart":
            encoding = headers.undecoded("content-transfer-encoding")
            part.content, defect = unpacked(self._raw[body:end], encoding)
            self._note(defect)
        elif depth >= DEPTH_MAX:
            self._note(
                f"more than {DEPTH_MAX} multiparts inside each other; the rest is kept whole"
            )
            part.content = self._raw[body:end]
        else:
            self._fill(part, body, end, depth)
        return part

    def head(self, start: int, end: int) -> tuple[Headers, int]:
        """The fields from `start` on, and where the body begins."""
        raw = self._raw
        beginning = _BEGINNING.match(raw, start, end)
        skipped = beginning.end() if beginning else start
        if start == 0 and skipped > 0 and _FIELD.match(raw, skipped, end):
            self._note("blank lines before the header")
            start = skipped
        at_once = _LINE_END.match(raw, start, end)
        if at_once and at_once.end() > start:
            return Headers(()), at_once.end()
        limit = min(end, start + HEAD_BYTES_MAX)
        blank = _BLANK_LINE.search(raw, start, limit)
        stop = blank.start() if blank else limit
        lines = _LINE.findall(raw, start, stop)
        count = self._count_of_header(lines)
        fields = _fields(lines[:count])
        if len(fields) > self._fields_left:
            self._note(f"more than {FIELDS_MAX} fields; the rest is left out")
        kept = fields[: self._fields_left]
        self._fields_left -= len(kept)
        if count < len(lines):
            self._note("no blank line between header and body")
            return Headers(kept), start + sum(map(len, lines[:count]))
        return Headers(kept), blank.end() if blank else stop

    def _count_of_header(self, lines: list[bytes]) -> int:
        """How many of these lines belong to the header: up to a line that is no field, unless known fields follow."""
        odd = [at for at, line in enumerate(lines) if not _belongs(line, at)]
        if not odd:
            return len(lines)
        known = (at for at in range(len(lines) - 1, odd[0], -1) if _KNOWN_FIELD.match(lines[at]))
        last_known = next(known, -1)
        if last_known > odd[0]:
            self._note("lines in the header that are no field")
        return next((at for at in odd if at > last_known), len(lines))

    def _fill(self, part: Part, body: int, end: int, depth: int) -> None:
        boundary = part.parameters.get("boundary", "").rstrip()[:BOUNDARY_CHARS_MAX]
        if boundary:
            self._split(part, boundary.encode("utf-8", "surrogateescape"), body, end, depth)
        if part.children:
            return
        self._note(
            "no part begins at the boundary that was declared"
            if boundary
            else "multipart without a boundary"
        )
        likely = _LIKELY_BOUNDARY.search(self._raw, body, end)
        if likely is not None and self._recoveries_left > 0:
            self._recoveries_left -= 1
            self._note("parts told apart by a boundary that was not declared")
            self._split(part, likely[1], body, end, depth)
        if not part.children:
            part.content = self._raw[body:end]

    def _split(self, part: Part, boundary: bytes, body: int, end: int, depth: int) -> None:
        default_type = "message/rfc822" if part.content_type == "multipart/digest" else "text/plain"
        begins: int | None = None
        closed = False
        for line_start, line_end, is_last in self._delimiters(boundary, body, end):
            if begins is None and not closed:
                part.preamble = self._raw[body : min(line_start, body + HEAD_BYTES_MAX)]
            elif begins is not None:
                last = self._before_break(begins, line_start)
                part.children.append(self._child(begins, last, default_type, depth))
            if self._parts_left <= 0:
                self._note(f"more than {PARTS_MAX} parts; the rest is left out")
                return
            if closed and not is_last:
                # Some programs use one boundary for two multiparts, and the inner end closes both.
                self._note("parts after the last part's end")
            begins = None if is_last else line_end
            closed = closed or is_last
        if begins is not None:
            self._note("the last part has no end")
            part.children.append(self._child(begins, end, default_type, depth))

    def _child(self, start: int, end: int, default_type: str, depth: int) -> Part:
        self._parts_left -= 1
        return self.part(start, end, default_type, depth=depth + 1)

    def _before_break(self, start: int, end: int) -> int:
        """The line break before a boundary belongs to the boundary (RFC 2046, 5.1.1)."""
        if end > start and self._raw[end - 1 : end] == b"\n":
            end -= 1
        if end > start and self._raw[end - 1 : end] == b"\r":
            end -= 1
        return end

    def _delimiters(self, boundary: bytes, body: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """Lines that are the boundary: where each begins, where the next line does, whether it closes."""
        raw, sign = self._raw, b"--" + boundary
        at = raw.find(sign, body, end)
        while at >= 0:
            after = at + len(sign)
            if at == body or raw[at - 1 : at] in {b"\n", b"\r"}:
                is_last = raw[after : after + 2] == b"--"
                line_end = _LINE_END.match(raw, after + 2 * is_last, end)
                if line_end is not None:
                    yield at, line_end.end(), is_last
                    after = max(after, line_end.end() - 1)
            at = raw.find(sign, after, end)

    def _note(self, defect: str | None) -> None:
        if defect is not None:
            self.defects[defect] = None


def _belongs(line: bytes, at: int) -> bool:
    """Whether the line is a field, continues one, or is an mbox line at the beginning."""
    return (
        _FIELD.match(line) is not None
        or line[:1] in {b" ", b"\t"}
        or (at == 0 and line.startswith((b"From ", b">From ")))
    )


def _fields(lines: list[bytes]) -> list[tuple[str, str]]:
    """Names and values, each value with its continuation; lines that are no field continue the one before."""
    fields: list[tuple[bytes, list[bytes]]] = []
    for line in lines:
        if _FIELD.match(line) and line[:1] not in {b" ", b"\t"}:
            name, _, value = line.partition(b":")
            fields.append((name, [value]))
        elif fields:
            fields[-1][1].append(line)
    return [
        (name.decode("ascii"), b"".join(values).strip().decode("ascii", "surrogateescape"))
        for name, values in fields
    ]
