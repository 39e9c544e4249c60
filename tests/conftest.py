"""Fixtures of every test: the real servers, one fresh database and one set of topics per session."""

from collections.abc import Iterator

import pytest

from tests.support.database import Database, fresh_database
from tests.support.servers import Servers, choose_source, real_servers
from tests.support.topics import fresh_topics

_SOURCE = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SOURCE] = choose_source()


def pytest_report_header(config: pytest.Config) -> str:
    return f"servers: {config.stash[_SOURCE]} (started when a test asks for them)"


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Iterator[Servers]:
    with real_servers(pytestconfig.stash[_SOURCE]) as found:
        yield found


@pytest.fixture(scope="session")
def database(servers: Servers) -> Iterator[Database]:
    with fresh_database(servers.postgres) as made:
        yield made


@pytest.fixture(scope="session")
def topic_prefix(servers: Servers) -> Iterator[str]:
    with fresh_topics(servers.kafka) as prefix:
        yield prefix
