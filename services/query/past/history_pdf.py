"""A ticket's history as a PDF that people can read in any script we have letters for, and file away."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any, Final

from fontTools.ttLib import TTFont
from fpdf import FPDF
from fpdf.enums import XPos, YPos

_FAMILY: Final = "Noto Sans"
_FALLBACKS: Final = {
    "Noto Sans Arabic": "fontpkg_noto_sans_arabic",
    "Heebo": "fontpkg_heebo",  # Hebrew
    "Noto Sans Devanagari": "fontpkg_noto_sans_devanagari",
    "Noto Sans Thai": "fontpkg_noto_sans_thai",
}
_VALUE_CHARS_MAX: Final = 4_000
"""Of one value; the NDJSON has all of it."""

# Latin, Greek and Cyrillic with their punctuation, signs and arrows, without marks that join others and without the
# controls of direction.
_PLAIN: Final = re.compile(
    "[\\n\u0020-\u02ff\u0370-\u0482\u048a-\u052f\u1e00-\u1fff\u2010-\u2027\u2030-\u205e\u20a0-\u20bf\u2100-\u2bff]*"
)
"""Text whose letters stand one after the other, each as wide as it is: nearly all there is."""

_INK: Final = (23, 32, 44)
_QUIET: Final = (83, 96, 113)


def as_pdf(ticket: dict[str, Any], events: list[dict[str, Any]], *, asked_by: str) -> bytes:
    """The file. Characters that no font here has are written as their code point: nothing is left out unseen."""
    pdf = _Page(ticket["number"])
    pdf.add_page()
    pdf.line_of(f"#{ticket['number']} {ticket['subject']}", size=15)
    made_at = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    pdf.line_of(
        f"{len(events)} events. Made {made_at} for {asked_by}. Times are UTC.", color=_QUIET
    )
    pdf.ln(2)
    for event in events:
        _write(pdf, event)
    return bytes(pdf.output())


def _write(pdf: "_Page", event: dict[str, Any]) -> None:
    actor = event["actor"]
    pdf.line_of(f"{event['occurred_at'].astimezone(UTC):%Y-%m-%d %H:%M:%S}  {event['sentence']}")
    for change in event["changes"]:
        before = f"{_cut(change['old'])} → " if change["old"] is not None else ""
        pdf.line_of(f"{change['field']}: {before}{_cut(change['new'])}", indent=6)
    if body := event["data"].get("body"):
        pdf.line_of(_cut(body), indent=6)
    address = f" from {actor['ip']}" if actor["ip"] else ""
    cause = f" · because of {event['causation_id']}" if event["causation_id"] else ""
    pdf.line_of(
        f"{actor['kind']} {actor['id']}{address} via {event['channel']} · {event['event_id']}"
        f" · {event['type']}{cause}",
        size=7,
        indent=6,
        color=_QUIET,
    )
    pdf.ln(1.5)


class _Page(FPDF):
    """A4 with a number on each page."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number
        self._widths: dict[str, float] = {}  # of characters, at a size of one millimetre
        self.set_title(f"History of ticket {number}")
        self.set_creator("ticketing")
        for family, package in {_FAMILY: "fontpkg_noto_sans", **_FALLBACKS}.items():
            self.add_font(family, fname=_font_file(package))
        self.set_fallback_fonts(list(_FALLBACKS))
        self.set_auto_page_break(auto=True, margin=16)

    def footer(self) -> None:
        """Which ticket, which page."""
        self.set_y(-12)
        self.set_font(_FAMILY, size=7)
        self.set_text_color(*_QUIET)
        self.cell(0, 5, f"#{self._number} · page {self.page_no()} of {{nb}}", align="R")

    def line_of(
        self, text: str, *, size: float = 9, indent: float = 0, color: tuple[int, int, int] = _INK
    ) -> None:
        """A paragraph."""
        self.set_font(_FAMILY, size=size)
        self.set_text_color(*color)
        left, height = self.l_margin + indent, size * 0.5
        printable = _printable(text)
        is_plain = _PLAIN.fullmatch(printable) is not None
        self.set_text_shaping(use_shaping_engine=not is_plain)
        if is_plain:
            for line in self._lines(printable, self.w - self.r_margin - left - 2 * self.c_margin):
                self.set_x(left)
                self.cell(0, height, line, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        else:
            self.set_x(left)
            self.multi_cell(0, height, printable, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _lines(self, text: str, width: float) -> Iterator[str]:
        """The text in lines of at most this width, broken at spaces, and within what is longer than a line.

        The library's own way measures all of the line again for each of its characters.
        """
        for paragraph in text.split("\n"):
            line, room, space = "", width, -1
            for char in paragraph:
                room -= self._width(char)
                if room < 0 and line:
                    if char == " ":  # the end of a line needs none
                        yield line
                        line, room, space = "", width, -1
                        continue
                    head, line = (line[:space], line[space + 1 :]) if space >= 0 else (line, "")
                    yield head
                    space = -1
                    room = width - sum(map(self._width, line)) - self._width(char)
                if char == " ":
                    space = len(line)
                line += char
            yield line

    def _width(self, char: str) -> float:
        """In millimetres, at the size in use."""
        known = self._widths.get(char)
        if known is None:
            known = self._widths[char] = self.get_string_width(char) / self.font_size
        return known * self.font_size


def _printable(text: str) -> str:
    known = _letters()
    return "".join(
        char if char == "\n" or ord(char) in known else f"[U+{ord(char):04X}]" for char in text
    )


@cache
def _letters() -> frozenset[int]:
    """Every character that one of the fonts can draw."""
    found: set[int] = set()
    for package in ("fontpkg_noto_sans", *_FALLBACKS.values()):
        with TTFont(_font_file(package), lazy=True) as font:
            found.update(font.getBestCmap())
    return frozenset(found)


@cache
def _font_file(package: str) -> str:
    files = resources.files(package) / "files"
    upright = [
        one for one in files.iterdir() if one.name.endswith(".ttf") and "Italic" not in one.name
    ]
    return str(upright[0])


def _cut(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _VALUE_CHARS_MAX else f"{text[:_VALUE_CHARS_MAX]} … (cut here)"
