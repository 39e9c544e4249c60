"""Many lines in, many lines out; one bad line spoils no other."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import msgspec
import pytest
from fastapi import FastAPI, Request
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Refused
from shared.http.ndjson import Limits, LinesResponse, ndjson_answer, read_lines
from shared.http.problems import problem_of

LIMITS = Limits(lines=5, line_bytes=50, total_bytes=1_000)


class Item(msgspec.Struct):
    n: int


def request_of(chunks: list[bytes]) -> Request:
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    waiting = iter([*messages, {"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        return next(waiting)

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


async def lines_of(chunks: list[bytes], limits: Limits = LIMITS) -> list[Any]:
    found = [line async for line in read_lines(request_of(chunks), Item, limits)]
    assert [line.index for line in found] == list(range(len(found)))
    return [line.value.n if line.value else line.refusal.code for line in found]


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.integers(0, 99), max_size=5), st.lists(st.integers(1, 40), max_size=10))
async def test_lines_are_the_same_however_they_are_cut(numbers: list[int], cuts: list[int]) -> None:
    raw = b"".join(b'{"n": %d}\n' % number for number in numbers)
    chunks = []
    for cut in cuts:
        chunks.append(raw[:cut])
        raw = raw[cut:]
    assert await lines_of([*chunks, raw]) == numbers


async def test_the_last_line_needs_no_end() -> None:
    assert await lines_of([b'{"n":1}\n{"n":2}']) == [1, 2]


async def test_blank_lines_and_carriage_returns_do_not_count() -> None:
    assert await lines_of([b'\r\n{"n":1}\r\n\n  \n{"n":2}\r\n']) == [1, 2]


async def test_a_malformed_line_is_an_item_among_the_others() -> None:
    raw = b'{"n":1}\n{"n":"x"}\nnonsense\n\xff\n{"n":5}\n'
    assert await lines_of([raw]) == [1, "invalid", "not_json", "not_json", 5]


@pytest.mark.parametrize("cut", [10, 60, 120, 131])
async def test_a_line_too_long_is_refused_and_skipped(cut: int) -> None:
    raw = b'{"n":1}\n{"n":' + b" " * 100 + b'2}\n{"n":3}\n'
    assert await lines_of([raw[:cut], raw[cut:]]) == [1, "too_large", 3]


async def test_a_long_last_line_is_refused_too() -> None:
    assert await lines_of([b'{"n":1}\n', b" " * 60, b'{"n":2}']) == [1, "too_large"]


async def test_too_many_lines_end_the_reading() -> None:
    with pytest.raises(Refused) as caught:
        await lines_of([b'{"n":1}\n' * 6])
    assert caught.value.status == 413


@pytest.fixture
def batching(api: FastAPI, client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    @api.post("/batch")
    async def batch(request: Request) -> LinesResponse:
        async def results() -> AsyncIterator[Any]:
            async for line in read_lines(request, Item, Limits(lines=5_000, total_bytes=50_000)):
                if line.refusal is not None:
                    yield {"index": line.index, "problem": problem_of(line.refusal)}
                else:
                    yield {"index": line.index, "value": line.value}

        return ndjson_answer(results())

    return client


async def test_results_come_in_order_with_problems_in_their_places(
    batching: httpx2.AsyncClient,
) -> None:
    answer = await batching.post(
        "/batch",
        content=b'{"n":1}\n{}\n{"n":3}\n',
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert answer.headers["content-type"] == "application/x-ndjson"
    first, second, third = map(msgspec.json.decode, answer.content.splitlines())
    assert (first["value"], third["value"]) == ({"n": 1}, {"n": 3})
    assert second["problem"]["errors"] == [{"field": "n", "message": "is required"}]


async def test_a_batch_may_exceed_the_limit_of_ordinary_bodies(
    batching: httpx2.AsyncClient,
) -> None:
    answer = await batching.post("/batch", content=b'{"n":1}\n' * 5_000)
    assert len(answer.content.splitlines()) == 5_000


async def test_an_error_before_the_first_line_is_a_problem(batching: httpx2.AsyncClient) -> None:
    answer = await batching.post("/batch", content=b"", headers={"Content-Length": "50001"})
    assert answer.status_code == 413
    answer = await batching.post("/batch", content=b"a=1", headers={"Content-Type": "text/csv"})
    assert answer.status_code == 415


async def test_an_empty_batch_has_an_empty_answer(batching: httpx2.AsyncClient) -> None:
    answer = await batching.post("/batch", content=b"")
    assert (answer.status_code, answer.content) == (200, b"")
