"""Where tests find a real Kafka, PostgreSQL and Redis: the environment, a Docker engine, or the embedded stack."""

import gc
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

KAFKA_VARIABLE: Final = "TICKETING_TEST_KAFKA"
POSTGRES_VARIABLE: Final = "TICKETING_TEST_POSTGRES"
REDIS_VARIABLE: Final = "TICKETING_TEST_REDIS"
_VARIABLES: Final = (KAFKA_VARIABLE, POSTGRES_VARIABLE, REDIS_VARIABLE)

POSTGRES_IMAGE: Final = "postgres:18"
REDIS_IMAGE: Final = "redis:8"
CONTAINER_SECONDS_MAX: Final = 120
"""Two busy cores need longer than the library's 30 s."""

_MEMORY: Final = Path("/dev/shm")
MEMORY_BYTES_MIN: Final = 6 << 30
"""PostgreSQL's log may take 2 GiB before it begins again, Kafka keeps everything, and others want memory too."""

ENVIRONMENT: Final = "environment"
CONTAINERS: Final = "testcontainers"
EMBEDDED: Final = "embedded stack"


@dataclass(frozen=True)
class Servers:
    """Addresses of the real servers.

    Args:
        kafka: bootstrap servers, `host:port[,host:port]`.
        postgres: URL of a superuser.
        redis: URL.
        source: where they come from, for the header of the run.
    """

    kafka: str
    postgres: str = field(repr=False)
    redis: str = field(repr=False)
    source: str


def choose_source() -> str:
    """Where the servers will come from, decided without starting anything.

    Raises:
        pytest.UsageError: some of the three variables are set and others are not: half of another's
            servers with half of ours would be a riddle to whoever reads the failure.
    """
    present = [name for name in _VARIABLES if os.environ.get(name)]
    if present:
        if missing := sorted(set(_VARIABLES) - set(present)):
            raise pytest.UsageError(
                f"{', '.join(present)} set, but not {', '.join(missing)}: set all three or none"
            )
        return ENVIRONMENT
    return CONTAINERS if _docker_answers() else EMBEDDED


@contextmanager
def real_servers(source: str) -> Iterator[Servers]:
    """The servers of this source, started when they have to be, stopped at the end."""
    with ExitStack() as stack:
        if source == ENVIRONMENT:
            yield Servers(*(os.environ[name] for name in _VARIABLES), source=source)
        elif source == CONTAINERS:
            yield stack.enter_context(_containers())
        else:
            yield stack.enter_context(_embedded())


def _memory() -> Path | None:
    """Where files are in memory, if there is room: most of what tests wait for is the disk's word after a commit."""
    with suppress(OSError):
        if shutil.disk_usage(_MEMORY).free > MEMORY_BYTES_MIN:
            return _MEMORY
    return None


@contextmanager
def _embedded() -> Iterator[Servers]:
    from deploy.local.stack import Stack

    with (
        tempfile.TemporaryDirectory(prefix="ticketing-tests-", dir=_memory()) as folder,
        Stack(Path(folder)) as stack,
    ):
        yield Servers(
            stack.kafka.bootstrap_servers,
            stack.postgres.conninfo(),
            stack.redis.url,
            source=EMBEDDED,
        )


@contextmanager
def _containers() -> Iterator[Servers]:
    with warnings.catch_warnings(), ExitStack() as running:
        warnings.simplefilter("ignore")  # the library's own clients are not ours to mend
        from testcontainers.community.kafka import KafkaContainer
        from testcontainers.community.postgres import PostgresContainer
        from testcontainers.community.redis import RedisContainer

        postgres = running.enter_context(
            PostgresContainer(POSTGRES_IMAGE, username="postgres", driver=None)
        )
        redis = running.enter_context(RedisContainer(REDIS_IMAGE))
        kafka = KafkaContainer().with_kraft().with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
        running.callback(kafka.stop)
        kafka.start(timeout=CONTAINER_SECONDS_MAX)
        yield Servers(
            kafka.get_bootstrap_server(),
            postgres.get_connection_url(),
            f"redis://{redis.get_container_host_ip()}:{redis.get_exposed_port(redis.port)}/0",
            source=CONTAINERS,
        )


def _docker_answers() -> bool:
    with warnings.catch_warnings():
        # The client that finds no engine leaves its socket to the collector, which would complain in a test's name.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            return _ping_docker()
        finally:
            gc.collect()


def _ping_docker() -> bool:
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=5)
    except DockerException:
        return False
    try:
        return bool(client.ping())
    except DockerException:
        return False
    finally:
        client.close()
