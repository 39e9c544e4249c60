"""The mail channel of a running intake: mails in by HTTP, SMTP, LMTP and IMAP; events in a real PostgreSQL."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from shared.security import Role
from shared.security.issuer import LocalIssuer
from tests.integration.intake.desk import Caller, Desk
from tests.integration.intake_mail.outside import Outside
from tests.integration.intake_mail.post import MAILBOXES, Post, open_post
from tests.support.database import Database


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> LocalIssuer:
    return LocalIssuer(Path(tmp_path_factory.mktemp("mail-issuer")))


@pytest.fixture(scope="session")
def mailboxes_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("mailboxes") / "mailboxes.yaml"
    file.write_text(MAILBOXES, encoding="utf-8")
    return file


@pytest.fixture(scope="session")
async def desk(
    database: Database, issuer: LocalIssuer, mailboxes_file: Path, tmp_path_factory
) -> AsyncIterator[Desk]:
    folder = tmp_path_factory.mktemp("files")
    async with open_post(database, issuer, mailboxes_file, folder) as opened:
        yield opened


@pytest.fixture(scope="session")
async def second_desk(
    database: Database, issuer: LocalIssuer, mailboxes_file: Path, desk: Desk, tmp_path_factory
) -> AsyncIterator[Desk]:
    """Another process of the same service."""
    folder = tmp_path_factory.mktemp("second-files")
    async with open_post(database, issuer, mailboxes_file, folder) as opened:
        yield opened


@pytest.fixture
def agent(desk: Desk, issuer: LocalIssuer) -> Caller:
    return Caller(desk, issuer.issue("anna", Role.AGENT, name="Anna"))


@pytest.fixture
def post(desk: Desk, agent: Caller) -> Post:
    return Post(desk, agent)


@pytest.fixture(scope="module")
def boxes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The module's own `MAILBOXES`, for a house that sends."""
    file = tmp_path_factory.mktemp("own-mailboxes") / "mailboxes.yaml"
    file.write_text(request.module.MAILBOXES, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where that house keeps files."""
    return tmp_path_factory.mktemp("own-files")


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    """The mail server that this module's mails go to."""
    world = Outside()
    with world.serving() as port:
        world.port = port
        yield world
