"""The front door as an import uses it: requests that outlive restarts, and batches whose lines are each done once."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import httpx2
import msgspec

T = TypeVar("T")

PATIENCE_SECONDS: Final = 300.0
"""How long one request is tried again: a service that restarts needs seconds, a server that is mended minutes."""

_PAUSE_SECONDS: Final = 0.25
_PAUSE_SECONDS_MAX: Final = 10.0

READ_SECONDS: Final = 120.0
"""Routing may wait 30 s for tickets it has not heard of, and then does the whole batch on a busy machine."""

_TRY_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_OK: Final = range(200, 300)
_NOT_FOUND: Final = 404


class DoorIsClosed(Exception):
    """The product does not answer, or does not let us in; the message is one line for a person."""


class DoorRefused(DoorIsClosed):
    """The product answered, and said no: trying again would not help."""


class Problem(msgspec.Struct, frozen=True):
    """The part of a problem answer that a person reads."""

    title: str = ""
    detail: str = ""
    errors: list[dict[str, Any]] = []

    def __str__(self) -> str:
        """One line."""
        named = "; ".join(
            f"{one.get('field') or 'line'}: {one.get('message', '')}" for one in self.errors
        )
        return ": ".join(part for part in (self.title, named or self.detail) if part)


class LineAnswer(msgspec.Struct, frozen=True):
    """What came of one line. `replayed`: it had been done before; services that cannot tell say nothing."""

    index: int
    status: int
    replayed: bool = False
    problem: Problem | None = None

    @property
    def is_done(self) -> bool:
        """It happened, now or before."""
        return self.status in _OK


class _Incomplete(Exception):
    """The answer was cut off."""


class FrontDoor:
    """Asks the product.

    Args:
        http: has the address and the token.
        patience_seconds: how long the same request is tried again before we give up.
        pause: waits so many seconds.
    """

    def __init__(
        self,
        http: httpx2.AsyncClient,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = http
        self._patience_seconds = patience_seconds
        self._pause = pause
        self.retry_count = 0

    async def send_lines(self, path: str, lines: Sequence[bytes]) -> list[LineAnswer]:
        """Send a batch until every line has an answer that stays; one for each, in order.

        Lines that were put off (503, or a service that failed) are sent again alone, in their order; what was done
        stays done, because every line has a key.

        Raises:
            DoorIsClosed: refused as a whole (DoorRefused), or the same lines were put off for longer than our patience.
        """
        answers: dict[int, LineAnswer] = {}
        waiting = list(range(len(lines)))
        retry = self._new_retry()
        while waiting:
            told = await self._answers(path, [lines[place] for place in waiting])
            put_off = [
                (place, answer)
                for place, answer in zip(waiting, told, strict=True)
                if answer.status in _TRY_AGAIN
            ]
            answers.update(zip(waiting, told, strict=True))
            if not put_off:
                break
            if len(put_off) < len(waiting):
                retry = self._new_retry()  # something moved: patience begins anew
            waiting = [place for place, _ in put_off]
            await retry.wait(f"{len(put_off)} lines are put off at {path}: {put_off[0][1].problem}")
        return [answers[place] for place in range(len(lines))]

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request with JSON both ways; None when the answer is empty.

        Raises:
            DoorIsClosed: refused, or no answer within our patience.
        """
        return await self._request(
            method, path, _read_json, content=None if body is None else msgspec.json.encode(body)
        )

    async def find(self, path: str) -> Any | None:
        """What is there, or None when nothing is (404). Raises as `ask` does."""
        return await self._request("GET", path, _read_json, is_needed=False)

    async def text(self, path: str) -> str | None:
        """A plain page, or None when there is none. Raises as `ask` does."""
        return await self._request("GET", path, bytes.decode, is_needed=False)

    async def _answers(self, path: str, lines: Sequence[bytes]) -> list[LineAnswer]:
        def read(content: bytes) -> list[LineAnswer]:
            try:
                told = _ANSWERS.decode_lines(content)
            except msgspec.DecodeError as error:
                raise _Incomplete(str(error)) from error
            if len(told) != len(lines):
                raise _Incomplete(f"{len(told)} answers to {len(lines)} lines")
            return told

        told = await self._request(
            "POST", path, read, content=b"\n".join(lines), content_type="application/x-ndjson"
        )
        assert told is not None
        return told

    async def _request(
        self,
        method: str,
        path: str,
        read: Callable[[bytes], T],
        *,
        content: bytes | None = None,
        content_type: str = "application/json",
        is_needed: bool = True,
    ) -> T | None:
        headers = {} if content is None else {"content-type": content_type}
        retry = self._new_retry()
        while True:
            try:
                answer = await self._http.request(method, path, content=content, headers=headers)
                if answer.status_code in _OK:
                    return read(answer.content)
            except (httpx2.TransportError, httpx2.DecodingError, _Incomplete) as error:
                reason = f"{type(error).__name__} {error}".strip()
            else:
                if answer.status_code == _NOT_FOUND and not is_needed:
                    return None
                reason = f"{answer.status_code} {_problem_in(answer.content)}".strip()
                if answer.status_code not in _TRY_AGAIN:
                    raise DoorRefused(f"{method} {path} was refused: {reason}")
            await retry.wait(f"{method} {path}: {reason}")

    def _new_retry(self) -> "_Retry":
        return _Retry(self, self._patience_seconds, self._pause)


class _Retry:
    """The pauses between tries of the same thing: growing, and ending."""

    def __init__(
        self, door: FrontDoor, seconds: float, pause: Callable[[float], Awaitable[None]]
    ) -> None:
        self._door = door
        self._until = time.monotonic() + seconds
        self._pause = pause
        self._pause_seconds = _PAUSE_SECONDS

    async def wait(self, reason: str) -> None:
        """Raises DoorIsClosed with the reason when it has been tried for long enough."""
        # Not exactly together: several batches may have been turned away at one moment.
        seconds = self._pause_seconds * random.uniform(0.5, 1.0)  # noqa: S311  # no secret
        if time.monotonic() + seconds > self._until:
            raise DoorIsClosed(f"tried for long enough: {reason}")
        self._door.retry_count += 1
        await self._pause(seconds)
        self._pause_seconds = min(self._pause_seconds * 2, _PAUSE_SECONDS_MAX)


_ANSWERS: Final = msgspec.json.Decoder(LineAnswer)


def _read_json(content: bytes) -> Any:
    return msgspec.json.decode(content) if content else None


def _problem_in(content: bytes) -> str:
    try:
        return str(msgspec.json.decode(content, type=Problem))
    except msgspec.DecodeError:
        return ""
