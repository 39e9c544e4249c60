"""A reader that keeps what it applied in its own table, and records as Kafka would hand them over."""

from collections.abc import Callable
from typing import Any

from aiokafka.structs import ConsumerRecord

from shared.database import Database
from shared.events import Event, Owner, encode
from shared.messaging import Consumer
from shared.messaging.catching_up import CatchUp
from shared.messaging.records import headers_of
from shared.topics import Topic
from tests.integration.plumbing.conftest import Place


class Table:
    """A consumer and its table `applied`, in one database; nothing is connected to Kafka.

    Args:
        place: where.
        instance: tells apart readers of one group.
        database: a prepared one, instead of an ordinary one.
        lanes: of the consumer.
        catch_up: of the consumer.
    """

    def __init__(
        self,
        place: Place,
        instance: str = "1",
        database: Database | None = None,
        *,
        lanes: int = 1,
        catch_up: CatchUp | None = None,
        **settings: Any,
    ) -> None:
        self.settings = place.settings("query", instance, **settings)
        self.database = database or Database(self.settings, schema="query")
        self.database.open()
        self.database.migrate("shared.messaging")
        self.database.transact(_create_table)
        self.poison: set[str] = set()
        self.told: list[tuple[str, int]] = []
        self.on_batch: Callable[[Any, Any], None] = self.handle
        self.consumer = Consumer(
            name="reader",
            topics=[Topic.TICKETS, Topic.ASSIGNMENTS],
            settings=self.settings,
            store=self.database,
            handler=self._hand_over,
            after_commit=self._note,
            lanes=lanes,
            catch_up=catch_up,
        )

    def handle(self, tx, batch) -> None:
        for received in batch:
            if getattr(received.event, "body", None) in self.poison:
                raise ValueError(f"cannot read {received.event.body}")
        note(tx, batch)

    def _hand_over(self, tx, batch) -> None:
        self.on_batch(tx, batch)  # tests put another in its place

    def apply(self, *records: ConsumerRecord) -> dict[Any, int]:
        return self.consumer._apply_records(records)

    def versions(self, stream_id, topic: Topic = Topic.TICKETS) -> list[int]:
        """The versions applied of one stream, in the order in which they were."""
        return [
            row["version"]
            for row in self.rows(
                "SELECT version FROM applied WHERE stream_id = %s AND topic = %s ORDER BY n",
                stream_id,
                topic.value,
            )
        ]

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        def read(tx):
            tx.cursor.execute(query, values)
            return tx.cursor.fetchall()

        return self.database.transact(read)

    async def close(self) -> None:
        await self.database.close()

    def _note(self, applied) -> None:
        self.told += [(str(one.stream_id), one.version) for one in applied]


def note(tx, batch) -> None:
    """Keep what was applied."""
    tx.cursor.executemany(
        "INSERT INTO applied (topic, stream_id, version) VALUES (%s, %s, %s)",
        [(one.topic.value, one.event.stream_id, one.event.version) for one in batch],
    )


class Log:
    """Numbers records as one partition does."""

    def __init__(self, prefix: str, topic: Topic = Topic.TICKETS, partition: int = 0) -> None:
        self._name = prefix + topic
        self._partition = partition
        self.end = 0

    def put(self, event: Event, *, raw: bytes | None = None, headers: Any = None) -> ConsumerRecord:
        value = encode(event) if raw is None else raw
        made = headers or headers_of(
            Owner.INTAKE, event.stream_id, event.version, event.wire_type, encode(event)
        )
        record = ConsumerRecord(
            self._name, self._partition, self.end, 0, 0, b"", value, None, 0, 0, tuple(made)
        )
        self.end += 1
        return record


def _create_table(tx) -> None:
    # No key: a double would have to show in the rows, and not fail as a poison would.
    tx.cursor.execute(
        "CREATE TABLE IF NOT EXISTS applied (n bigserial, topic text, stream_id uuid, version int)"
    )


def is_in_order(versions: list[int]) -> bool:
    """Each once, from 1 on, none missing."""
    return versions == list(range(1, len(versions) + 1))


__all__ = ["Log", "Table", "is_in_order"]
