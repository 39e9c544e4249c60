"""Many commands in one request: newline-delimited JSON in, one answer a line out, in the same order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, assert_never
from uuid import UUID

import msgspec
import structlog
from fastapi import APIRouter, Request, Response

from services.intake.api import lines, translate
from services.intake.api.lines import BatchLine, LineAnswer
from services.intake.app import Intake, Receipt
from services.intake.domain import Command, limits
from shared.clock import Clock
from shared.errors import Invalid
from shared.eventstore import Outcome
from shared.http.idempotency import CommandKey
from shared.http.ndjson import MEDIA_TYPE, Limits, Line, read_lines
from shared.http.openapi import openapi_body
from shared.http.origin import Origin
from shared.http.problems import problem_of
from shared.security import Principal, Role, authenticate

log = structlog.get_logger(__name__)

IN_FLIGHT_MAX: Final = 2_000
"""Lines of one batch under way. Those about one ticket go one after the other, so this many are needed to fill
the writer's groups of 500 even when the lines come sorted by ticket."""

BATCHES_MAX: Final = 4
"""Batches worked on at once; each may hold some 50 MB of decoded lines. More wait for their turn."""

_LIMITS: Final = Limits(
    lines=limits.BATCH_LINES_MAX,
    line_bytes=limits.BATCH_LINE_BYTES_MAX,
    total_bytes=limits.BATCH_BYTES_MAX,
)
_SERVER_ERROR: Final = 500
_UNAVAILABLE: Final = 503
_ENCODER: Final = msgspec.json.Encoder()
_TicketKey = UUID | str  # a ticket's id, or the external id of one that is yet to be opened
_ANY_LINE: Final[Any] = BatchLine


def add_batch(router: APIRouter, intake: Intake, clock: Clock) -> None:
    """The address of batches."""
    turns = asyncio.Semaphore(BATCHES_MAX)

    @router.post(
        "/batch",
        openapi_extra=openapi_body(
            BatchLine,
            answer=LineAnswer,
            description="One answer for each line, in order.",
            body_media_type=MEDIA_TYPE,
            answer_media_type=MEDIA_TYPE,
        ),
    )
    async def run_batch(request: Request) -> Response:
        """Run up to 10,000 commands. Each line stands for itself; lines about one ticket keep their order.

        When the store cannot be reached, what was not begun is answered 503 without being tried, and no line
        overtakes an earlier one about the same ticket. Give every line a `key`, and the whole batch can
        simply be sent again.
        """
        principal = await authenticate(request, Role.AGENT)
        origin = Origin.of(request, principal)

        async with turns:
            # The whole body first: nothing is done of a batch that turns out to be too large. And the
            # whole answer at once: it is small, and a status once sent could not be taken back.
            found: AsyncIterator[Line[BatchLine]] = read_lines(request, _ANY_LINE, _LIMITS)
            given = [line async for line in found]
            known = await intake.meet(_external_ids(given))
            run = _Run(intake, clock, origin, known)
            text = b"".join(
                [_ENCODER.encode(answer) + b"\n" async for answer in run.answers(given)]
            )
        return Response(text, media_type=MEDIA_TYPE)


