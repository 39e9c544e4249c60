"""One fresh database and one fresh set of topics for each plumbing test."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from shared.events import Owner
from shared.eventstore import EventStore
from shared.settings import ServiceSettings
from tests.support.database import fresh_database
from tests.support.servers import Servers
from tests.support.topics import fresh_topics


@dataclass(frozen=True)
class Place:
    """Addresses of one test's own corner."""

    servers: Servers
    urls: dict[str, str]
    prefix: str

    def settings(self, role: str, instance: str = "1", **changes: object) -> ServiceSettings:
        return ServiceSettings(
            **{
                "database_url": self.urls[role],
                "kafka_bootstrap_servers": self.servers.kafka,
                "topic_prefix": self.prefix,
                "instance": instance,
                **changes,
            }
        )


@pytest.fixture
def place(servers: Servers) -> Iterator[Place]:
    with fresh_database(servers.postgres) as made, fresh_topics(servers.kafka) as prefix:
        yield Place(servers, {role: made.url(role) for role in ("intake", "query")}, prefix)


def counting(state: int | None, _event: object) -> int:
    """The simplest fold: how many events."""
    return (state or 0) + 1


def a_store(place: Place, instance: str = "1") -> EventStore[int]:
    store = EventStore(place.settings("intake", instance), owner=Owner.INTAKE, evolve=counting)
    store.open()
    store.migrate("shared.messaging")
    return store


@pytest.fixture
async def store(place: Place) -> AsyncIterator[EventStore[int]]:
    made = a_store(place)
    yield made
    await made.close()
