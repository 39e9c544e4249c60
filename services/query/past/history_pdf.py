"""A ticket's history as a PDF that people can read in any script we have letters for, and file away."""

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
        self.set_title(f"History of ticket {number}")
        self.set_creator("ticketing")
        for family, package in {_FAMILY: "fontpkg_noto_sans", **_FALLBACKS}.items():
            self.add_font(family, fname=_font_file(package))
        self.set_fallback_fonts(list(_FALLBACKS))
        self.set_text_shaping(use_shaping_engine=True)
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
        self.set_x(self.l_margin + indent)
        self.multi_cell(
            0, size * 0.5, _printable(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT
        )


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
