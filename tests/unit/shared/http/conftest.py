"""An API as every service makes it, spoken to in process."""

from collections.abc import AsyncIterator, Callable

import httpx2
import pytest
from fastapi import FastAPI

from shared.http.app import build_api
from shared.security import LocalIssuer, Role
from shared.settings import ServiceSettings


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> LocalIssuer:
    return LocalIssuer(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def settings(issuer: LocalIssuer) -> ServiceSettings:
    return ServiceSettings(
        database_url="postgresql://nobody@127.0.0.1:1/none",
        kafka_bootstrap_servers="127.0.0.1:1",
        jwks_file=issuer.jwks_file,
        http_body_bytes_max=2_000,
    )


@pytest.fixture
def api(settings: ServiceSettings) -> FastAPI:
    return build_api(name="intake", title="Intake", version="1", settings=settings)


@pytest.fixture
async def client(api: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=api)
    async with httpx2.AsyncClient(transport=transport, base_url="http://front.test") as client:
        yield client


@pytest.fixture
def as_(issuer: LocalIssuer) -> Callable[..., dict[str, str]]:
    """Headers of a caller: `as_(Role.AGENT)`, `as_(Role.CUSTOMER, "carla")`."""

    def headers(role: Role, subject: str = "someone") -> dict[str, str]:
        return {"Authorization": f"Bearer {issuer.issue(subject, role)}"}

    return headers
