"""Alive, started, ready: three questions with three answers."""

import httpx2
import pytest
from fastapi import FastAPI

from shared.http.app import build_api
from shared.http.health import HealthState
from shared.settings import ServiceSettings


@pytest.fixture
def health(api: FastAPI) -> HealthState:
    state: HealthState = api.state.health
    return state


async def test_alive_says_nothing_about_the_rest(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/livez")).status_code == 200


async def test_not_ready_before_the_start_is_complete(
    client: httpx2.AsyncClient, health: HealthState
) -> None:
    assert (await client.get("/startupz")).status_code == 503
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["waits_for"] == ["start-up to complete"]
    assert int(answer.headers["retry-after"]) > 0
    health.started()
    assert (await client.get("/startupz")).status_code == 200
    assert (await client.get("/readyz")).json()["status"] == "ready"


async def test_not_ready_while_a_part_is_bad_and_says_which(
    client: httpx2.AsyncClient, health: HealthState
) -> None:
    health.started()
    health.set("kafka", False, "no broker answers")
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["waits_for"]) == (503, ["kafka: no broker answers"])
    health.set("kafka", True)
    assert (await client.get("/readyz")).status_code == 200


async def test_a_part_that_does_not_gate_is_only_told(
    client: httpx2.AsyncClient, health: HealthState
) -> None:
    health.started()
    health.set("redis", False, "presence is degraded", gates=False)
    answer = await client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["conditions"]["redis"]["detail"] == "presence is degraded"


async def test_draining_is_not_ready_but_alive(
    client: httpx2.AsyncClient, health: HealthState
) -> None:
    health.started()
    health.drain()
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "draining")
    assert (await client.get("/livez")).status_code == 200
    assert (await client.get("/startupz")).status_code == 200


def test_expected_parts_must_report() -> None:
    health = HealthState(expects=["postgres"])
    health.started()
    assert not health.is_ready
    health.set("postgres", True)
    assert health.is_ready


def test_without_keys_a_service_is_not_ready(settings: ServiceSettings) -> None:
    bare = settings.model_copy(update={"jwks_file": None})
    api = build_api(name="intake", title="Intake", version="1", settings=bare)
    api.state.health.started()
    [missing] = api.state.health.waiting_for()
    assert "TICKETING_JWKS_FILE" in missing
