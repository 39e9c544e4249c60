"""A database of the reading side, emptied for each test, and the API called in place."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from services.query.main import build
from services.query.projections import Projections
from services.query.settings import Settings
from shared.database import Database
from shared.events import Event
from shared.security import Role
from shared.security.issuer import LocalIssuer
from shared.service import Service
from tests.integration.query.stories import Story, feed
from tests.support.database import Database as TestDatabase
from tests.support.database import empty, fresh_database
from tests.support.servers import Servers

PACKAGES = ("shared.messaging", "shared.audit", "services.query")


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> LocalIssuer:
    return LocalIssuer(Path(tmp_path_factory.mktemp("issuer")))


@pytest.fixture(scope="session")
def own_database(servers: Servers) -> Iterator[TestDatabase]:
    with fresh_database(servers.postgres) as made:
        yield made


@pytest.fixture(scope="session")
def settings(own_database: TestDatabase, issuer: LocalIssuer, servers: Servers) -> Settings:
    return Settings(
        database_url=SecretStr(own_database.url("query")),
        kafka_bootstrap_servers=servers.kafka,
        jwks_file=issuer.jwks_file,
        database_pool_size=4,
        min_version_seconds_max=0.3,
        board_seconds_min=0.1,
        board_seconds_max=0.5,
        front_door_url="http://front-door",
    )


@dataclass
class Reader:
    """The service without its server process: events in by hand, questions over its own API."""

    service: Service
    http: httpx2.AsyncClient
    issuer: LocalIssuer
    handler: Projections = field(default_factory=Projections)

    @property
    def store(self) -> Database:
        assert isinstance(self.service.store, Database)
        return self.service.store

    def feed(self, *stories: Story, batch: int = 50) -> None:
        self.feed_events([event for story in stories for event in story.events], batch=batch)

    def feed_events(self, events: list[Event], *, batch: int = 50) -> None:
        feed(self.store, self.handler, events, batch=batch)

    def rows(self, query: Any, *parameters: Any) -> list[dict[str, Any]]:
        return self.store.transact(lambda tx: tx.cursor.execute(query, parameters).fetchall())

    async def get(
        self, path: str, *, role: Role = Role.AGENT, subject: str = "anna", **parameters: Any
    ) -> httpx2.Response:
        token = self.issuer.issue(subject, role)
        return await self.http.get(
            path, params=parameters, headers={"Authorization": f"Bearer {token}"}
        )

    async def read(self, path: str, **said: Any) -> dict[str, Any]:
        answer = await self.get(path, **said)
        assert answer.status_code == 200, answer.text
        content: dict[str, Any] = answer.json()
        return content


@pytest.fixture(scope="session")
async def service(settings: Settings) -> AsyncIterator[Service]:
    service = build(settings)
    service.store.open()
    service.store.migrate(*PACKAGES)
    yield service
    await service.stop()


@pytest.fixture
async def reader(
    service: Service, issuer: LocalIssuer, own_database: TestDatabase
) -> AsyncIterator[Reader]:
    """Empty projections."""
    with own_database.rule("query") as connection:
        found = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'query'"
            " AND tablename <> 'schema_migrations'"
        )
        empty(connection, [name for (name,) in found])
    transport = httpx2.ASGITransport(app=service.api)
    async with httpx2.AsyncClient(transport=transport, base_url="http://query") as http:
        yield Reader(service, http, issuer)
