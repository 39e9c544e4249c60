"""The words around a mail: templates with placeholders, the quote, and the same text once more as HTML. Pure."""

import html
import re
from collections.abc import Mapping
from typing import Final

NAMES: Final = frozenset(
    {"agent", "brand", "group", "mailbox", "number", "requester", "subject", "ticket"}
)
"""What a template may name; `ticket` is `#123`."""

LINKS: Final = frozenset({"good", "bad"})
"""What the template of a survey names beside them, both: the links of the two answers."""

QUOTE_CHARS_MAX: Final = 4_000
"""Enough to see what is answered; the whole is on the ticket."""

_PLACE: Final = re.compile(r"\{\{\s*([^{}]{0,40}?)\s*\}\}")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_LINK: Final = re.compile(r"https?://[^\s<>\"']{1,2000}[^\s<>\"'.,;:!?)\]]")


def check_template(text: str, *, links: frozenset[str] = frozenset()) -> None:
    """Raises ValueError, naming it, for a placeholder that nobody fills, or one of `links` that is not there."""
    named = {found[1] for found in _PLACE.finditer(text)}
    if lacking := sorted(links - named):
        raise ValueError(f"{{{{{lacking[0]}}}}} has to stand in it")
    for found in _PLACE.finditer(text):
        if found[1] not in NAMES | links:
            known = ", ".join(sorted(NAMES | links))
            raise ValueError(f"there is no placeholder {{{{{found[1]}}}}}; there are {known}")


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its placeholders filled, once: what is filled in is never a template itself."""
    return _PLACE.sub(lambda found: values.get(found[1], ""), template)


def one_line(text: str, chars_max: int) -> str:
    """Fit for a header: no line break or other control character can come through."""
    return " ".join(_CONTROLS.sub(" ", text).split())[:chars_max].strip()


def quoted(text: str) -> str:
    """Each line behind `> `, cut where it gets long."""
    cut = text if len(text) <= QUOTE_CHARS_MAX else f"{text[:QUOTE_CHARS_MAX].rstrip()} […]"
    return "\n".join(f"> {line}".rstrip() for line in cut.splitlines())


def as_html(words: str, signature: str, introduction: str, quote: str) -> str:
    """The parts of a mail as HTML made of nothing but escaped text: paragraphs, line breaks and links.

    Args:
        words: what the agent wrote.
        signature: below it; "" for none.
        introduction: who wrote the quote and when.
        quote: what is answered; "" for nothing.
    """
    parts = [_paragraphs(words)]
    if signature:
        parts.append(f'<div style="color:#666">-- <br>\n{_lines(signature)}</div>')
    if quote:
        style = "margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex"
        parts.append(
            f'<div class="gmail_quote"><p>{_lines(introduction)}</p>\n'
            f'<blockquote type="cite" style="{style}">{_lines(quote)}</blockquote></div>'
        )
    body = "\n".join(parts)
    return f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head><body>\n{body}\n</body></html>\n'


def labelled(html_text: str, labels: Mapping[str, str]) -> str:
    """The same HTML with words instead of the addresses of these links."""
    for address, label in labels.items():
        said = html.escape(address)
        html_text = html_text.replace(f">{said}</a>", f">{html.escape(label)}</a>")
    return html_text


def _paragraphs(text: str) -> str:
    return "\n".join(f"<p>{_lines(one)}</p>" for one in re.split(r"\n{2,}", text.strip("\n")))


def _lines(text: str) -> str:
    said: list[str] = []
    at = 0
    for found in _LINK.finditer(text):
        address = html.escape(found[0])
        said += [html.escape(text[at : found.start()]), f'<a href="{address}">{address}</a>']
        at = found.end()
    said.append(html.escape(text[at:]))
    return "".join(said).replace("\n", "<br>\n")
