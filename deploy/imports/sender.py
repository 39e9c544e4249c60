"""Sends histories through the front door: several batches in flight, each ticket's commands in their order.

A chunk holds whole tickets, so chunks may overtake each other and no ticket's commands ever do. Who had a ticket is
told to routing when intake has taken the chunk; routing waits for tickets that it has not heard of yet.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

import msgspec

from deploy.imports.commands import History, IntakeLine, Open, RoutingLine
from deploy.imports.door import FrontDoor, LineAnswer
from deploy.imports.journal import Journal, digest_of

INTAKE: Final = "/v1/tickets/batch"
ROUTING: Final = "/v1/routing/import/batch"

CHUNK_LINES: Final = 800
"""Lines for intake in one request: two of its write groups, a third of a megabyte, under a second of work."""

INTAKE_IN_FLIGHT: Final = 4
"""As many batches as one intake works on at once; more would only wait there."""

ROUTING_IN_FLIGHT: Final = 2
"""Routing decides one batch after the other; the second is on its way meanwhile."""

_NOT_FOUND: Final = 404
_NOT_OPENED: Final = "intake did not open this ticket"

_AHEAD_MAX: Final = 16
"""Chunks that intake may be ahead of routing; bounds what waits there for tickets and here in memory."""


class Progress(Protocol):
    """Who is told how far it is."""

    def advance(self, where: str, lines: int) -> None:
        """So many more lines of `where` are done."""


@dataclass(frozen=True)
class RefusedLine:
    """A command that a service would not do."""

    key: str
    status: int
    reason: str


@dataclass
class Count:
    """What came of the lines of one service. `skipped`: done by an interrupted run before this one."""

    sent: int = 0
    accepted: int = 0
    replayed: int = 0
    skipped: int = 0
    refused: list[RefusedLine] = field(default_factory=list)

    def add(self, lines: Sequence[Any], answers: Sequence[LineAnswer]) -> None:
        """Count the answers to these lines."""
        self.sent += len(lines)
        for line, answer in zip(lines, answers, strict=True):
            if not answer.is_done:
                self.refused.append(RefusedLine(line.key, answer.status, str(answer.problem or "")))
            elif answer.replayed:
                self.replayed += 1
            else:
                self.accepted += 1


@dataclass
class Sent:
    """What came of everything, by service."""

    intake: Count = field(default_factory=Count)
    routing: Count = field(default_factory=Count)

    @property
    def refused(self) -> list[RefusedLine]:
        """Every command that was refused."""
        return [*self.intake.refused, *self.routing.refused]


@dataclass(frozen=True)
class Chunk:
    """Some whole tickets."""

    intake: list[IntakeLine]
    routing: list[RoutingLine]


def chunks(histories: Iterable[History], lines_max: int = CHUNK_LINES) -> Iterator[Chunk]:
    """The histories in pieces; the same ones give the same pieces. A ticket longer than a piece is one by itself."""
    chunk = Chunk([], [])
    for history in histories:
        if chunk.intake and len(chunk.intake) + len(history.intake) > lines_max:
            yield chunk
            chunk = Chunk([], [])
        chunk.intake.extend(history.intake)
        chunk.routing.extend(history.routing)
    if chunk.intake:
        yield chunk


class Sender:
    """Sends one import.

    Args:
        door: the way in.
        journal: of this import, open.
        progress: is told about lines done.
    """

    def __init__(self, door: FrontDoor, journal: Journal, progress: Progress) -> None:
        self._door = door
        self._journal = journal
        self._progress = progress
        self._encoder = msgspec.json.Encoder()
        self.sent = Sent()

    async def send(self, histories: Iterable[History]) -> Sent:
        """Send everything and return when all is answered.

        Raises:
            DoorIsClosed: the product stopped answering; what was done stays, and sending again goes on.
        """
        waiting = iter(chunks(histories))
        first = next(waiting, None)
        if first is None:
            return self.sent
        await self._begin(first)
        ready: asyncio.Queue[Chunk | None] = asyncio.Queue(_AHEAD_MAX)
        await ready.put(self._of_opened(first))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(ROUTING_IN_FLIGHT):
                    group.create_task(self._to_routing(ready))
                async with asyncio.TaskGroup() as intake:
                    for _ in range(INTAKE_IN_FLIGHT):
                        intake.create_task(self._to_intake(waiting, ready))
                for _ in range(ROUTING_IN_FLIGHT):
                    await ready.put(None)
        except BaseExceptionGroup as group_of_errors:
            raise _first_of(group_of_errors) from None
        return self.sent

    async def _begin(self, first: Chunk) -> None:
        """The first chunk is always sent: when it is news to intake, the journal is of another installation."""
        was_begun = len(self._journal) > 0
        news = self.sent.intake.accepted
        await self._send(INTAKE, first.intake, self.sent.intake, always=True)
        if was_begun and self.sent.intake.accepted > news:
            self._journal.forget()

    async def _to_intake(
        self, waiting: Iterator[Chunk], ready: "asyncio.Queue[Chunk | None]"
    ) -> None:
        for chunk in waiting:  # shared by all of us: each takes the next one
            await self._send(INTAKE, chunk.intake, self.sent.intake)
            await ready.put(self._of_opened(chunk))

    def _of_opened(self, chunk: Chunk) -> Chunk:
        """Routing would wait in vain for a ticket that intake refused to open."""
        refused = {line.key for line in self.sent.intake.refused}
        missing = {
            line.external_id
            for line in chunk.intake
            if isinstance(line, Open) and line.key in refused
        }
        if not missing:
            return chunk
        known: list[RoutingLine] = []
        unknown: list[RoutingLine] = []
        for line in chunk.routing:
            (unknown if line.ticket.external_id in missing else known).append(line)
        count = self.sent.routing
        count.refused += [RefusedLine(line.key, _NOT_FOUND, _NOT_OPENED) for line in unknown]
        self._progress.advance(ROUTING, len(unknown))
        return replace(chunk, routing=known)

    async def _to_routing(self, ready: "asyncio.Queue[Chunk | None]") -> None:
        while (chunk := await ready.get()) is not None:
            if chunk.routing:
                await self._send(ROUTING, chunk.routing, self.sent.routing)

    async def _send(
        self, where: str, lines: Sequence[Any], count: Count, *, always: bool = False
    ) -> None:
        encoded = [self._encoder.encode(line) for line in lines]
        digest = digest_of(where, encoded)
        if self._journal.has(digest) and not always:
            count.skipped += len(lines)
        else:
            refused = len(count.refused)
            count.add(lines, await self._door.send_lines(where, encoded))
            if len(count.refused) == refused:  # a refusal is told again by the next run
                self._journal.note(digest)
        self._progress.advance(where, len(lines))


def _first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """One batch after the other fails for the same reason; one is enough to say it."""
    first = errors.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first
