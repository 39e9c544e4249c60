"""Whatever goes wrong leaves as problem details, and never as a stack trace."""

import json

import httpx2
import psycopg
import psycopg_pool
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from structlog.testing import capture_logs

from shared.errors import (
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    KeyReused,
    NotFound,
    NotYet,
    Refused,
    Unreadable,
)


class TicketIsClosed(Refused):
    """A fact of some domain."""


def raising(api: FastAPI, error: Exception) -> None:
    @api.get("/raise")
    async def fail() -> None:
        raise error


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (TicketIsClosed("It is closed."), 409, "ticket_is_closed"),
        (NotFound("No such ticket."), 404, "not_found"),
        (Invalid("Wrong."), 422, "invalid"),
        (Forbidden("No."), 403, "forbidden"),
        (Conflict("It is at 7."), 412, "conflict"),
        (KeyReused("Other body."), 422, "key_reused"),
        (NotYet("Not heard of it.", retry_after_seconds=3), 503, "not_yet"),
        (psycopg.OperationalError("connection to 10.0.0.1 failed"), 503, "store_unavailable"),
        (psycopg_pool.PoolTimeout("no connection in 5 s"), 503, "store_unavailable"),
        (psycopg.InterfaceError("closed"), 503, "store_unavailable"),
        (psycopg.DataError("cannot contain NUL"), 422, "value_not_storable"),
        (Unreadable("stored bytes"), 500, "unexpected"),
        (ZeroDivisionError("secret detail"), 500, "unexpected"),
        (RecursionError("deep"), 500, "unexpected"),
    ],
)
async def test_every_error_has_its_status_and_code(
    api: FastAPI, client: httpx2.AsyncClient, error: Exception, status: int, code: str
) -> None:
    raising(api, error)
    answer = await client.get("/raise", headers={"X-Correlation-Id": "c-1"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code
    assert problem["status"] == status
    assert problem["correlation_id"] == "c-1"
    assert answer.headers["x-correlation-id"] == "c-1"


async def test_fields_at_fault_are_named(api: FastAPI, client: httpx2.AsyncClient) -> None:
    raising(
        api, Invalid("Two.", errors=[FieldError("tags[2]", "long"), FieldError("subject", "no")])
    )
    problem = (await client.get("/raise")).json()
    assert problem["errors"] == [
        {"field": "tags[2]", "message": "long"},
        {"field": "subject", "message": "no"},
    ]


async def test_unavailable_says_when_to_come_again(
    api: FastAPI, client: httpx2.AsyncClient
) -> None:
    raising(api, NotYet("Wait.", retry_after_seconds=7))
    assert (await client.get("/raise")).headers["retry-after"] == "7"


async def test_a_store_that_is_away_says_when_to_come_again_and_not_where_it_is(
    api: FastAPI, client: httpx2.AsyncClient
) -> None:
    raising(api, psycopg.OperationalError("connection to server at 10.1.2.3 failed"))
    answer = await client.get("/raise")
    assert int(answer.headers["retry-after"]) > 0
    assert "10.1.2.3" not in answer.text


async def test_the_unexpected_is_logged_with_its_traceback_and_not_told_to_the_caller(
    api: FastAPI, client: httpx2.AsyncClient
) -> None:
    raising(api, ZeroDivisionError("inner workings"))
    with capture_logs() as lines:
        answer = await client.get("/raise")
    assert "inner workings" not in answer.text
    assert "Traceback" not in answer.text
    [line] = [line for line in lines if line["event"] == "unexpected_error"]
    assert isinstance(line["exc_info"], ZeroDivisionError)
    assert line["log_level"] == "error"


async def test_refusals_are_not_errors_of_ours(api: FastAPI, client: httpx2.AsyncClient) -> None:
    raising(api, TicketIsClosed("It is closed."))
    with capture_logs() as lines:
        await client.get("/raise")
    assert [line["event"] for line in lines] == ["http_request"]


async def test_half_an_answer_is_cut_off_rather_than_ended(
    api: FastAPI, client: httpx2.AsyncClient
) -> None:
    async def pieces():
        yield b"first"
        raise ZeroDivisionError

    @api.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(pieces())

    with pytest.raises(ZeroDivisionError):  # a real server closes the connection on this
        await client.get("/stream")


async def test_an_unknown_address_is_a_problem(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/nowhere")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_address")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_wrong_method_is_a_problem_that_names_the_right_one(
    client: httpx2.AsyncClient,
) -> None:
    answer = await client.post("/livez")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET"


class Small(BaseModel):
    count: int


async def test_parameters_are_named_with_their_place(
    api: FastAPI, client: httpx2.AsyncClient
) -> None:
    @api.get("/list/{page}")
    async def listing(page: int, limit: int) -> None:
        del page, limit

    problem = (await client.get("/list/x?limit=y")).json()
    assert {each["field"] for each in problem["errors"]} == {"path page", "query limit"}
    assert problem["status"] == 422


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b'{"count": "many"}', 422, "count"),
        (b"{", 400, "body"),
        (b'{"count": "\xff"}', 400, None),
        (b"[" * 1_500, 400, None),
        (b'{"count": ' + b"9" * 1_900, 400, None),
        (b'"' + b"x" * 3_000 + b'"', 413, "body"),
    ],
)
async def test_bodies_read_by_pydantic_fail_as_problems_too(
    api: FastAPI, client: httpx2.AsyncClient, body: bytes, status: int, field: str | None
) -> None:
    @api.post("/small")
    async def small(small: Small) -> None:
        del small

    answer = await client.post("/small", content=body, headers={"Content-Type": "application/json"})
    problem = json.loads(answer.content)
    assert answer.status_code == problem["status"] == status
    if field is not None:
        assert [each["field"] for each in problem["errors"]] == [field]
