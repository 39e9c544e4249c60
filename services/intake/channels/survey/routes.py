"""`/survey?token=`: the page behind a mail's link, and what its button sends; no token of a login needed."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import RedirectResponse

from services.intake.channels.survey.page import survey_page
from services.intake.domain import limits
from services.intake.secrets import Secret
from services.intake.surveys import links
from services.intake.surveys.desk import Question, Surveys
from services.intake.surveys.links import Asked
from shared.errors import Invalid, Refused
from shared.events.satisfaction import Score
from shared.eventstore import EventStore
from shared.http.client_ip import TrustedProxies
from shared.http.limits import allow_body
from shared.observability.correlation import current_correlation_id, new_correlation_id

_BODY_BYTES_MAX: Final = 65_536
_FIELDS_MAX: Final = 10
_SEE_OTHER: Final = 303

Token = Annotated[str, Query(min_length=links.TOKEN_CHARS, max_length=links.TOKEN_CHARS)]


def survey_router(surveys: Surveys, store: EventStore[Any]) -> APIRouter:
    """The addresses. Looking never counts: mail scanners follow links, so only the button's POST is an answer."""
    router = APIRouter(prefix=links.PATH, tags=["surveys"])
    secret = Secret("mail")

    @router.get("", summary="The page behind a survey's link.")
    async def show(
        token: Token,
        score: Literal["good", "bad"] | None = None,
        done: bool = False,
    ) -> Response:
        """The question; `score` is only chosen beforehand."""
        question = await surveys.question(links.read(await secret.load(store), token))
        return survey_page(
            question,
            chosen=Score(score) if score else None,
            is_open=_is_open(question),
            is_done=done,
        )

    @router.post("", summary="An answer.", status_code=_SEE_OTHER)
    async def send(token: Token, request: Request) -> Response:
        """Take the answer, or the page again with what is wrong with it."""
        asked = links.read(await secret.load(store), token)
        allow_body(request.scope, _BODY_BYTES_MAX)
        async with request.form(max_files=0, max_fields=_FIELDS_MAX) as sent:
            said = {name: value for name, value in sent.items() if isinstance(value, str)}
        try:
            await _take(surveys, asked, said, request)
        except Refused as error:
            question = await surveys.question(asked)
            return survey_page(
                question,
                chosen=None,
                is_open=_is_open(question),
                error=error.detail,
                status=error.status,
            )
        return RedirectResponse(f"{links.PATH}?token={token}&done=true", _SEE_OTHER)

    return router


async def _take(surveys: Surveys, asked: Asked, said: dict[str, str], request: Request) -> None:
    proxies: TrustedProxies = request.app.state.trusted_proxies
    comment = said.get("comment", "").replace("\r\n", "\n").strip()
    if len(comment) > limits.SURVEY_COMMENT_CHARS_MAX:
        raise Invalid.of("comment", f"at most {limits.SURVEY_COMMENT_CHARS_MAX} characters")
    if "\0" in comment or "\0" in said.get("reason", ""):
        raise Invalid.of("comment", "holds a NUL character")
    try:
        score = Score(said.get("score", ""))
    except ValueError:
        raise Invalid.of("score", "choose good or bad") from None
    await surveys.answer(
        asked,
        score,
        comment or None,
        said.get("reason", "").strip() or None,
        ip=proxies.address(request.scope),
        correlation_id=current_correlation_id() or new_correlation_id(),
    )


def _is_open(question: Question) -> bool:
    return datetime.now(UTC) <= question.survey.expires_at
