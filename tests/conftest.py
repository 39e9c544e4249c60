"""Fixtures of every test: the real servers, one fresh database and one set of topics per session.

With several workers (`make test`) the controlling process starts the servers once, for all of them.
"""

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import asdict
from typing import Any

import hypothesis
import pytest
import structlog

from tests.support import leftovers
from tests.support.database import Database, drop_databases, fresh_database
from tests.support.servers import Servers, choose_source, real_servers
from tests.support.topics import fresh_topics

_SOURCE = pytest.StashKey[str]()
_SERVERS = "servers"

_SHORT_LIVED_JAVA = "-XX:TieredStopAtLevel=1"
"""A Kafka that runs for a minute never earns back what its second compiler costs: half the time of its start."""


def pytest_configure(config: pytest.Config) -> None:
    # By default it draws each frame with its variables: many seconds for an error that a test provokes.
    plain = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])
    # How long one example takes says what else the machine does, and nothing about the code.
    hypothesis.settings.register_profile("unhurried", deadline=None)
    hypothesis.settings.load_profile("unhurried")
    config.pluginmanager.register(leftovers)
    if hasattr(config, "workerinput"):
        return
    config.stash[_SOURCE] = choose_source()
    os.environ.setdefault("JDK_JAVA_OPTIONS", _SHORT_LIVED_JAVA)
    if config.getoption("numprocesses", default=None):
        config.pluginmanager.register(_SharedServers(config.stash[_SOURCE]))


def pytest_collection_finish() -> None:
    # Five thousand tests and all that they import live as long as this process: a quarter of its time went into
    # walking them again and again. What a test leaves open is told within its file (`leftovers`).
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    if config.getoption("dist") != "loadfile":
        return None
    from tests.support.workers import Sharing

    return Sharing(config, log)


def pytest_report_header(config: pytest.Config) -> str | None:
    if hasattr(config, "workerinput"):
        return None
    return f"servers: {config.stash[_SOURCE]} (started when a test asks for them)"


class _SharedServers:
    """Servers of the controlling process, told to every worker before it begins."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._running = ExitStack()
        self._servers: Servers | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        if self._servers is None:
            self._servers = self._running.enter_context(real_servers(self._source))
        node.workerinput[_SERVERS] = asdict(self._servers)

    def pytest_unconfigure(self) -> None:
        self._running.close()


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Iterator[Servers]:
    told = getattr(pytestconfig, "workerinput", None)
    with (
        nullcontext(Servers(**told[_SERVERS]))
        if told is not None
        else real_servers(pytestconfig.stash[_SOURCE])
    ) as found:
        yield found
        drop_databases(found.postgres)


@pytest.fixture(scope="session")
def database(servers: Servers) -> Iterator[Database]:
    with fresh_database(servers.postgres) as made:
        yield made


@pytest.fixture(scope="session")
def topic_prefix(servers: Servers) -> Iterator[str]:
    with fresh_topics(servers.kafka) as prefix:
        yield prefix
