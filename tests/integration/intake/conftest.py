"""Intake on the real PostgreSQL, asked over HTTP as its callers ask it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from shared.security import Role
from shared.security.issuer import LocalIssuer
from tests.integration.intake.desk import Caller, Desk, open_desk
from tests.support.database import Database


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> LocalIssuer:
    return LocalIssuer(Path(tmp_path_factory.mktemp("issuer")))


@pytest.fixture(scope="session")
async def desk(
    database: Database, issuer: LocalIssuer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    async with open_desk(database, issuer, tmp_path_factory.mktemp("files")) as opened:
        yield opened


@pytest.fixture(scope="session")
async def second_desk(database: Database, issuer: LocalIssuer, desk: Desk) -> AsyncIterator[Desk]:
    """Another process of the same service, with caches of its own."""
    async with open_desk(database, issuer) as opened:
        yield opened


@pytest.fixture
def caller(desk: Desk, issuer: LocalIssuer) -> Callable[..., Caller]:
    def make(subject: str, role: Role, *, at: Desk = desk) -> Caller:
        return Caller(at, issuer.issue(subject, role, name=subject.title()))

    return make


@pytest.fixture
def agent(caller: Callable[..., Caller]) -> Caller:
    return caller("anna", Role.AGENT)


@pytest.fixture
def customer(caller: Callable[..., Caller]) -> Caller:
    return caller("ben", Role.CUSTOMER)


@pytest.fixture
def importer(caller: Callable[..., Caller]) -> Caller:
    return caller("importer", Role.SERVICE)


@pytest.fixture
def supervisor(caller: Callable[..., Caller]) -> Caller:
    return caller("sue", Role.SUPERVISOR)
