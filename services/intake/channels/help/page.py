"""The knowledge base as HTML: what was found, and one article."""

from collections.abc import Sequence
from typing import Final

from starlette.responses import HTMLResponse, Response

from services.intake.channels.templates import templates_of
from services.intake.knowledge.desk import Shown
from services.intake.knowledge.words import ASKED_CHARS_MAX, Found
from shared.markdown import to_html

_TEMPLATES: Final = templates_of("services.intake.channels.help")
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
}


def found_page(words: str, articles: Sequence[Found]) -> Response:
    """The search field with what its words found; without words, all articles."""
    html = _TEMPLATES.get_template("found.html").render(
        words=words, articles=articles, words_chars_max=ASKED_CHARS_MAX
    )
    return HTMLResponse(html, headers=_HEADERS)


def article_page(shown: Shown, *, is_judged: bool) -> Response:
    """The article, and the question whether it helped; `is_judged`: the reader has just answered it."""
    html = _TEMPLATES.get_template("article.html").render(
        shown=shown, html=to_html(shown.article.body), is_judged=is_judged
    )
    return HTMLResponse(html, headers=_HEADERS)
