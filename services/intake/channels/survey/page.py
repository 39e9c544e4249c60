"""The survey as HTML: the question with what was answered so far, and the words after it."""

from typing import Final

from starlette.responses import HTMLResponse, Response

from services.intake.channels.templates import templates_of
from services.intake.domain import limits
from services.intake.surveys.desk import Question
from services.intake.surveys.words import texts_of
from shared.events.satisfaction import Score

_TEMPLATES: Final = templates_of("services.intake.channels.survey")
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


def survey_page(
    question: Question,
    *,
    chosen: Score | None,
    is_open: bool,
    is_done: bool = False,
    error: str | None = None,
    status: int = 200,
) -> Response:
    """The page.

    Args:
        question: what is asked, and the answer as it stands.
        chosen: the link that was pressed; it is not counted before the page's button is pressed too.
        is_open: whether it may still be answered.
        is_done: an answer was just taken.
        error: what was wrong with it.
        status: of HTTP.
    """
    survey = question.survey
    html = _TEMPLATES.get_template("survey.html").render(
        texts=texts_of(question.policy),
        language=question.policy.language,
        number=f"#{question.number}",
        until=f"{survey.expires_at:%Y-%m-%d %H:%M} UTC",
        survey=survey,
        scores=list(Score),
        chosen=chosen or survey.score,
        reasons=question.policy.reasons,
        comment_chars_max=limits.SURVEY_COMMENT_CHARS_MAX,
        is_open=is_open,
        is_done=is_done,
        error=error,
    )
    return HTMLResponse(html, status, headers=_HEADERS)