class _Run:
    """One batch on its way: submits in order, keeps a bounded number in flight, answers in order."""

    def __init__(
        self, intake: Intake, clock: Clock, origin: Origin, known: Mapping[str, UUID]
    ) -> None:
        self._intake = intake
        self._clock = clock
        self._origin = origin
        self._known = known
        self._latest: dict[_TicketKey, asyncio.Future[None]] = {}
        self._failure: Exception | None = None

    async def answers(self, given: Sequence[Line[BatchLine]]) -> AsyncIterator[LineAnswer]:
        """The answers, in order."""
        flying: deque[asyncio.Task[LineAnswer]] = deque()
        for line in given:
            if len(flying) >= IN_FLIGHT_MAX:
                yield await flying.popleft()
            flying.append(asyncio.ensure_future(self._in_turn(line)))
        while flying:
            yield await flying.popleft()

    async def _in_turn(self, line: Line[BatchLine]) -> LineAnswer:
        """Answer after the line before it about the same ticket.

        Were both under way at once, the first might fail with the store and the second succeed when it is back.
        """
        keys = () if line.value is None else self._keys(line.value)
        done = asyncio.get_running_loop().create_future()
        before = [self._latest[key] for key in keys if key in self._latest]
        for key in keys:
            self._latest[key] = done
        try:
            for earlier in before:
                await earlier
            return await self._answer(line)
        finally:
            done.set_result(None)

    def _keys(self, said: BatchLine) -> tuple[_TicketKey, ...]:
        """The tickets that a line speaks of, each under one name whichever way it is named."""
        if isinstance(said, lines.OpenLine):
            external_id = said.external_id
            return () if external_id is None else (self._known.get(external_id, external_id),)
        named = [said.ticket]
        if isinstance(said, lines.MergeLine):
            named.append(said.into)
        elif isinstance(said, lines.LinkLine | lines.UnlinkLine):
            named.append(said.other)
        keys = (
            one.id if one.external_id is None else self._known.get(one.external_id, one.external_id)
            for one in named
        )
        return tuple(key for key in keys if key is not None)

    async def _answer(self, line: Line[BatchLine]) -> LineAnswer:
        if refused := line.refusal or self._failure:
            return _problem(line.index, refused)
        assert line.value is not None, "a line has a value or a refusal"
        try:
            outcome = await self._run(line.value, line.raw)
        except Exception as error:  # noqa: BLE001  # every line gets an answer; ours are logged there
            answer = _problem(line.index, error)
            if answer.status == _UNAVAILABLE and self._failure is None:
                self._failure = error
                log.warning("batch_interrupted", line=line.index, error=type(error).__name__)
            return answer
        receipt = outcome.result
        return LineAnswer(
            index=line.index,
            status=201 if isinstance(line.value, _CREATING) else 200,
            ticket_id=receipt.ticket_id,
            number=receipt.number,
            version=receipt.version,
            category=receipt.category,
            replayed=outcome.replayed,
        )

    async def _run(self, said: BatchLine, raw: bytes) -> Outcome[Receipt]:
        principal = self._origin.principal
        claim = None
        if said.key is not None:
            operation = f"batch {said.__struct_config__.tag}"
            claim = CommandKey.of_item(principal, operation, said.key).claim(raw)
        asking = translate.asking(said, self._origin, now=self._clock.now(), claim=claim)
        intake = self._intake
        if getattr(said, "attachments", ()):
            raise Invalid.of("attachments", "are not taken in a batch; send this command alone")
        if isinstance(said, lines.OpenLine):
            return await intake.open_ticket(translate.opening(said, principal), asking)
        ticket = said.ticket.reference()
        match said:
            case lines.MergeLine():
                return await intake.merge(ticket, said.into.reference("into"), asking)
            case lines.LinkLine():
                other = said.other.reference("other")
                return await intake.link(ticket, other, said.relation, asking)
            case lines.UnlinkLine():
                return await intake.unlink(ticket, said.other.reference("other"), asking)
            case _:
                return await intake.change(ticket, _command(said, principal), asking)


def _command(said: lines.ChangeLine, principal: Principal) -> Command:
    match said:
        case lines.ReplyLine():
            return translate.reply(said, principal)
        case lines.NoteLine():
            return translate.note(said)
        case lines.PatchLine():
            return translate.patch(said)
        case lines.ResolveLine():
            return translate.resolve(said)
        case lines.CloseLine():
            return translate.close(said)
        case lines.ReopenLine():
            return translate.reopen(said, principal)
        case _:
            assert_never(said)


_CREATING: Final = (lines.OpenLine, lines.ReplyLine, lines.NoteLine)


def _problem(index: int, error: Exception) -> LineAnswer:
    problem = problem_of(error)
    if problem.status == _SERVER_ERROR:
        log.error("batch_line_failed", line=index, exc_info=error)
    return LineAnswer(index=index, status=problem.status, problem=problem)


def _external_ids(given: Sequence[Line[BatchLine]]) -> set[str]:
    named = (_external_id(line.value) for line in given if line.value is not None)
    return {one for one in named if one is not None}


def _external_id(said: BatchLine) -> str | None:
    return said.external_id if isinstance(said, lines.OpenLine) else said.ticket.external_id
