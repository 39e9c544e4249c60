"""Bodies have a size, addresses have no NUL."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI, Request, Response

from shared.http.bodies import json_answer, read_json
from shared.http.limits import allow_body


@pytest.fixture
def reading(api: FastAPI, client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    @api.post("/small")
    async def small(request: Request) -> Response:
        return json_answer(len(await read_json(request, str)))

    @api.post("/large")
    async def large(request: Request) -> Response:
        allow_body(request.scope, 10_000)
        return json_answer(len(await request.body()))

    @api.get("/found/{name}")
    async def found(name: str, q: str = "") -> str:
        return name + q

    return client


async def chunks(total: int) -> AsyncIterator[bytes]:
    for _ in range(total // 500):
        yield b"x" * 500


async def test_a_body_announced_as_too_large_is_refused_unread(reading: httpx2.AsyncClient) -> None:
    answer = await reading.post("/small", content=b"", headers={"Content-Length": "2001"})
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"
    assert "2000" in answer.json()["detail"]


async def test_a_body_that_turns_out_too_large_is_refused(reading: httpx2.AsyncClient) -> None:
    answer = await reading.post("/small", content=chunks(2_500))
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_within_the_limit_is_read(reading: httpx2.AsyncClient) -> None:
    answer = await reading.post("/small", content=b'"%s"' % (b"x" * 1_998))
    assert answer.json() == 1_998


async def test_an_address_may_allow_more(reading: httpx2.AsyncClient) -> None:
    assert (await reading.post("/large", content=chunks(9_500))).json() == 9_500
    assert (await reading.post("/large", content=chunks(10_500))).status_code == 413


async def test_nul_in_the_path_is_refused(reading: httpx2.AsyncClient) -> None:
    answer = await reading.get("/found/a%00b")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "path")


async def test_nul_in_the_query_names_the_parameter(reading: httpx2.AsyncClient) -> None:
    answer = await reading.get("/found/a?limit=1&q=a%00b")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query q")


async def test_percent_signs_in_the_query_are_not_nul(reading: httpx2.AsyncClient) -> None:
    answer = await reading.get("/found/a", params={"q": "100%25"})
    assert answer.status_code == 200
