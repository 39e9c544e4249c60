"""A load generator that costs little: prepared bytes over raw keep-alive connections, answers barely looked at."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, cast

import msgspec

from tests.bench.figures import Missed

_ANSWER_SECONDS_MAX: Final = 30.0
"""Nobody waits longer for a ticket; a run that does is broken and says so."""

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a load.

    Attributes:
        rate: answers a second within the measured time.
        latencies: seconds, one for each measured answer. Under a fixed rate they begin when the request was due,
            so a server that stalls cannot hide it by being asked less.
        answered: all answers, those of the warm-up too.
        own_core_share: how much of one processor core the load itself used.
    """

    rate: float
    latencies: list[float]
    answered: int
    own_core_share: float


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self, on_answer: Callable[["Connection", bytes], None]) -> None:
        self._on_answer = on_answer
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self.begun = 0.0
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class is none by name

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(None)

    def send(self, request: bytes, begun: float) -> None:
        """Send a whole request; its answer will be timed from `begun`."""
        assert self._transport is not None
        self.begun = begun
        self._transport.write(request)

    def close(self) -> None:
        """No more requests."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        head_end = received.find(_HEAD_END)
        if head_end < 0 or len(received) < head_end + len(_HEAD_END) + _body_length(
            received[:head_end]
        ):
            self._received = received
            return
        self._received = b""
        self._on_answer(self, received)


def _body_length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.find(_LENGTH)
    if start < 0:
        return 0
    end = lowered.find(b"\r\n", start)
    return int(lowered[start + len(_LENGTH) : end if end >= 0 else None])


async def hammer(
    address: tuple[str, int],
    requests: Iterator[bytes],
    *,
    connections: int,
    seconds: float,
    warm_seconds: float = 0.0,
) -> Load:
    """Closed loop: every connection asks again as soon as it is answered.

    A server so slow that the measured time would hold no answer is measured until it has given one.

    Raises:
        Missed: an answer other than 201, or none.
    """
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    done = loop.create_future()
    answered = under_way = 0
    counts_from = time.perf_counter() + warm_seconds
    ends_at = counts_from + seconds

    def on_answer(connection: Connection, answer: bytes) -> None:
        nonlocal answered, under_way, ends_at
        now = time.perf_counter()
        under_way -= 1
        answered += 1
        if not _is_created(answer):
            _fail(done, answer)
        elif counts_from <= connection.begun and (now <= ends_at or not latencies):
            latencies.append(now - connection.begun)
            ends_at = max(ends_at, now)
        if (now < ends_at or not latencies) and not done.done():
            under_way += 1
            connection.send(next(requests), now)
        elif under_way == 0 and not done.done():
            done.set_result(None)

    opened = await _connect(address, connections, on_answer, done)
    own = time.process_time()
    begun = time.perf_counter()
    under_way = len(opened)
    for connection in opened:
        connection.send(next(requests), time.perf_counter())
    await _finish(done, opened, warm_seconds + seconds)
    share = (time.process_time() - own) / (time.perf_counter() - begun)
    return Load(
        rate=len(latencies) / (ends_at - counts_from),
        latencies=latencies,
        answered=answered,
        own_core_share=share,
    )


async def pace(
    address: tuple[str, int],
    requests: Iterator[bytes],
    *,
    rate: float,
    count: int,
    connections: int = 64,
) -> Load:
    """Open loop: request n is due at n / `rate` seconds, whether earlier ones are answered or not.

    Raises:
        Missed: an answer other than 201, or none.
    """
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    done = loop.create_future()
    free: deque[Connection] = deque()
    late: deque[float] = deque()

    def on_answer(connection: Connection, answer: bytes) -> None:
        if not _is_created(answer):
            _fail(done, answer)
            return
        latencies.append(time.perf_counter() - connection.begun)
        if late:
            connection.send(next(requests), late.popleft())
            return
        free.append(connection)
        if len(latencies) == count and not done.done():
            done.set_result(None)

    opened = await _connect(address, connections, on_answer, done)
    free.extend(opened)
    own = time.process_time()
    begun, begun_in_loop = time.perf_counter(), loop.time()

    def due(number: int) -> None:
        moment = begun + number / rate
        if free:
            free.popleft().send(next(requests), moment)
        else:
            late.append(moment)

    for number in range(count):
        loop.call_at(begun_in_loop + number / rate, due, number)
    await _finish(done, opened, count / rate)
    seconds = time.perf_counter() - begun
    share = (time.process_time() - own) / seconds
    return Load(
        rate=count / seconds, latencies=latencies, answered=len(latencies), own_core_share=share
    )


async def _connect(
    address: tuple[str, int],
    count: int,
    on_answer: Callable[[Connection, bytes], None],
    done: asyncio.Future[None],
) -> list[Connection]:
    loop = asyncio.get_running_loop()
    opened: list[Connection] = []
    for _ in range(count):
        _, connection = await loop.create_connection(lambda: Connection(on_answer), *address)
        connection.lost.add_done_callback(lambda _: _fail(done, b"the server closed a connection"))
        opened.append(connection)
    return opened


async def _finish(done: asyncio.Future[None], opened: list[Connection], seconds: float) -> None:
    try:
        await asyncio.wait_for(done, seconds + _ANSWER_SECONDS_MAX)
    except TimeoutError:
        raise Missed(f"some requests were not answered within {_ANSWER_SECONDS_MAX:g} s") from None
    finally:
        for connection in opened:
            connection.close()


def _is_created(answer: bytes) -> bool:
    return answer[9:12] == b"201"


def _fail(done: asyncio.Future[None], answer: bytes) -> None:
    if not done.done():
        done.set_exception(Missed(f"expected 201, got: {answer[:600].decode(errors='replace')}"))
