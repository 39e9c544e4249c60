"""The load generator counts what was answered, and never takes a refusal for a figure."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import pytest

from tests.bench.figures import Missed
from tests.bench.load import Load, hammer, pace

CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"
REFUSED = b"HTTP/1.1 409 Conflict\r\ncontent-length: 9\r\n\r\nnot today"
REQUEST = b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n"


@contextlib.asynccontextmanager
async def a_server(*answers: bytes, in_pieces: bool = False) -> AsyncIterator[tuple[str, int]]:
    """Gives these answers in turn, for ever; with `in_pieces` byte by byte."""
    turn = itertools.cycle(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                answer = next(turn)
                for piece in (
                    [answer[i : i + 1] for i in range(len(answer))] if in_pieces else [answer]
                ):
                    writer.write(piece)
                    await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[:2]
    finally:
        server.close()


async def a_hammering(address: tuple[str, int]) -> Load:
    return await hammer(address, itertools.repeat(REQUEST), connections=3, seconds=0.2)


async def test_every_answer_within_the_time_is_measured():
    async with a_server(CREATED) as address:
        load = await a_hammering(address)
    assert load.answered >= len(load.latencies) > 0
    assert load.rate == pytest.approx(len(load.latencies) / 0.2)


async def test_an_answer_that_comes_in_pieces_is_one_answer():
    async with a_server(CREATED, in_pieces=True) as address:
        load = await pace(address, itertools.repeat(REQUEST), rate=500, count=20, connections=2)
    assert load.answered == 20


async def test_a_refusal_ends_the_measurement_with_its_words():
    async with a_server(CREATED, REFUSED) as address:
        with pytest.raises(Missed, match="not today"):
            await a_hammering(address)


async def test_a_server_that_hangs_up_ends_the_measurement():
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        with pytest.raises(Missed, match="closed a connection"):
            await a_hammering(server.sockets[0].getsockname()[:2])


@contextlib.asynccontextmanager
async def a_slow_server() -> AsyncIterator[tuple[str, int]]:
    """Every answer takes 50 ms."""

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                ready = asyncio.Event()
                asyncio.get_running_loop().call_later(0.05, ready.set)
                await ready.wait()
                writer.write(CREATED)
        writer.close()

    server = await asyncio.start_server(slow, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[:2]


async def test_a_server_that_is_too_slow_for_the_time_is_measured_all_the_same():
    async with a_slow_server() as address:
        load = await hammer(address, itertools.repeat(REQUEST), connections=2, seconds=0.01)
    assert min(load.latencies) >= 0.05 * 0.9
    assert 0 < load.rate <= 2 / 0.05 / 0.9


async def test_under_a_fixed_rate_waiting_for_a_connection_counts_as_latency():
    async with a_slow_server() as address:
        # All are due at once and one connection serves them: the last one waited for the nine before it.
        load = await pace(address, itertools.repeat(REQUEST), rate=10_000, count=10, connections=1)
    assert max(load.latencies) >= 10 * 0.05 * 0.9
    assert min(load.latencies) < max(load.latencies) / 2
