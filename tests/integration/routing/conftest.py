"""Routing on the real PostgreSQL: clean tables for each test, one or more processes of the service."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.routing.settings import Settings
from shared.security.issuer import LocalIssuer
from tests.integration.routing.office import TABLES, Office, make_settings, open_office
from tests.support.database import Database, empty


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> LocalIssuer:
    return LocalIssuer(Path(tmp_path_factory.mktemp("issuer")))


@pytest.fixture
def settings(database: Database, issuer: LocalIssuer) -> Settings:
    return make_settings(database, issuer)


@pytest.fixture
async def office(
    settings: Settings, issuer: LocalIssuer, database: Database
) -> AsyncIterator[Office]:
    async with open_office(settings, issuer) as opened:
        await asyncio.to_thread(clean, database)
        yield opened


@pytest.fixture
async def second_office(
    settings: Settings, issuer: LocalIssuer, office: Office
) -> AsyncIterator[Office]:
    """Another process of the same service, with a roster in memory of its own."""
    async with open_office(settings, issuer) as opened:
        opened.tickets = office.tickets
        yield opened


def clean(database: Database) -> None:
    with database.rule("routing") as connection:
        empty(connection, TABLES)
        connection.execute(
            "UPDATE desk SET stamp = gen_random_uuid(), turn = 0, is_importing = false,"
            " rules_version = 0, rules_mode = 'first', rules = '[]',"
            " settings_version = 0, settings = '{}'"
        )
