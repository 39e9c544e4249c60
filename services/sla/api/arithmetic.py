"""`/v1/sla/evaluate` and `/v1/calendars/evaluate`: one question as JSON, or many as NDJSON."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from services.sla.evaluation import (
    CalendarQuestion,
    TimelineQuestion,
    answer_calendar,
    answer_line,
    answer_timeline,
    refused_line,
)
from shared.http.bodies import json_answer, read_json
from shared.http.ndjson import Line, ndjson_answer, read_lines
from shared.http.openapi import openapi_body
from shared.security import Role, require

Q = TypeVar("Q", CalendarQuestion, TimelineQuestion)

_NDJSON: Final = "application/x-ndjson"
_CHUNK: Final = 100
"""Questions answered in one go by a worker thread; the event loop has the word in between."""


def router() -> APIRouter:
    """The routes; nothing is read or stored."""
    routes = APIRouter(
        prefix="/v1", tags=["arithmetic"], dependencies=[Depends(require(Role.AGENT))]
    )

    @routes.post(
        "/calendars/evaluate",
        summary="Business hours as arithmetic: `add` seconds, or count them `between`.",
        openapi_extra=openapi_body(CalendarQuestion),
    )
    async def evaluate_calendar(request: Request) -> Response:
        return await _answer(request, CalendarQuestion, answer_calendar)

    @routes.post(
        "/sla/evaluate",
        summary="Judge a timeline by policies and calendars given with it.",
        openapi_extra=openapi_body(TimelineQuestion),
    )
    async def evaluate_timeline(request: Request) -> Response:
        return await _answer(request, TimelineQuestion, answer_timeline)

    return routes


async def _answer(
    request: Request, kind: type[Q], answer: Callable[[Q], dict[str, Any]]
) -> Response:
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared == _NDJSON:
        return ndjson_answer(_answers(request, kind, answer))
    question = await read_json(request, kind)
    result = await asyncio.to_thread(answer, question)
    return json_answer({"id": question.id, **result})


async def _answers(
    request: Request, kind: type[Q], answer: Callable[[Q], dict[str, Any]]
) -> AsyncIterator[dict[str, Any]]:
    chunk: list[Line[msgspec.Raw]] = []
    async for line in read_lines(request, msgspec.Raw):
        chunk.append(line)
        if len(chunk) == _CHUNK:
            for item in await asyncio.to_thread(_answer_all, chunk, kind, answer):
                yield item
            chunk = []
    for item in await asyncio.to_thread(_answer_all, chunk, kind, answer):
        yield item


def _answer_all(
    lines: list[Line[msgspec.Raw]], kind: type[Q], answer: Callable[[Q], dict[str, Any]]
) -> list[dict[str, Any]]:
    return [
        answer_line(line.raw, line.index, kind, answer)
        if line.refusal is None
        else refused_line(line.raw, line.index, line.refusal)
        for line in lines
    ]
