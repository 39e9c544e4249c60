"""What the tests of the live sla service share: a clean schema, and parts on the real PostgreSQL."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from services.sla.main import build
from services.sla.settings import Settings
from shared.eventstore import EventStore
from shared.security import Role
from shared.security.issuer import LocalIssuer
from shared.service import Service
from tests.integration.sla.support import MIGRATIONS, Desk, clean, make_settings, open_store
from tests.support.database import Database

__all__ = ["MIGRATIONS"]


@pytest.fixture(scope="session")
def migrated(database: Database) -> Database:
    store = open_store(make_settings(database))
    store.migrate("shared.messaging", *MIGRATIONS)
    store._sync.close()
    return database


@pytest.fixture
def clean_database(migrated: Database) -> Database:
    with migrated.rule("sla") as connection:
        clean(connection)
    return migrated


@pytest.fixture
def settings(clean_database: Database) -> Settings:
    return make_settings(clean_database)


@pytest.fixture
async def stores(clean_database: Database) -> AsyncIterator[Callable[[], EventStore[Any]]]:
    """Makes stores, each like that of a process of its own."""
    made: list[EventStore[Any]] = []

    def make() -> EventStore[Any]:
        store = open_store(make_settings(clean_database))
        store.migrate("shared.messaging", *MIGRATIONS)
        made.append(store)
        return store

    yield make
    for store in made:
        await store.close()


@pytest.fixture
def desk(stores: Callable[[], EventStore[Any]], settings: Settings) -> Desk:
    return Desk(stores(), settings)


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> LocalIssuer:
    return LocalIssuer(tmp_path_factory.mktemp("keys"))


@pytest.fixture
async def service(settings: Settings, issuer: LocalIssuer) -> AsyncIterator[Service]:
    made = build(settings.model_copy(update={"jwks_file": Path(issuer.jwks_file)}))
    made.store.open()
    made.store.migrate("shared.messaging", *MIGRATIONS)
    yield made
    await made.stop()


@pytest.fixture
async def client(service: Service, issuer: LocalIssuer) -> AsyncIterator[httpx2.AsyncClient]:
    """Asks as a supervisor."""
    headers = {"authorization": f"Bearer {issuer.issue('sue', Role.SUPERVISOR)}"}
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(service.api), base_url="http://sla", headers=headers
    ) as made:
        yield made
