"""`/v1/routing/simulate`: one scenario as JSON, or many as NDJSON; nothing is read or stored."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from services.routing.domain.simulation import Outcome, Scenario, simulate
from shared.errors import Invalid, Refused
from shared.http.bodies import decode_json, json_answer, read_json
from shared.http.ndjson import MEDIA_TYPE, Limits, Line, ndjson_answer, read_lines
from shared.http.openapi import openapi_body
from shared.http.problems import Problem, problem_of
from shared.security import Role, require

LIMITS: Final = Limits(lines=1_000, line_bytes=512 * 1024, total_bytes=8 * 1024 * 1024)
"""A scenario of two hundred agents and two thousand actions has some 200 kB."""


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario that cannot be played: its place among the lines (from 0), its id as far as it can be read."""

    id: str | int | None
    index: int
    error: Problem


class _Named(msgspec.Struct, frozen=True):
    id: str | int | None = None


def answer_line(raw: bytes, index: int) -> Outcome | Failed:
    """What comes of one line; the same for HTTP and the command line."""
    try:
        return simulate(decode_json(raw, Scenario))
    except Refused as refusal:
        return refused_line(raw, index, refusal)


def refused_line(raw: bytes, index: int, refusal: Refused) -> Failed:
    """The answer to a line that cannot be played."""
    return Failed(id=_id_of(raw), index=index, error=problem_of(refusal))


def router() -> APIRouter:
    """The address `/v1/routing/simulate`."""
    api = APIRouter(
        prefix="/v1/routing", tags=["simulation"], dependencies=[Depends(require(Role.AGENT))]
    )
    # One at a time: they are pure computing, and live decisions share the processor with them.
    turn = asyncio.Semaphore(1)

    @api.post(
        "/simulate",
        summary="What if: play a scenario with the code that decides here.",
        openapi_extra=openapi_body(Scenario, answer=Outcome),
    )
    async def play(request: Request) -> Response:
        declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if declared == MEDIA_TYPE:
            return ndjson_answer(_answers(request, turn))
        scenario = await read_json(request, Scenario)
        async with turn:
            outcome = await asyncio.to_thread(simulate, scenario)
        return json_answer(outcome)

    return api


async def _answers(request: Request, turn: asyncio.Semaphore) -> AsyncIterator[Outcome | Failed]:
    async for line in read_lines(request, Scenario, LIMITS):
        if line.value is None:
            refusal = line.refusal or Invalid.of("line", "cannot be read")
            yield refused_line(line.raw, line.index, refusal)
            continue
        async with turn:
            answer = await asyncio.to_thread(_play, line)
        yield answer


def _play(line: Line[Scenario]) -> Outcome | Failed:
    assert line.value is not None
    try:
        return simulate(line.value)
    except Refused as refusal:
        return refused_line(line.raw, line.index, refusal)


def _id_of(raw: bytes) -> str | int | None:
    """So that the caller knows which one it was, also when something else in the line is malformed."""
    try:
        return msgspec.json.decode(raw, type=_Named).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # the problem itself says what cannot be read
