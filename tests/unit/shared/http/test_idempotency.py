"""One key, one caller, one operation, one request: one claim."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request, Response

from shared.errors import Invalid
from shared.eventstore.claims import Claim
from shared.http.bodies import json_answer
from shared.http.idempotency import CommandKey, OptionalKey
from shared.security import Principal, Role

ANNA = Principal("anna", Role.AGENT)
BEN = Principal("ben", Role.AGENT)


@pytest.fixture
def claims(api: FastAPI) -> list[Claim | None]:
    """What the claims of the requests made were, in order."""
    made: list[Claim | None] = []

    async def command(request: Request, key: OptionalKey) -> Response:
        made.append(key and key.claim(await request.body()))
        return json_answer({})

    api.post("/v1/tickets/{ticket_id}/close")(command)
    api.post("/v1/tickets/{ticket_id}/reopen")(command)
    return made


async def test_a_repetition_makes_the_same_claim(
    client: httpx2.AsyncClient, claims: list[Any], as_: Any
) -> None:
    for _ in range(2):
        headers = as_(Role.AGENT, "anna") | {"Idempotency-Key": "k"}
        await client.post("/v1/tickets/1/close", content=b"{}", headers=headers)
    assert claims[0] == claims[1]
    assert claims[0] is not None


async def test_the_same_key_for_another_ticket_is_the_same_key_used_for_another_request(
    client: httpx2.AsyncClient, claims: list[Any], as_: Any
) -> None:
    for ticket in ("1", "2"):
        headers = as_(Role.AGENT, "anna") | {"Idempotency-Key": "k"}
        await client.post(f"/v1/tickets/{ticket}/close", content=b"{}", headers=headers)
    assert claims[0].id == claims[1].id
    assert claims[0].body_hash != claims[1].body_hash


async def test_callers_and_operations_have_keys_of_their_own(
    client: httpx2.AsyncClient, claims: list[Any], as_: Any
) -> None:
    for subject, operation in (("anna", "close"), ("ben", "close"), ("anna", "reopen")):
        headers = as_(Role.AGENT, subject) | {"Idempotency-Key": "k"}
        await client.post(f"/v1/tickets/1/{operation}", content=b"{}", headers=headers)
    assert len({claim.id for claim in claims}) == 3


async def test_without_a_key_there_is_no_claim(
    client: httpx2.AsyncClient, claims: list[Any], as_: Any
) -> None:
    await client.post("/v1/tickets/1/close", headers=as_(Role.AGENT))
    assert claims == [None]


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "tab\there", "é", "\x7f"])
async def test_a_malformed_key_is_refused(
    client: httpx2.AsyncClient, claims: list[Any], as_: Any, key: str
) -> None:
    headers = as_(Role.AGENT) | {"Idempotency-Key": key.encode()}
    answer = await client.post("/v1/tickets/1/close", headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "header Idempotency-Key"
    assert claims == []


@pytest.mark.parametrize("key", ["k", "x" * 255, "a b", '"quoted"'])
async def test_keys_up_to_255_visible_characters(
    client: httpx2.AsyncClient, claims: list[Any], as_: Any, key: str
) -> None:
    headers = as_(Role.AGENT) | {"Idempotency-Key": key}
    assert (await client.post("/v1/tickets/1/close", headers=headers)).status_code == 200
    assert claims[0] is not None


def test_items_of_a_batch_have_keys() -> None:
    first = CommandKey.of_item(ANNA, "batch open", "k").claim(b"{}")
    assert CommandKey.of_item(ANNA, "batch open", "k").claim(b"{}") == first
    assert CommandKey.of_item(BEN, "batch open", "k").claim(b"{}").id != first.id
    assert CommandKey.of_item(ANNA, "batch reply", "k").claim(b"{}").id != first.id
    with pytest.raises(Invalid) as caught:
        CommandKey.of_item(ANNA, "batch open", "", field="line[4].key")
    assert caught.value.field == "line[4].key"
