"""What every service's HTTP side has without asking."""

import contextlib
from collections.abc import AsyncIterator

import httpx2
import msgspec
import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from structlog.testing import capture_logs

from shared.http.app import build_api
from shared.http.bodies import json_answer, read_json
from shared.http.openapi import openapi_body
from shared.observability import metrics
from shared.settings import ServiceSettings


class Wheel(msgspec.Struct):
    spokes: int


class Cart(msgspec.Struct):
    wheels: list[Wheel]


class Receipt(msgspec.Struct):
    cart_id: str


@pytest.fixture
def carts(api: FastAPI, client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    router = APIRouter(prefix="/carts", tags=["carts"])

    @router.post("/{name}", openapi_extra=openapi_body(Cart, answer=Receipt, status=201))
    async def put_cart(name: str, request: Request) -> Response:
        await read_json(request, Cart)
        return json_answer(Receipt(name), status=201)

    api.include_router(router, prefix="/v1")
    return client


async def test_the_document_describes_bodies_answers_and_problems(
    carts: httpx2.AsyncClient,
) -> None:
    document = (await carts.get("/openapi.json")).json()
    operation = document["paths"]["/v1/carts/{name}"]["post"]
    assert operation["operationId"] == "carts_put_cart"
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Cart"}
    answer = operation["responses"]["201"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/Receipt"}
    problem = operation["responses"]["412"]["content"]["application/problem+json"]["schema"]
    assert problem == {"$ref": "#/components/schemas/Problem"}
    assert {"Cart", "Wheel", "Receipt", "Problem"} <= document["components"]["schemas"].keys()
    assert "x-schemas" not in operation
    assert document["security"] == [{"bearer": []}]


async def test_every_reference_in_the_document_leads_somewhere(carts: httpx2.AsyncClient) -> None:
    document = (await carts.get("/openapi.json")).json()

    def references(value: object) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own.union(*map(references, value.values()))
        return set().union(*map(references, value)) if isinstance(value, list) else set()

    found = references(document)
    assert found
    for reference in found:
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]


async def test_health_needs_no_token_in_the_document(carts: httpx2.AsyncClient) -> None:
    document = (await carts.get("/openapi.json")).json()
    assert document["paths"]["/livez"]["get"]["security"] == []


def test_two_schemas_of_one_name_are_noticed(api: FastAPI) -> None:
    other = msgspec.defstruct("Cart", [("price", int)])

    @api.post("/a", openapi_extra=openapi_body(Cart))
    async def first() -> None: ...

    @api.post("/b", openapi_extra=openapi_body(other))
    async def second() -> None: ...

    with pytest.raises(ValueError, match="Cart"):
        api.openapi()


async def test_each_request_is_one_line_with_its_template(carts: httpx2.AsyncClient) -> None:
    with capture_logs() as lines:
        await carts.post("/v1/carts/red?who=anna@example.org", json={"wheels": []})
    [line] = lines
    assert line["event"] == "http_request"
    assert line["route"] == "/v1/carts/{name}"
    assert (line["method"], line["status"]) == ("POST", 201)
    assert line["seconds"] > 0
    assert "anna" not in str(line)


async def test_each_request_is_measured_by_its_template(carts: httpx2.AsyncClient) -> None:
    def count(*labels: str) -> float:
        sample = metrics.HTTP_REQUEST_SECONDS.labels(*labels)
        return sum(bucket.get() for bucket in sample._buckets)

    before = count("POST", "/v1/carts/{name}", "422"), count("*", "unmatched", "404")
    await carts.post("/v1/carts/red", json={})
    await carts.request("BREW", "/some/where")
    assert count("POST", "/v1/carts/{name}", "422") == before[0] + 1
    assert count("*", "unmatched", "404") == before[1] + 1


async def test_the_metrics_page_is_served(carts: httpx2.AsyncClient) -> None:
    page = await carts.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    assert "ticketing_http_request_seconds_bucket" in page.text
    assert "process_resident_memory_bytes" in page.text


async def test_health_checks_do_not_fill_the_log(client: httpx2.AsyncClient) -> None:
    with capture_logs() as lines:
        await client.get("/livez")
        await client.get("/metrics")
    assert lines == []


async def test_a_lifespan_of_ones_own_is_entered_and_left(settings: ServiceSettings) -> None:
    steps: list[str] = []

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        steps.append("in")
        yield
        steps.append("out")

    api = build_api(name="intake", title="I", version="1", settings=settings, lifespan=lifespan)
    async with api.router.lifespan_context(api):
        assert steps == ["in"]
    assert steps == ["in", "out"]


async def test_no_page_loads_anything_from_another_host(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/docs")).status_code == 404
    assert (await client.get("/redoc")).status_code == 404
