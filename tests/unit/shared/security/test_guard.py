"""Who gets in: roles, missing tokens, cookies and requests of other sites."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Depends, FastAPI

from shared.http.app import build_api
from shared.security import LocalIssuer, Principal, Role, require
from shared.security.guard import COOKIE
from shared.security.session import session_router
from shared.settings import ServiceSettings

SAME = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def api(issuer: LocalIssuer) -> FastAPI:
    settings = ServiceSettings(
        database_url="postgresql://nobody@127.0.0.1:1/none",
        kafka_bootstrap_servers="127.0.0.1:1",
        jwks_file=issuer.jwks_file,
    )
    api = build_api(name="query", title="Query", version="1", settings=settings)
    api.include_router(session_router())
    for role in Role:

        @api.get(f"/{role}")
        async def by_role(principal: Annotated[Principal, Depends(require(role))]) -> str:
            return principal.id

    @api.get("/known")
    @api.post("/known")
    async def known(principal: Annotated[Principal, Depends(require())]) -> str:
        return principal.id

    @api.delete("/thing")
    async def delete(
        principal: Annotated[Principal, Depends(require(Role.ADMIN, machines=False))],
    ) -> str:
        return principal.id

    return api


@pytest.fixture
async def client(api: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=api)
    async with httpx2.AsyncClient(transport=transport, base_url="http://front.test") as client:
        yield client


def bearer(issuer: LocalIssuer, role: Role, subject: str = "anna") -> dict[str, str]:
    return {"Authorization": f"Bearer {issuer.issue(subject, role)}"}


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.CUSTOMER, {"customer"}),
        (Role.AGENT, {"customer", "agent"}),
        (Role.SUPERVISOR, {"customer", "agent", "supervisor"}),
        (Role.ADMIN, {"customer", "agent", "supervisor", "admin"}),
        (Role.SERVICE, {"customer", "agent", "supervisor", "admin", "service"}),
    ],
)
async def test_each_role_includes_those_below(
    client: httpx2.AsyncClient, issuer: LocalIssuer, role: Role, may: set[str]
) -> None:
    headers = bearer(issuer, role)
    answers = {wanted: await client.get(f"/{wanted}", headers=headers) for wanted in Role}
    assert {wanted for wanted, answer in answers.items() if answer.status_code == 200} == may
    assert {answer.status_code for wanted, answer in answers.items() if wanted not in may} <= {403}


async def test_machines_delete_nothing(client: httpx2.AsyncClient, issuer: LocalIssuer) -> None:
    assert (await client.delete("/thing", headers=bearer(issuer, Role.ADMIN))).status_code == 200
    answer = await client.delete("/thing", headers=bearer(issuer, Role.SERVICE))
    assert (answer.status_code, answer.json()["code"]) == (403, "role_not_enough")


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}, {"Authorization": ""}],
)
async def test_without_a_token_there_is_a_challenge(
    client: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await client.get("/known", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_bad_token_is_told_why(client: httpx2.AsyncClient, issuer: LocalIssuer) -> None:
    expired = issuer.issue("anna", Role.AGENT, ttl_seconds=-3_600)
    answer = await client.get("/known", headers={"Authorization": f"bearer {expired}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert "expired" in answer.headers["www-authenticate"]


async def test_health_needs_no_token(client: httpx2.AsyncClient) -> None:
    for address in ("/livez", "/startupz", "/readyz", "/metrics", "/openapi.json"):
        assert (await client.get(address)).status_code != 401


@pytest.fixture
async def logged_in(client: httpx2.AsyncClient, issuer: LocalIssuer) -> httpx2.AsyncClient:
    answer = await client.post("/session", headers=bearer(issuer, Role.AGENT))
    assert answer.json() == {"id": "anna", "role": "agent", "name": None}
    return client


async def test_logging_in_sets_a_cookie_that_scripts_and_other_sites_cannot_use(
    client: httpx2.AsyncClient, issuer: LocalIssuer
) -> None:
    answer = await client.post("/session", headers=bearer(issuer, Role.AGENT))
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith(COOKIE)
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie  # plain HTTP on loopback
    assert 0 < int(cookie.partition("max-age=")[2].partition(";")[0]) <= 8 * 3600


async def test_over_https_the_cookie_stays_there(
    client: httpx2.AsyncClient, issuer: LocalIssuer
) -> None:
    answer = await client.post("https://front.test/session", headers=bearer(issuer, Role.AGENT))
    assert "secure" in answer.headers["set-cookie"].lower()


async def test_logging_in_needs_the_header(logged_in: httpx2.AsyncClient) -> None:
    assert (await logged_in.post("/session", headers=SAME)).status_code == 401


async def test_a_session_reads(logged_in: httpx2.AsyncClient) -> None:
    assert (await logged_in.get("/known")).json() == "anna"
    assert (await logged_in.get("/session")).json()["role"] == "agent"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (SAME, 200),
        ({"Origin": "http://front.test"}, 200),
        (SAME | {"Origin": "http://front.test"}, 200),
        ({}, 403),
        ({"Origin": "http://evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://front.test.evil.test"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://front.test"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
    ],
)
async def test_a_session_changes_something_only_from_our_own_page(
    logged_in: httpx2.AsyncClient, headers: dict[str, str], status: int
) -> None:
    assert (await logged_in.post("/known", headers=headers)).status_code == status


async def test_a_bearer_token_needs_no_page(
    client: httpx2.AsyncClient, issuer: LocalIssuer
) -> None:
    headers = bearer(issuer, Role.AGENT) | {"Origin": "http://elsewhere.test"}
    assert (await client.post("/known", headers=headers)).status_code == 200


async def test_the_header_goes_before_the_cookie(
    logged_in: httpx2.AsyncClient, issuer: LocalIssuer
) -> None:
    answer = await logged_in.get("/known", headers=bearer(issuer, Role.ADMIN, "boss"))
    assert answer.json() == "boss"


async def test_logging_out_forgets(logged_in: httpx2.AsyncClient) -> None:
    assert (await logged_in.delete("/session")).status_code == 204
    assert (await logged_in.get("/known")).status_code == 401


@pytest.mark.parametrize("cookie", ["garbage", '"', "a.b.c"])
async def test_a_broken_cookie_is_no_session(client: httpx2.AsyncClient, cookie: str) -> None:
    answer = await client.get("/known", headers={"Cookie": f"{COOKIE}={cookie}"})
    assert answer.status_code == 401


async def test_a_token_too_long_for_a_cookie_is_refused(
    client: httpx2.AsyncClient, issuer: LocalIssuer
) -> None:
    token = issuer.issue("anna", Role.AGENT, groups=["g" * 60] * 60)
    answer = await client.post("/session", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, "set-cookie" in answer.headers) == (422, False)


async def test_keys_that_cannot_be_read_are_not_the_callers_fault(
    tmp_path: Path, issuer: LocalIssuer, api: FastAPI, client: httpx2.AsyncClient
) -> None:
    keys: Any = api.state.tokens._keys
    keys.path = tmp_path / "missing.json"
    answer = await client.get("/known", headers=bearer(issuer, Role.AGENT))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
