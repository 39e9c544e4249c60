"""An event set aside by a consumer that cannot handle it, as the tables hold it."""

from shared.database import Database
from shared.events import Event, encode
from shared.topics import topic_of


def park(store: Database, consumer: str, *events: Event) -> None:
    """Park these events of one stream; the first failed, the others wait behind it."""
    first, *behind = events

    store.transact(
        lambda tx: tx.cursor.executemany(
            "INSERT INTO parked_events (consumer, topic, stream_id, version, partition, record_offset,"
            " wire_type, payload, error, attempts, parked_at) VALUES (%s, %s, %s, %s, 0, %s, %s, %s, %s, 1, %s)",
            [
                (
                    *(consumer, topic_of(event.wire_type).value, event.stream_id, event.version),
                    *(event.version, event.wire_type, encode(event), error, tx.now),
                )
                for event, error in ((first, "cannot be read"), *((one, None) for one in behind))
            ],
        )
    )
